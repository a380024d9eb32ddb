"""Pickling a namespace into one stream, and loading it onto another one.

cloudpickle's reducers are used where they are right. This module's own come before them; each says what is otherwise
lost. The functions that a stream calls are in `rebuild.py`.
"""

from __future__ import annotations

import _thread
import copyreg
import functools
import gc
import importlib
import io
import pickle
import sys
import types
import typing
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol

import cloudpickle.cloudpickle as cloud

from . import classes, rebuild
from .calm import real_stream
from .refusal import Refused, refusal, require_importable

PROTOCOL = 5

Reducer = Callable[["StatePickler", Any], Any]

_lru_wrapper = type(functools.lru_cache(len))
_views: dict[type, str] = {
    type(getattr(kind(), method)()): method for kind in (dict, OrderedDict) for method in ("keys", "values", "items")
}
_plain_exceptions = (BaseException.__reduce__, OSError.__reduce__)


class Sink(Protocol):
    """Where a stream goes."""

    def write(self, data: Any, /) -> int: ...


class _StandIn:
    """Pickled as a call of `made_by`; its place in the memo is then given to the object that it stands for."""

    def __init__(self, made_by: Callable[[], Any]) -> None:
        self.made_by = made_by


class StatePickler(pickle.Pickler):
    """Writes entries with one memo; `namespace` is never written, only referred to."""

    def __init__(self, sink: Sink, namespace: dict[str, Any]) -> None:
        # A plain dictionary: pickle looks into it once an object, and cloudpickle's own is a slow ChainMap.
        self.dispatch_table = {**copyreg.dispatch_table, **cloud.Pickler._dispatch_table}
        super().__init__(sink, PROTOCOL)
        self.namespace = namespace
        self._reducers: dict[int, tuple[Reducer | None, type]] = {}
        self._importable: dict[str, bool] = {}

    def stand_in(self, made_by: Callable[[], Any], obj: Any) -> None:
        """Write a call of `made_by`, and from now on refer to its result wherever `obj` is met."""
        token = _StandIn(made_by)
        self.dump(token)
        memo: Any = self.memo
        entries = memo.copy()
        index, _ = entries.pop(id(token))
        entries[id(obj)] = (index, obj)
        self.memo = entries

    def reducer_override(self, obj: Any) -> Any:
        """Called for all but the plainest objects: one look into a table of classes decides.

        The table goes by identity because a class may be unhashable, by way of its metaclass.
        """
        kind = type(obj)
        known = self._reducers.get(id(kind))
        if known is None:
            known = self._reducers[id(kind)] = self._reducer(kind), kind
        return NotImplemented if known[0] is None else known[0](self, obj)

    def _reducer(self, kind: type) -> Reducer | None:
        why = refusal(kind)
        if why:
            raise Refused(why)
        for base, reducer in _reducers_by_base.items():
            if issubclass(kind, base):
                return reducer
        if kind in _views:
            return StatePickler._view
        if any(base.__name__ == "InteractiveShell" and base.__module__.startswith("IPython.") for base in kind.__mro__):
            return StatePickler._shell
        if kind in self.dispatch_table:
            return None
        own = _attribute(kind, "__reduce__")
        if issubclass(kind, BaseException) and own in _plain_exceptions:
            return StatePickler._exception
        if own is not object.__reduce__ or _attribute(kind, "__reduce_ex__") is not object.__reduce_ex__:
            return StatePickler._own
        return None

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
        return reduced

    def _function(self, obj: types.FunctionType) -> Any:
        """A function on its real globals and its real cells; cloudpickle copies both, which unties them."""
        if cloud._should_pickle_by_reference(obj):
            require_importable(obj.__module__, self._importable)
            return NotImplemented
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
        return types.CellType, (), value, None, None, rebuild.cell_state

    def _class(self, obj: type) -> Any:
        reduced = classes.reduce(obj)
        if reduced is NotImplemented:
            require_importable(obj.__module__, self._importable)
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

    def _cached(self, obj: Any) -> Any:
        """A function with a cache, without it; it names itself, which in `__main__` does not load."""
        if getattr(obj, "__module__", "__main__") != "__main__" and cloud._lookup_module_and_qualname(obj):
            return self._own(obj)
        parameters = obj.cache_parameters()
        return rebuild.cached, (obj.__wrapped__, parameters["maxsize"], parameters["typed"]), dict(vars(obj))

    def _new_type(self, obj: Any) -> Any:
        if obj.__module__ != "__main__":
            return self._own(obj)
        return rebuild.new_type, (obj.__name__, obj.__supertype__), dict(vars(obj))

    def _view(self, obj: Any) -> Any:
        """`d.keys()` and the like stay views of `d`."""
        (mapping,) = gc.get_referents(obj)
        return rebuild.view, (mapping, _views[type(obj)])

    def _mapping_proxy(self, obj: Any) -> Any:
        """A read-only view stays a view; that of a class's attributes has no maker but the class."""
        (mapping,) = gc.get_referents(obj)
        if "__module__" in mapping:
            raise Refused("read-only view of a class's attributes")
        return types.MappingProxyType, (mapping,)

    def _shell(self, obj: Any) -> Any:
        return rebuild.shell, ()

    def _stand_in(self, obj: _StandIn) -> Any:
        return obj.made_by, ()


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
    _StandIn: StatePickler._stand_in,
}
