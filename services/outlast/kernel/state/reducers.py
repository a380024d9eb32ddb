"""What pickles of objects of each kind consist of, where pickle and cloudpickle would lose something; each reducer says
what that is. The functions that a stream calls are in `rebuild.py`.
"""

from __future__ import annotations

import _thread
import contextvars
import functools
import gc
import importlib
import io
import operator
import sys
import types
import typing
import weakref
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import cloudpickle.cloudpickle as cloud

from . import arrays, classes, own, rebuild
from .arrays import Alone, Given
from .calm import real_stream
from .refusal import Refused, require_importable

PROTOCOL = 5

Reducer = Callable[[Any, Any], Any]

_lru_wrapper = type(functools.lru_cache(len))
_views: dict[type, str] = {
    type(getattr(kind(), method)()): method for kind in (dict, OrderedDict) for method in ("keys", "values", "items")
}
#: What pickle writes for a plain object: a call of this.
_new_object = object().__reduce_ex__(PROTOCOL)[0]
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


class NeedsKernel(BaseException):
    """An object that a forked child must not touch: the libraries' threads are not there, and it would wait for them.

    Not an Exception: what the user's own code catches while it is pickled must not swallow this.
    """


class Reducers:
    """The part of a pickler that knows objects."""

    namespace: dict[str, Any]
    #: Functions and classes that another stream holds (id: slot); here they are referred to.
    definitions: dict[int, str]
    #: Whether anything was met that knows others without holding them.
    has_weak: bool
    #: Modules, and whether a new process can import them.
    importable: dict[str, bool]

    def __init__(self) -> None:
        #: Functions and classes that were written out here, by their slots.
        self.written: dict[str, Any] = {}
        self._defined: set[int] = set()
        self._of_this_name: dict[str, int] = {}

    def define(self, obj: Any) -> None:
        """Note that `obj`, a function or class, is written out here."""
        if id(obj) not in self._defined:
            name = str(obj.__qualname__)
            number = self._of_this_name[name] = self._of_this_name.get(name, 0) + 1
            self._defined.add(id(obj))
            self.written[name if number == 1 else f"{name} {number}"] = obj

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
        return (rebuild.new, *reduced[1:]) if reduced[0] is _new_object else reduced

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
                require_importable(module, self.importable)
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
            require_importable(obj.__module__, self.importable)
            return NotImplemented
        self.define(obj)
        slots = {name: getattr(obj, name) for name in _function_slots}
        made = obj.__code__, self._globals(obj), obj.__closure__
        return rebuild.function, made, (dict(obj.__dict__), slots), None, None, rebuild.function_state

    def _globals(self, obj: types.FunctionType) -> dict[str, Any] | str:
        names = obj.__globals__
        module = None if names is self.namespace else sys.modules.get(str(names.get("__name__")))
        if module is None or getattr(module, "__dict__", None) is not names:
            return names
        require_importable(module.__name__, self.importable)
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
            require_importable(obj.__module__, self.importable)
        elif len(reduced) == 6:
            self.define(obj)
        return reduced

    def _module(self, obj: types.ModuleType) -> Any:
        """A module by its import name; one that is imported in part only (made by code) would fail the load."""
        if obj is sys.modules.get("__main__"):
            return importlib.import_module, ("__main__",)
        if sys.modules.get(obj.__name__) is not obj:
            raise Refused("module made by code")
        require_importable(obj.__name__, self.importable)
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


def usual_reducer(kind: type, *, forked: bool, dispatch: Mapping[type, Any]) -> Reducer | None:
    """How objects of this class are pickled, if they need anything of their own. `forked`: not in the kernel itself."""
    library = library_of(kind)
    for base, reducer in _reducers_by_base.items():
        if issubclass(kind, base):
            return reducer
    if library in _needing_the_kernel and forked:
        return Reducers._not_here
    if "numpy" in sys.modules and (of_numpy := _numpy_reducer(kind)) is not None:
        return of_numpy
    if library == "pandas":
        return Reducers._of_pandas
    if kind in _views:
        return Reducers._view
    if any(base.__name__ == "InteractiveShell" and base.__module__.startswith("IPython.") for base in kind.__mro__):
        return Reducers._shell
    if kind in dispatch:
        return None
    own = _attribute(kind, "__reduce__")
    if issubclass(kind, BaseException):
        return Reducers._exception if own in _plain_exceptions else Reducers._own_exception
    if own is not object.__reduce__ or _attribute(kind, "__reduce_ex__") is not object.__reduce_ex__:
        return Reducers._own
    return None


def library_of(kind: type) -> str:
    """The first part of its module's name, without asking its metaclass."""
    return str(module_of(kind)).partition(".")[0]


def _attributes(obj: Any) -> dict[str, Any]:
    """The object's own, and not those of what it stands for."""
    try:
        found: dict[str, Any] = object.__getattribute__(obj, "__dict__")
    except AttributeError:
        return {}
    return found


module_of = type.__dict__["__module__"].__get__


def _numpy_reducer(kind: type) -> Reducer | None:
    numpy = sys.modules["numpy"]
    if not issubclass(kind, numpy.ndarray):
        return None
    if issubclass(kind, numpy.memmap):
        return Reducers._memory_map
    return Reducers._masked if kind is numpy.ma.MaskedArray else Reducers._array


#: Libraries whose objects load wherever they could be pickled.
HARMLESS = frozenset(
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
    type: Reducers._class,
    types.FunctionType: Reducers._function,
    types.CellType: Reducers._cell,
    types.ModuleType: Reducers._module,
    types.MappingProxyType: Reducers._mapping_proxy,
    io.IOBase.__mro__[1]: Reducers._file,
    type(_thread.allocate_lock()): Reducers._lock,
    type(_thread.RLock()): Reducers._reentrant_lock,
    _lru_wrapper: Reducers._cached,
    typing.NewType: Reducers._new_type,
    contextvars.ContextVar: Reducers._context_variable,
    typing.TypeVar: Reducers._type_variable,
    typing.ParamSpec: Reducers._parameter,
    typing.TypeVarTuple: Reducers._parameter,
    _list_iterator: Reducers._position,
    Alone: Reducers._alone,
    Given: Reducers._given,
    weakref.ref: Reducers._weak_reference,
    weakref.WeakSet: Reducers._weak_collection,
    weakref.WeakKeyDictionary: Reducers._weak_collection,
    weakref.WeakValueDictionary: Reducers._weak_collection,
}
