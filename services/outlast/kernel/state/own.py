"""What is the user's own: modules from the user's files, and whatever was made in cells or in those modules."""

from __future__ import annotations

import functools
import os
import sys
import types
from typing import Any

from . import baseline

_here = os.path.dirname(os.path.abspath(__file__))
#: Where Python, its packages and Outlast lie.
_roots = tuple(
    {
        directory.rstrip(os.sep) + os.sep
        for given in (
            sys.prefix,
            sys.base_prefix,
            sys.exec_prefix,
            os.path.dirname(os.__file__),
            os.path.dirname(_here),
        )
        for directory in (os.path.abspath(given), os.path.realpath(given))
        if directory != os.sep
    }
)
_packages = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

#: Modules that were looked at, by their names, and whether they are the user's.
_looked_at: dict[str, tuple[Any, bool]] = {}


def modules() -> dict[str, types.ModuleType]:
    """Modules that cells have imported from the user's files, by their names."""
    found = {}
    # There are thousands, at each save.
    for name, module in list(sys.modules.items()):
        known = _looked_at.get(name)
        if known is None or known[0] is not module:
            known = _looked_at[name] = module, _is_from_own_file(name, module)
        if known[1]:
            found[name] = module
    return found


#: Attributes that cells wrote to: module and path. Kept by `patches`.
written_to: set[tuple[str, str]] = set()


def was_replaced(obj: Any, module: str, path: str) -> bool:
    """Whether a cell has put another thing in the place where an import finds this one: a restore finds it there."""
    return (module, path) in written_to and found(sys.modules.get(module), path.split(".")) is not obj


def is_module(name: str) -> bool:
    """Whether the module of this name is among them."""
    module = sys.modules.get(name)
    known = _looked_at.get(name)
    return known[1] if known is not None and known[0] is module else _is_from_own_file(name, module)


def _is_from_own_file(name: str, module: Any) -> bool:
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None)
    if name in baseline.modules or name == "__main__" or not isinstance(module, types.ModuleType):
        return False
    if not isinstance(origin, str) or not getattr(spec, "has_location", False) or _is_of_a_library(origin):
        return False
    return not _is_of_a_library(os.path.realpath(origin))


def _is_of_a_library(path: str) -> bool:
    return path.startswith(_roots) or any(part in path for part in _packages)


def made(obj: Any) -> bool:
    """Whether this function, method or instance is the user's: its code, or that of its class."""
    for _ in range(10):
        if isinstance(obj, functools.partial):
            obj = obj.func
        elif isinstance(obj, types.MethodType):
            obj = obj.__self__ if not isinstance(obj.__self__, type) else obj.__func__
        else:
            break
    module = getattr(obj, "__module__", None) or getattr(type(obj), "__module__", None)
    return isinstance(module, str) and (module == "__main__" or is_module(module))


_named = (type, types.FunctionType, types.BuiltinFunctionType, type(functools.lru_cache(len)))


def reference(obj: Any) -> tuple[str, str] | None:
    """Module and qualified name by which an import gives this very function or class; None if none does."""
    if not isinstance(obj, _named):
        return None
    module, name = getattr(obj, "__module__", None), getattr(obj, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    return (module, name) if found(sys.modules.get(module), name.split(".")) is obj else None


_nothing = object()


def found(holder: Any, names: list[str]) -> Any:
    """What these attributes lead to, one after the other; None if to nothing. No code runs but that of properties."""
    for name in names:
        at = holder
        if isinstance(holder, types.ModuleType):
            holder = vars(holder).get(name, _nothing)
        elif isinstance(holder, type):
            holder = next((vars(base)[name] for base in holder.__mro__ if name in vars(base)), _nothing)
        else:
            holder = getattr(holder, name, _nothing)
        if holder is _nothing:
            return sys.modules.get(f"{at.__name__}.{name}") if isinstance(at, types.ModuleType) else None
    return holder
