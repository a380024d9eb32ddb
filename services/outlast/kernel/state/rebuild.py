"""What a stream calls to make objects anew. It names these functions by `ALIAS`, whatever this package was loaded as.

A function's arguments are part of the format: whoever changes one counts the format up.
"""

from __future__ import annotations

import argparse
import contextlib
import contextvars
import functools
import importlib
import io
import os
import sys
import types
import typing
import weakref
from collections.abc import Callable
from typing import Any

from . import baseline, objects

#: The module's name in a stream. It is put into `sys.modules` too, because pickle looks there when it writes a name.
ALIAS = "_outlast_state"

#: Attributes of classes that act when another class is made: (class, name, value), put on when its stream is loaded.
_deferred: list[tuple[type, str, Any]] = []
#: Arrays that nobody may write to, once the views of them are made.
_to_freeze: list[Any] = []
#: Iterators over lists, and how far they are, once the lists are whole.
_positions: list[tuple[Any, int]] = []
#: Classes and what is registered with them, which runs the user's code: when everything is there.
_to_register: list[tuple[Any, Any]] = []

_acts_on_subclasses = ("__init_subclass__",)
_acts_on_classes = ("__new__", "__init__", "__prepare__", "__setattr__")


def builtin_names() -> dict[str, Any]:
    """The names of the builtins, which functions made with `exec` carry in their globals."""
    import builtins

    return vars(builtins)


def definition(slot: str) -> Any:
    """A function or class that the checkpoint's definitions hold; the loader puts its own table in this one's place."""
    raise RuntimeError(f"only a loader of checkpoints knows the definition {slot}")


def array(buffer: Any, shape: tuple[int, ...], dtype: Any, order: Any, writeable: bool) -> Any:
    """An array on this memory, if that is mapped; else with a memory of its own."""
    numpy = importlib.import_module("numpy")
    if isinstance(buffer, memoryview) and isinstance(buffer.obj, objects.Mapped):
        made = numpy.ndarray(shape, dtype, buffer=buffer, order=order)
    else:
        made = numpy.empty(shape, dtype, order)
        if made.size:
            made[...] = numpy.ndarray(shape, dtype, buffer=buffer, order=order)
    return made if writeable else read_only(made)


def array_of_objects(shape: tuple[int, ...], order: Any) -> Any:
    return importlib.import_module("numpy").empty(shape, object, order)


def array_of_objects_state(made: Any, state: tuple[list[Any], bool]) -> None:
    elements, writeable = state
    made[...] = importlib.import_module("numpy").fromiter(elements, object, len(elements)).reshape(made.shape)
    if not writeable:
        read_only(made)


def array_view(
    base: Any, shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...], offset: int, writeable: bool
) -> Any:
    """An array in the memory of another one, `offset` bytes from its first element; that one is contiguous."""
    numpy = importlib.import_module("numpy")
    memory = base if base.flags.c_contiguous else base.T
    if dtype.hasobject:
        first = memory.reshape(-1)[offset // memory.itemsize :]
        made = numpy.lib.stride_tricks.as_strided(first, shape, strides)
    else:
        made = numpy.ndarray(shape, dtype, buffer=memory, offset=offset, strides=strides)
    return made if writeable else read_only(made)


def array_as(made: Any, kind: type) -> Any:
    """The array as one of a subclass, in the same memory."""
    return made.view(kind)


def array_over(
    buffer: Any, shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...], offset: int, writeable: bool
) -> Any:
    """An array in the memory of a bytearray or the like."""
    made = importlib.import_module("numpy").ndarray(shape, dtype, buffer=buffer, offset=offset, strides=strides)
    return made if writeable else read_only(made)


def read_only(made: Any) -> Any:
    _to_freeze.append(made)
    return made


def strings(indices: Any, dictionary: Any, shape: tuple[int, ...]) -> Any:
    """An array of str objects and None from Arrow's encoding."""
    numpy = importlib.import_module("numpy")
    distinct = numpy.append(dictionary.to_numpy(zero_copy_only=False), None)
    places = indices.fill_null(len(dictionary)).to_numpy(zero_copy_only=False)
    return distinct[places].reshape(shape)


def masked(data: Any, mask: Any, state: dict[str, Any]) -> Any:
    made = importlib.import_module("numpy").ma.MaskedArray(data, mask, copy=False, keep_mask=False)
    made.__dict__.update(state)
    return made


def new(kind: type, *arguments: Any) -> Any:
    """As `copyreg.__newobj__`, which pickle takes only for an object of that class itself."""
    return kind.__new__(kind, *arguments)


def bare(kind: type) -> Any:
    """An instance without any state yet."""
    return object.__new__(kind)


def bare_state(made: Any, state: dict[str, Any]) -> None:
    """Its attributes, past any `__setstate__`."""
    made.__dict__.update(state)


def dead_reference() -> Any:
    """A weak reference to something that is gone."""
    return weakref.ref(type("gone", (), {})())


def weak_values(items: dict[Any, Any]) -> Any:
    return weakref.WeakValueDictionary(items)


def weak_keys(items: list[tuple[Any, Any]]) -> Any:
    return weakref.WeakKeyDictionary(items)


def weak_set(items: list[Any]) -> Any:
    return weakref.WeakSet(items)


def function(code: types.CodeType, where: dict[str, Any] | str, closure: tuple[types.CellType, ...] | None) -> Any:
    """A function on the globals `where`: a namespace, or those of the module of that name."""
    names = vars(importlib.import_module(where)) if isinstance(where, str) else where
    return types.FunctionType(code, names, code.co_name, None, closure)


def function_state(made: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    attributes, slots = state
    made.__dict__.update(attributes)
    for name, value in slots.items():
        setattr(made, name, value)


def cell_state(cell: types.CellType, state: tuple[Any]) -> None:
    """`state` holds the value: None by itself would count as no state at all."""
    (cell.cell_contents,) = state


def plain_class(metaclass: type, name: str, bases: tuple[type, ...], names: dict[str, Any]) -> Any:
    """A class past its metaclass."""
    return type.__new__(metaclass, name, bases, names)


def class_state(made: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Fill a class that was made empty; `state[1]` holds what the members of an enumeration carry."""
    attributes, members = state
    for name, value in attributes.items():
        if name == "_abc_impl":
            _to_register.extend((made, subclass) for subclass in value)
        elif name in _acts_on_subclasses or (name in _acts_on_classes and issubclass(made, type)):
            _deferred.append((made, name, value))
        else:
            setattr(made, name, value)
    for name, carried in members.items():
        made[name].__dict__.update(carried)


def finish_stream() -> None:
    """Do what had to wait for the end of a stream."""
    while _deferred:
        made, name, value = _deferred.pop(0)
        type.__setattr__(made, name, value)
    while _to_freeze:
        _to_freeze.pop().flags.writeable = False
    while _positions:
        iterator, position = _positions.pop()
        iterator.__setstate__(position)


def finish() -> None:
    """Do what had to wait for the end of all streams; an error of the user's code is dropped."""
    while _to_register:
        made, registered = _to_register.pop(0)
        with contextlib.suppress(Exception):
            made.register(registered)


def forget() -> None:
    """The stream has failed."""
    _deferred.clear()
    _to_freeze.clear()
    _positions.clear()


def exception(kind: type[BaseException], arguments: tuple[Any, ...]) -> BaseException:
    """An exception without a call of constructors made in Python, whose parameters need not be its `args`."""
    made = kind.__new__(kind, *arguments)
    for base in kind.__mro__:
        constructor = base.__dict__.get("__init__")
        if constructor is not None and not isinstance(constructor, types.FunctionType):
            constructor(made, *arguments)
            break
    return made


def exception_state(made: BaseException, state: tuple[dict[str, Any], Any, Any, bool]) -> None:
    attributes, made.__cause__, made.__context__, made.__suppress_context__ = state
    made.__dict__.update(attributes)


def exception_rest(made: BaseException, state: tuple[Any, Any, Any, bool]) -> None:
    """What the `__reduce__` of the exception's class leaves out; `state[0]` is what it gives as the state."""
    own, made.__cause__, made.__context__, made.__suppress_context__ = state
    if own is not None:
        made.__setstate__(own)


def cached(wrapped: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    return functools.lru_cache(maxsize=maxsize, typed=typed)(wrapped)


def imported(module: str, path: str) -> Any:
    """What an import finds under this name before any cell has put another thing in its place."""
    return functools.reduce(getattr, path.split("."), importlib.import_module(module))


def new_type(name: str, supertype: Any) -> Any:
    return typing.NewType(name, supertype)


def context_variable(name: str, default: Any) -> Any:
    return contextvars.ContextVar(name, default=default)


def view(mapping: dict[Any, Any], method: str) -> Any:
    """`mapping.keys()`, `.values()` or `.items()`."""
    return getattr(mapping, method)()


def iterator_position(made: Any, state: tuple[int]) -> None:
    _positions.append((made, state[0]))


def closed_file(name: Any, mode: str, encoding: str | None, errors: str | None) -> Any:
    """A closed file that knows its name; nothing of that name is touched."""
    raw = io.FileIO(os.devnull, "r+")
    raw.name = name
    if encoding is None:
        made: Any = io.BufferedReader(raw) if "r" in mode else io.BufferedWriter(raw)
    else:
        made = io.TextIOWrapper(io.BufferedRandom(raw), encoding=encoding, errors=errors)
        made.mode = mode
    made.close()
    return made


def standard_stream(name: str) -> Any:
    stream = getattr(sys, name)
    return getattr(stream, "stream", stream) if type(stream).__name__ == "_Silent" else stream


def shell() -> Any:
    """The IPython shell of this process, or None."""
    return sys.modules["IPython.core.getipython"].get_ipython()


#: What the process has one of, whatever a cell puts in its place; `suppressed` is a string that argparse knows by
#: identity.
LIVE: dict[str, Callable[[], Any]] = {
    "paths": lambda: baseline.live["paths"],
    "arguments": lambda: baseline.live["arguments"],
    "modules": lambda: baseline.live["modules"],
    "filters": lambda: baseline.live["filters"],
    "suppressed": lambda: argparse.SUPPRESS,
}

_functions = [value for value in list(vars().values()) if isinstance(value, types.FunctionType)]
for _function in _functions:
    _function.__module__ = ALIAS
sys.modules[ALIAS] = sys.modules[__name__]
