"""The state of the user's own modules: what a module has besides what importing it anew gives.

That is the values of its attributes and of its classes' attributes; of its functions the defaults, attributes and
closures that can change. Which of them have changed cannot be told, so all are entries: plain values and names of
imported things together, one entry a module, and each other value by itself, so that it is shared with variables and
is missing by itself. A restore imports the module and puts the values on.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import linecache
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

from . import own
from .stream import Key

_atoms = (str, bytes, int, float, complex, bool, type(None))
#: Longer ones are entries of their own.
_short = 4096

#: Files of modules when they were first seen: the specification they were imported by, time of change and size.
_files: dict[str, tuple[Any, tuple[int, int] | None]] = {}


def observe() -> None:
    """Note how the files of modules are that were imported since the last time."""
    for name, module in own.modules().items():
        if name not in _files or _files[name][0] is not module.__spec__:
            _files[name] = module.__spec__, _stamp(module)


def changed_files() -> dict[str, str]:
    """Modules whose code is not what a new kernel would import, and why."""
    reasons = {}
    for name, module in own.modules().items():
        now = _stamp(module)
        if now is None:
            reasons[f"(module {name})"] = "its file is gone"
        elif name in _files and _files[name] != (module.__spec__, now):
            reasons[f"(module {name})"] = "its file was changed after it was imported; the changed code comes back"
    return reasons


def _stamp(module: types.ModuleType) -> tuple[int, int] | None:
    with contextlib.suppress(OSError, TypeError, AttributeError):
        status = os.stat(module.__spec__.origin)  # type: ignore[union-attr, arg-type]  # a module without a file raises one of the errors above
        return status.st_mtime_ns, status.st_size
    return None


#: What a module's text imports by name from libraries: the module's specification, and attribute: (module, name).
_imports: dict[str, tuple[Any, dict[str, tuple[str, str]]]] = {}


def _imported(name: str, module: types.ModuleType) -> dict[str, tuple[str, str]]:
    """Things of libraries that the module has by name, some of which must not be copied: `from os import environ`."""
    if name not in _imports or _imports[name][0] is not module.__spec__:
        found: dict[str, tuple[str, str]] = {}
        with contextlib.suppress(SyntaxError, ValueError, RecursionError):
            tree = ast.parse("".join(linecache.getlines(str(getattr(module, "__file__", "")))))
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [(alias.asname or alias.name, alias.name) for alias in node.names if alias.name != "*"]
                    if len(names) < len(node.names):
                        names += [(each, each) for each in vars(sys.modules.get(node.module, types))]
                    found.update((here, (node.module, there)) for here, there in names)
        _imports[name] = module.__spec__, found
    return _imports[name][1]


def _reference(name: str, module: types.ModuleType, path: str, value: Any) -> tuple[str, str] | None:
    by_name = own.reference(value)
    if by_name is None and path in _imported(name, module):
        library, there = _imported(name, module)[path]
        if not own.is_module(library) and vars(sys.modules.get(library, types)).get(there) is value:
            return library, there
    return by_name


def entries() -> dict[Key, Any]:
    """The state of all modules."""
    made: dict[Key, Any] = {}
    for name, module in own.modules().items():
        if _stamp(module) is None:  # It could not be put back, and is in `changed_files`.
            continue
        plain: dict[str, Any] = {}
        references: dict[str, tuple[str, str]] = {}
        for path, value in _attributes(name, module):
            by_name = _reference(name, module, path, value)
            if by_name is not None:
                if by_name != (name, path):
                    references[path] = by_name
            elif type(value) in _atoms and (not isinstance(value, (str, bytes)) or len(value) <= _short):
                plain[path] = value
            else:
                made[Key("module attribute", f"(module {name}: {path})")] = value
        for path, function in _functions(name, module):
            state = _function_state(function)
            if state:
                made[Key("module function", f"(module {name}: {path}())")] = state
        if plain or references:
            made[Key("module", f"(module {name})")] = plain, references
    return made


def put_back(key: Key, value: Any) -> None:
    """Put one entry on its module, which is imported for it."""
    name, _, path = key.name.removeprefix("(module ").removesuffix(")").partition(": ")
    module = importlib.import_module(name)
    if key.kind == "module attribute":
        _set(module, path, value)
    elif key.kind == "module function":
        _set_function_state(own.found(module, path.removesuffix("()").split(".")), value)
    else:
        plain, references = value
        for path, atom in plain.items():
            _set(module, path, atom)
        for path, (module_name, qualified) in references.items():
            found = own.found(importlib.import_module(module_name), qualified.split("."))
            if found is not None:
                _set(module, path, found)


def _set(module: types.ModuleType, path: str, value: Any) -> None:
    *holders, name = path.split(".")
    holder = own.found(module, holders)
    if isinstance(holder, type):
        if vars(holder).get(name) is not value:
            type.__setattr__(holder, name, value)
    else:
        vars(holder)[name] = value


def _is_special(name: Any) -> bool:
    return not isinstance(name, str) or (name.startswith("__") and name.endswith("__")) or "." in name


def _classes(name: str, module: types.ModuleType) -> Iterator[tuple[str, type]]:
    """The module's classes, those within them too, whose metaclass does nothing with attributes."""
    waiting = [(path, value) for path, value in list(vars(module).items()) if not _is_special(path)]
    while waiting:
        path, value = waiting.pop()
        if not isinstance(value, type) or own.reference(value) != (name, path):
            continue
        if type(value).__setattr__ is type.__setattr__:
            yield path, value
            waiting += [(f"{path}.{inner}", part) for inner, part in vars(value).items() if not _is_special(inner)]


def _attributes(name: str, module: types.ModuleType) -> Iterator[tuple[str, Any]]:
    for attribute, value in list(vars(module).items()):
        if not _is_special(attribute) and not isinstance(value, types.ModuleType):
            yield attribute, value
    for path, kind in _classes(name, module):
        for attribute, value in list(vars(kind).items()):
            # Methods, properties and slots come with the class.
            if not (_is_special(attribute) or attribute.startswith("_abc_") or hasattr(type(value), "__get__")):
                yield f"{path}.{attribute}", value


def _functions(name: str, module: types.ModuleType) -> Iterator[tuple[str, types.FunctionType]]:
    holders = [("", module), *((f"{path}.", kind) for path, kind in _classes(name, module))]
    for prefix, holder in holders:
        for attribute, value in list(vars(holder).items()):
            if isinstance(value, types.FunctionType) and own.reference(value) == (name, prefix + str(attribute)):
                yield prefix + attribute, value


def _function_state(function: types.FunctionType) -> dict[str, Any]:
    """What of a function can change, if anything: beside plain values and code."""
    state: dict[str, Any] = {}
    if any(type(value) not in _atoms for value in function.__defaults__ or ()):
        state["defaults"] = function.__defaults__
    if any(type(value) not in _atoms for value in (function.__kwdefaults__ or {}).values()):
        state["keyword defaults"] = function.__kwdefaults__
    attributes = {name: value for name, value in vars(function).items() if _is_data(value)}
    if attributes:
        state["attributes"] = attributes
    closure = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # It is empty.
            if _is_data(cell.cell_contents):
                closure[name] = cell.cell_contents
    if closure:
        state["closure"] = closure
    return state


def _is_data(value: Any) -> bool:
    return not isinstance(value, (type, types.ModuleType, types.MappingProxyType)) and not hasattr(
        type(value), "__get__"
    )


def _set_function_state(function: Any, state: dict[str, Any]) -> None:
    if "defaults" in state:
        function.__defaults__ = state["defaults"]
    if "keyword defaults" in state:
        function.__kwdefaults__ = state["keyword defaults"]
    vars(function).update(state.get("attributes", {}))
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    for name, value in state.get("closure", {}).items():
        cells[name].cell_contents = value
