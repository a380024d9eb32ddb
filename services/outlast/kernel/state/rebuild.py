"""What a stream calls to make objects anew. It names these functions by `ALIAS`, whatever this package was loaded as.

A function's arguments are part of the format: whoever changes one counts the format up.
"""

from __future__ import annotations

import functools
import importlib
import io
import os
import sys
import types
import typing
from collections.abc import Callable
from typing import Any

#: The module's name in a stream. It is put into `sys.modules` too, because pickle looks there when it writes a name.
ALIAS = "_outlast_state"

#: Attributes of classes that act when another class is made: (class, name, value), put on when all is loaded.
_deferred: list[tuple[type, str, Any]] = []

_acts_on_subclasses = ("__init_subclass__",)
_acts_on_classes = ("__new__", "__init__", "__prepare__", "__setattr__")


def namespace() -> Any:
    """Stands for the user's namespace; the loader puts its own in the place of this function."""
    raise RuntimeError("only a loader of checkpoints knows the namespace")


def builtin_names() -> dict[str, Any]:
    """The names of the builtins, which functions made with `exec` carry in their globals."""
    import builtins

    return vars(builtins)


def function(code: types.CodeType, where: dict[str, Any] | str, closure: tuple[types.CellType, ...] | None) -> Any:
    """A function on the globals `where`: a namespace, or those of the module of that name."""
    names = vars(importlib.import_module(where)) if isinstance(where, str) else where
    return types.FunctionType(code, names, code.co_name, None, closure)


def function_state(made: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    attributes, slots = state
    made.__dict__.update(attributes)
    for name, value in slots.items():
        setattr(made, name, value)


def cell_state(cell: types.CellType, value: Any) -> None:
    cell.cell_contents = value


def class_state(made: Any, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Fill a class that was made empty; `state[1]` holds what the members of an enumeration carry."""
    attributes, members = state
    for name, value in attributes.items():
        if name == "_abc_impl":
            for subclass in value:
                made.register(subclass)
        elif name in _acts_on_subclasses or (name in _acts_on_classes and issubclass(made, type)):
            _deferred.append((made, name, value))
        else:
            setattr(made, name, value)
    for name, carried in members.items():
        made[name].__dict__.update(carried)


def finish() -> None:
    """Put on the attributes that had to wait."""
    while _deferred:
        made, name, value = _deferred.pop(0)
        type.__setattr__(made, name, value)


def forget() -> None:
    """Drop them: the load has failed."""
    _deferred.clear()


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


def cached(wrapped: Callable[..., Any], maxsize: int | None, typed: bool) -> Any:
    return functools.lru_cache(maxsize=maxsize, typed=typed)(wrapped)


def new_type(name: str, supertype: Any) -> Any:
    return typing.NewType(name, supertype)


def view(mapping: dict[Any, Any], method: str) -> Any:
    """`mapping.keys()`, `.values()` or `.items()`."""
    return getattr(mapping, method)()


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


_functions = [value for value in list(vars().values()) if isinstance(value, types.FunctionType)]
for _function in _functions:
    _function.__module__ = ALIAS
sys.modules[ALIAS] = sys.modules[__name__]
