"""Pickling parts of a namespace into streams, to be loaded onto another namespace.

cloudpickle's reducers are used where they are right. This module's own come before them; each says what is otherwise
lost. The functions that a stream calls are in `rebuild.py`.
"""

from __future__ import annotations

import _thread
import contextvars
import copyreg
import functools
import gc
import importlib
import io
import operator
import pickle
import sys
import types
import typing
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import cloudpickle.cloudpickle as cloud

from . import arrays, classes, own, rebuild, singletons
from .arrays import Alone, Given
from .calm import real_stream
from .refusal import Refused, refusal, require_importable

PROTOCOL = 5

#: What is never written, but referred to: the namespace, the names of the builtins, In, Out, and what `rebuild` names.
#: Every stream begins with calls that give them. A loader runs these and has the results in its memo, by their order,
#: where a pickler takes them to be.
KNOWN = tuple(
    b"\x80\x05c%s\n%s\n)R\x94." % (rebuild.ALIAS.encode(), name.encode())
    for name in ("namespace", "builtin_names", "inputs", "outputs", *rebuild.LIVE)
)

#: Bytes from which on a buffer is kept beside the stream, where it is compared with what was there before.
LARGE_BYTES = 1 << 16

Reducer = Callable[["StatePickler", Any], Any]

_lru_wrapper = type(functools.lru_cache(len))
_views: dict[type, str] = {
    type(getattr(kind(), method)()): method for kind in (dict, OrderedDict) for method in ("keys", "values", "items")
}
_list_iterator: type = type(iter([]))
#: Classes that nothing is named after, each with an object of it.
_empty: list[Any] = [[], (), {}, set(), "", b"", range(0), {}.values(), {}.items()]
_unnamed: dict[type, Any] = {
    type(one): one
    for one in (
        *(getattr(kind(), method)() for kind in (dict, OrderedDict) for method in ("keys", "values", "items")),
        *(iter(each) for each in _empty),
        *(reversed([]), reversed({})),
    )
}
_plain_exceptions = (BaseException.__reduce__, OSError.__reduce__)


class Sink(Protocol):
    """Where a stream goes."""

    def write(self, data: Any, /) -> int: ...


class NeedsKernel(BaseException):
    """An object that a forked child must not touch: the libraries' threads are not there, and it would wait for them.

    Not an Exception: what the user's own code catches while it is pickled must not swallow this.
    """


class Tables:
    """What the picklers of one save know in common."""

    def __init__(self) -> None:
        # A plain dictionary: pickle looks into it once an object, and cloudpickle's own is a slow ChainMap.
        self.dispatch: dict[type, Any] = {**copyreg.dispatch_table, **cloud.Pickler._dispatch_table}
        #: By the ids of classes, because a class may be unhashable, by way of its metaclass: the reducer, whether its
        #: objects load wherever they could be pickled, and the class, which so keeps its id.
        self.reducers: dict[int, tuple[Reducer | None, bool, type]] = {}
        self.importable: dict[str, bool] = {}
        self._memo: dict[int, tuple[int, Any]] = {}

    def memo(self, namespace: dict[str, Any]) -> Any:
        """Where a pickler takes what is known to be."""
        if not self._memo:
            inputs, outputs = namespace.get("_ih", []), namespace.get("_oh", {})
            known = namespace, rebuild.builtin_names(), inputs, outputs, *(find() for find in rebuild.LIVE.values())
            self._memo = {id(value): (index, value) for index, value in enumerate(known)}
        return self._memo


class StatePickler(pickle.Pickler):
    """Writes entries with one memo; `namespace` is never written, only referred to.

    `definitions` (id: slot) are the functions and classes that another stream holds; here they are referred to.
    """

    def __init__(
        self, sink: Sink, namespace: dict[str, Any], definitions: dict[int, str], tables: Tables, *, forked: bool
    ) -> None:
        self.dispatch_table = tables.dispatch
        super().__init__(sink, PROTOCOL, buffer_callback=self._out_of_band)
        self.namespace = namespace
        self.definitions = definitions
        #: Large buffers, in the order of the stream.
        self.buffers: list[pickle.PickleBuffer] = []
        self.buffer_bytes = 0
        #: Functions and classes that were written out here, by their slots.
        self.written: dict[str, Any] = {}
        #: Whether anything was met that has code of its own for being loaded, which might fail.
        self.may_not_load = False
        #: Whether anything was met that knows others without holding them.
        self.has_weak = False
        self._forked = forked
        self._defined: set[int] = set()
        self._of_this_name: dict[str, int] = {}
        self._reducers = tables.reducers
        self._importable = tables.importable
        for known in KNOWN:
            sink.write(known)
        self.memo = tables.memo(namespace)

    def _out_of_band(self, buffer: pickle.PickleBuffer) -> bool:
        size = buffer.raw().nbytes
        if size < LARGE_BYTES:
            return True
        self.buffers.append(buffer)
        self.buffer_bytes += size
        return False

    def _define(self, obj: Any) -> None:
        """Note that `obj`, a function or class, is written out here."""
        if id(obj) not in self._defined:
            name = str(obj.__qualname__)
            number = self._of_this_name[name] = self._of_this_name.get(name, 0) + 1
            self._defined.add(id(obj))
            self.written[name if number == 1 else f"{name} {number}"] = obj

    def reducer_override(self, obj: Any) -> Any:
        """Called for all but the plainest objects: one look into a table of classes decides."""
        kind = type(obj)
        known = self._reducers.get(id(kind))
        if known is None:
            harmless = _library(kind) in _harmless or kind in (Alone, Given)
            known = self._reducers[id(kind)] = self._reducer(kind), harmless, kind
        reducer, harmless, _ = known
        if not harmless:
            self.may_not_load = True
        return NotImplemented if reducer is None else reducer(self, obj)

    def _reducer(self, kind: type) -> Reducer | None:
        why = refusal(kind)
        if why:
            raise Refused(why)
        usual = self._usual_reducer(kind, _library(kind))
        ones = singletons.of_kind(kind, str(_module_of(kind)))
        if not ones:
            return usual

        def reduce(self: StatePickler, obj: Any) -> Any:
            if id(obj) in ones:
                return rebuild.imported, ones[id(obj)]
            return NotImplemented if usual is None else usual(self, obj)

        return reduce

    def _usual_reducer(self, kind: type, library: str) -> Reducer | None:
        for base, reducer in _reducers_by_base.items():
            if issubclass(kind, base):
                return reducer
        if library in _needing_the_kernel and self._forked:
            return StatePickler._not_here
        if "numpy" in sys.modules and (of_numpy := _numpy_reducer(kind)) is not None:
            return of_numpy
        if library == "pandas":
            return StatePickler._of_pandas
        if kind in _views:
            return StatePickler._view
        if any(base.__name__ == "InteractiveShell" and base.__module__.startswith("IPython.") for base in kind.__mro__):
            return StatePickler._shell
        if kind in self.dispatch_table:
            return None
        own = _attribute(kind, "__reduce__")
        if issubclass(kind, BaseException):
            return StatePickler._exception if own in _plain_exceptions else StatePickler._own_exception
        if own is not object.__reduce__ or _attribute(kind, "__reduce_ex__") is not object.__reduce_ex__:
            return StatePickler._own
        return None

    def _not_here(self, obj: Any) -> Any:
        raise NeedsKernel

    def _array(self, obj: Any) -> Any:
        reduced = arrays.reduce_array(obj)
        return self._own(obj) if reduced is None else reduced

    def _alone(self, obj: Alone) -> Any:
        if type(obj.values) is sys.modules["numpy"].ndarray:
            return arrays.reduce_alone(obj.values)
        reduced = self._of_pandas(obj.values)
        # Pickle takes that function only for an object of the very class that it makes.
        return (rebuild.new, *reduced[1:]) if reduced[0] is getattr(copyreg, "__newobj__") else reduced  # noqa: B009  # typeshed leaves it out

    def _given(self, obj: Given) -> Any:
        return obj.reduced

    def _masked(self, obj: Any) -> Any:
        return arrays.reduce_masked(obj)

    def _memory_map(self, obj: Any) -> Any:
        raise Refused("array whose memory is a file")

    def _of_pandas(self, obj: Any) -> Any:
        """Without views into the memory of others, and columns of Arrow's as the chunks that they are."""
        state = getattr(obj, "__dict__", None)
        if state is not None and "_pa_array" in state:
            state = {name: {} if name == "_cache" else value for name, value in state.items()}
            return rebuild.bare, (type(obj),), state, None, None, rebuild.bare_state
        return arrays.detached(self._own(obj))

    def _weak_reference(self, obj: Any) -> Any:
        if obj.__callback__ is not None:
            raise Refused("weak reference with a callback")
        target = obj()
        self.has_weak = True
        return (rebuild.dead_reference, ()) if target is None else (weakref.ref, (target,))

    def _weak_collection(self, obj: Any) -> Any:
        self.has_weak = True
        if isinstance(obj, weakref.WeakSet):
            return rebuild.weak_set, (list(obj),)
        if isinstance(obj, weakref.WeakKeyDictionary):
            return rebuild.weak_keys, (list(obj.items()),)
        return rebuild.weak_values, (dict(obj),)

    def _own(self, obj: Any) -> Any:
        """An object with a method of its own, which may name the object instead of describing it.

        A name in `__main__` would be written without complaint, and fail the load of everything.
        """
        reduced = obj.__reduce_ex__(PROTOCOL)
        if isinstance(reduced, str):
            module = getattr(obj, "__module__", None)
            if module == "__main__":
                raise Refused(f"is pickled as the name {reduced} of __main__, which a new kernel does not have")
            if isinstance(module, str):
                require_importable(module, self._importable)
                if own.was_replaced(obj, module, reduced):
                    return rebuild.imported, (module, reduced)
        elif len(reduced) == 2 or (len(reduced) == 3 and reduced[2] is None):
            # What is written in C describes its own part, and forgets what a subclass has added.
            attributes = _attributes(obj)
            if attributes and isinstance(_attribute(type(obj), "__reduce__"), types.MethodDescriptorType):
                return reduced[0], reduced[1], dict(attributes), None, None, rebuild.bare_state
        return reduced

    def _function(self, obj: types.FunctionType) -> Any:
        """A function on its real globals and its real cells; cloudpickle copies both, which unties them."""
        slot = self.definitions.get(id(obj))
        if slot is not None:
            return rebuild.definition, (slot,)
        if cloud._should_pickle_by_reference(obj):
            require_importable(obj.__module__, self._importable)
            return NotImplemented
        self._define(obj)
        slots = {name: getattr(obj, name) for name in _function_slots}
        made = obj.__code__, self._globals(obj), obj.__closure__
        return rebuild.function, made, (dict(obj.__dict__), slots), None, None, rebuild.function_state

    def _globals(self, obj: types.FunctionType) -> dict[str, Any] | str:
        names = obj.__globals__
        module = None if names is self.namespace else sys.modules.get(str(names.get("__name__")))
        if module is None or getattr(module, "__dict__", None) is not names:
            return names
        require_importable(module.__name__, self._importable)
        return module.__name__

    def _cell(self, obj: types.CellType) -> Any:
        """A closure's variable, made empty and then filled: it may lead back to the function, or be in two of them."""
        try:
            value = obj.cell_contents
        except ValueError:
            return types.CellType, ()
        return types.CellType, (), (value,), None, None, rebuild.cell_state

    def _class(self, obj: type) -> Any:
        slot = self.definitions.get(id(obj))
        if slot is not None:
            return rebuild.definition, (slot,)
        if type(obj).__name__ == "PyCArrayType":
            array_type: Any = obj
            return operator.mul, (array_type._type_, array_type._length_)
        if type(obj) is type and obj in _unnamed:
            return type, (_unnamed[obj],)
        reduced = classes.reduce(obj)
        if reduced is NotImplemented:
            require_importable(obj.__module__, self._importable)
        elif len(reduced) == 6:
            self._define(obj)
        return reduced

    def _module(self, obj: types.ModuleType) -> Any:
        """A module by its import name; one that is imported in part only (made by code) would fail the load."""
        if obj is sys.modules.get("__main__"):
            return importlib.import_module, ("__main__",)
        if sys.modules.get(obj.__name__) is not obj:
            raise Refused("module made by code")
        require_importable(obj.__name__, self._importable)
        return cloud.subimport, (obj.__name__,)

    def _file(self, obj: Any) -> Any:
        """Never the content of an open file, which cloudpickle would put into its place."""
        for name in ("stdout", "stderr", "stdin"):
            if obj is real_stream(name):
                return rebuild.standard_stream, (name,)
        if isinstance(obj, (io.StringIO, io.BytesIO)):
            return self._own(obj)
        if not obj.closed:
            raise Refused("open file")
        if not isinstance(obj, (io.TextIOWrapper, io.BufferedReader, io.BufferedWriter)):
            raise Refused("closed file")
        name, mode = getattr(obj, "name", ""), getattr(obj, "mode", "r")
        return rebuild.closed_file, (name, mode, getattr(obj, "encoding", None), getattr(obj, "errors", None))

    def _lock(self, obj: Any) -> Any:
        if obj.locked():
            raise Refused("thread lock that is held")
        return _thread.allocate_lock, ()

    def _reentrant_lock(self, obj: Any) -> Any:
        if not repr(obj).startswith("<unlocked"):
            raise Refused("thread lock that is held")
        return _thread.RLock, ()

    def _exception(self, obj: BaseException) -> Any:
        """An exception by its `args`, without its class's constructor, which may want others and fail the load."""
        reduced: Any = obj.__reduce__()
        state = dict(obj.__dict__), obj.__cause__, obj.__context__, obj.__suppress_context__
        return rebuild.exception, (type(obj), reduced[1]), state, None, None, rebuild.exception_state

    def _own_exception(self, obj: BaseException) -> Any:
        reduced = self._own(obj)
        if isinstance(reduced, str) or any(part is not None for part in reduced[3:]):
            return reduced
        own = reduced[2] if len(reduced) > 2 else None
        rest = own, obj.__cause__, obj.__context__, obj.__suppress_context__
        return reduced[0], reduced[1], rest, None, None, rebuild.exception_rest

    def _cached(self, obj: Any) -> Any:
        """A function with a cache, without it; it names itself, which in `__main__` does not load."""
        if getattr(obj, "__module__", "__main__") != "__main__" and cloud._lookup_module_and_qualname(obj):
            return self._own(obj)
        parameters = obj.cache_parameters()
        return rebuild.cached, (obj.__wrapped__, parameters["maxsize"], parameters["typed"]), dict(vars(obj))

    def _type_variable(self, obj: Any) -> Any:
        """Without the random number that cloudpickle gives it, see `classes.py`."""
        if cloud._lookup_module_and_qualname(obj) is not None:
            return self._own(obj)
        made_by, (*described, _) = cloud._typevar_reduce(obj)
        return made_by, (*described, None)

    def _parameter(self, obj: Any) -> Any:
        """A ParamSpec or TypeVarTuple."""
        if obj.__module__ != "__main__":
            return self._own(obj)
        return type(obj), (obj.__name__,)

    def _new_type(self, obj: Any) -> Any:
        if obj.__module__ != "__main__":
            return self._own(obj)
        return rebuild.new_type, (obj.__name__, obj.__supertype__), dict(vars(obj))

    def _context_variable(self, obj: Any) -> Any:
        """A new one with the same name and default, which an empty context tells; its value is `ambient`'s part."""
        try:
            default = contextvars.Context().run(obj.get)
        except LookupError:
            return contextvars.ContextVar, (obj.name,)
        return rebuild.context_variable, (obj.name, default)

    def _view(self, obj: Any) -> Any:
        """`d.keys()` and the like stay views of `d`."""
        (mapping,) = gc.get_referents(obj)
        return rebuild.view, (mapping, _views[type(obj)])

    def _position(self, obj: Any) -> Any:
        """An iterator over a list, which may hold the iterator: its place is taken when the list is whole."""
        reduced = obj.__reduce__()
        if len(reduced) < 3:
            return reduced
        return *reduced[:2], (reduced[2],), None, None, rebuild.iterator_position

    def _mapping_proxy(self, obj: Any) -> Any:
        """A read-only view stays a view; that of a class's attributes has no maker but the class."""
        (mapping,) = gc.get_referents(obj)
        if "__module__" in mapping:
            raise Refused("read-only view of a class's attributes")
        return types.MappingProxyType, (mapping,)

    def _shell(self, obj: Any) -> Any:
        return rebuild.shell, ()


def _library(kind: type) -> str:
    """The first part of its module's name, without asking its metaclass."""
    return str(_module_of(kind)).partition(".")[0]


def _attributes(obj: Any) -> dict[str, Any]:
    """The object's own, and not those of what it stands for."""
    try:
        found: dict[str, Any] = object.__getattribute__(obj, "__dict__")
    except AttributeError:
        return {}
    return found


_module_of = type.__dict__["__module__"].__get__


def _numpy_reducer(kind: type) -> Reducer | None:
    numpy = sys.modules["numpy"]
    if not issubclass(kind, numpy.ndarray):
        return None
    if issubclass(kind, numpy.memmap):
        return StatePickler._memory_map
    return StatePickler._masked if kind is numpy.ma.MaskedArray else StatePickler._array


#: Libraries whose objects load wherever they could be pickled.
_harmless = frozenset(
    (
        *("builtins", "_io", "collections", "datetime", "decimal", "fractions", "functools", "itertools", "numpy"),
        *("operator", "pandas", "pathlib", "pyarrow", "random", "re", "types", "uuid", "zoneinfo"),
    )
)
#: Those whose objects work through threads.
_needing_the_kernel = frozenset(["polars", "torch", "tensorflow", "jax", "cupy", "cudf"])


def _attribute(kind: type, name: str) -> Any:
    """The attribute as the class's instances see it, without running anything of the metaclass."""
    return next((base.__dict__[name] for base in kind.__mro__ if name in base.__dict__), None)


_function_slots = [
    "__name__",
    "__qualname__",
    "__annotations__",
    "__kwdefaults__",
    "__defaults__",
    "__module__",
    "__doc__",
]
if sys.version_info >= (3, 12):
    _function_slots.append("__type_params__")

#: In this order, the first base that fits.
_reducers_by_base: dict[type, Reducer] = {
    type: StatePickler._class,
    types.FunctionType: StatePickler._function,
    types.CellType: StatePickler._cell,
    types.ModuleType: StatePickler._module,
    types.MappingProxyType: StatePickler._mapping_proxy,
    io.IOBase.__mro__[1]: StatePickler._file,
    type(_thread.allocate_lock()): StatePickler._lock,
    type(_thread.RLock()): StatePickler._reentrant_lock,
    _lru_wrapper: StatePickler._cached,
    typing.NewType: StatePickler._new_type,
    contextvars.ContextVar: StatePickler._context_variable,
    typing.TypeVar: StatePickler._type_variable,
    typing.ParamSpec: StatePickler._parameter,
    typing.TypeVarTuple: StatePickler._parameter,
    _list_iterator: StatePickler._position,
    Alone: StatePickler._alone,
    Given: StatePickler._given,
    weakref.ref: StatePickler._weak_reference,
    weakref.WeakSet: StatePickler._weak_collection,
    weakref.WeakKeyDictionary: StatePickler._weak_collection,
    weakref.WeakValueDictionary: StatePickler._weak_collection,
}
