"""What cells wrote to attributes of modules and imported classes: `math.pi = 3`, `pd.DataFrame.top = f`, `del m.x`.

The targets are found in the text of the cells, which need not have run to their end; what counts is the value that a
target has at a save. Each cell is parsed once. Not found are targets that no text names: those of a `setattr` whose
attribute is computed (`unnamed` tells whose), of scripts that `%run` runs, of `exec`.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import re
import sys
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

from . import own
from .stream import Key

#: Characters of a cell that is looked at, and targets that are kept, at most.
_longest_cell, _most_targets = 100_000, 2000

#: Without any of this a cell has no target: an attribute that may be written to, or one of the words.
_written = re.compile(r"\.\s*\w+\s*(?:=(?!=)|[-+*/%&|^@<>]+=|[,):\]]|in\b)")
_words = ("attr", "del ", "__dict__", "vars", "atexit")

#: Attributes that a save and a restore handle otherwise, or that belong to the process.
_not_ours = frozenset(
    [("sys", name) for name in ("stdin", "stdout", "stderr", "path", "modules", "meta_path", "path_hooks")]
    + [("sys", name) for name in ("last_exc", "last_type", "last_value", "last_traceback", "displayhook")]
    + [("os", "environ"), ("os", "environb")]
)


class Target(NamedTuple):
    """An attribute of a module, or of what a dotted path in it leads to."""

    module: str
    path: str

    @property
    def label(self) -> str:
        """How it is called where it is missing."""
        return f"(attribute {self.module}.{self.path})"


#: In the order in which they were found.
_targets: dict[Target, None] = {}
#: Modules and classes that a `setattr` wrote to under a name that only it knew.
_unnamed: dict[str, None] = {}
_registers_exit_functions = False
#: Cells of the history that were looked at.
_read = 0


def observe(namespace: dict[str, Any], history: Any) -> None:
    """Look at the cells that have been added to `history`, a list of their texts."""
    global _read
    if not isinstance(history, list):
        return
    for text in history[_read if _read <= len(history) else 0 :]:
        if isinstance(text, str) and len(text) <= _longest_cell and _may_write(text):
            _read_text(text, namespace, 0)
    _read = len(history)
    # Those that `start()` has begun, which no text tells from others.
    mocks = getattr(sys.modules.get("unittest.mock"), "_patch", None)
    for mock in list(getattr(mocks, "_active_patches", ())):
        with contextlib.suppress(Exception):
            _note(_below(mock.target, []), mock.attribute)


def skip(history: Any) -> None:
    """These cells ran in another kernel, whose targets the checkpoint has named."""
    global _read
    _read = len(history) if isinstance(history, list) else 0


def is_known(module: str, path: str) -> bool:
    """Whether a checkpoint has this attribute."""
    return Target(module, path) in _targets


def unnamed() -> list[str]:
    """Modules and classes of which cells have set attributes that cannot be told."""
    return list(_unnamed)


def registers_exit_functions() -> bool:
    """Whether a cell has made use of `atexit`."""
    return _registers_exit_functions


def entries() -> dict[Key, Any]:
    """The present value of each target: (it is there, value)."""
    made = {}
    for target in _targets:
        holder, name = _holder(target)
        if holder is not None:
            there, value = _value(holder, name)
            # What was defined there is there anew.
            if not there or own.reference(value) != target:
                made[Key("patch", target.label)] = (tuple(target), there, value)
    return made


def put_back(value: Any) -> None:
    """Put one entry on what it belongs to, and know it from now on."""
    (module, path), there, written = value
    target = Target(module, path)
    importlib.import_module(module)
    holder, name = _holder(target)
    if there:
        setattr(holder, name, written)
    elif _value(holder, name)[0]:
        delattr(holder, name)
    _add(target)


def _holder(target: Target) -> tuple[Any, str]:
    *holders, name = target.path.split(".")
    return own.found(sys.modules.get(target.module), holders), name


def _value(holder: Any, name: str) -> tuple[bool, Any]:
    """Whether it has the attribute by itself, and its value as it was written: the function, and no method."""
    if isinstance(holder, (types.ModuleType, type)):
        return name in vars(holder), vars(holder).get(name)
    try:
        return True, getattr(holder, name)
    except AttributeError:
        return False, None


def _add(target: Target) -> None:
    if (target.module, target.path) not in _not_ours and len(_targets) < _most_targets:
        _targets[target] = None
        own.written_to.add((target.module, target.path))


def _may_write(text: str) -> bool:
    return _written.search(text) is not None or any(word in text for word in _words)


def _read_text(text: str, namespace: dict[str, Any], depth: int) -> None:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    nodes = list(ast.walk(tree))
    imports = dict(_imports(nodes))
    for node in nodes:
        for holder, name in _writes(node):
            with contextlib.suppress(Exception):
                _note(_describe(holder, imports, namespace), name)
        if depth < 2 and isinstance(node, ast.Call):
            for inner in _texts(node):
                _read_text(inner, namespace, depth + 1)


def _imports(nodes: list[ast.AST]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Names that the cell imports, in functions too: module and, if it is one, name in it."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname, (alias.name, "")) if alias.asname else (top, (top, ""))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, (node.module, alias.name)


def _writes(node: ast.AST) -> Iterator[tuple[ast.expr, str | None]]:
    """What has an attribute written or deleted, and which; None if only running it tells."""
    global _registers_exit_functions
    if isinstance(node, ast.Attribute):
        if isinstance(node.ctx, (ast.Store, ast.Del)):
            yield node.value, node.attr
        elif node.attr == "register" and isinstance(node.value, ast.Name) and node.value.id == "atexit":
            _registers_exit_functions = True
    elif isinstance(node, ast.ImportFrom) and node.module == "atexit":
        _registers_exit_functions = True
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in ("setattr", "delattr") and len(node.args) >= 2:
            yield node.args[0], _constant(node.args[1])
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
        names = node.value
        if isinstance(names, ast.Attribute) and names.attr == "__dict__":
            yield names.value, _constant(node.slice)
        elif (argument := _argument(names, "vars")) is not None:
            yield argument, _constant(node.slice)


def _argument(node: ast.expr, function: str) -> ast.expr | None:
    """The one argument of a call of this function."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
        return node.args[0] if len(node.args) == 1 else None
    return None


def _constant(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _texts(node: ast.Call) -> list[str]:
    """Python code that a call is given as text: by a cell magic (`%%time`), or `exec`."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    arguments = [_constant(argument) for argument in node.args]
    if name == "run_cell_magic" and arguments[:1] and arguments[0] in ("time", "timeit", "capture", "prun"):
        arguments = arguments[2:]
    elif name == "run_line_magic" and arguments[:1] and arguments[0] in ("time", "timeit", "prun"):
        arguments = arguments[1:]
    elif name != "exec":
        return []
    return [text for text in arguments[:1] if text and len(text) <= _longest_cell]


def _describe(node: ast.expr, imports: dict[str, tuple[str, str]], namespace: dict[str, Any]) -> Target | None:
    """The module or class, or what lies below one, that this expression names; the path is empty for a module itself.

    No code of the user's runs: of other things nothing but the class is looked at.
    """
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    argument = _argument(node, "type")
    if argument is not None:
        node, names = argument, ["__class__", *names]
    if not isinstance(node, ast.Name):
        return None
    root = namespace.get(node.id)
    if node.id in imports and not isinstance(root, (types.ModuleType, type)):
        module, name = imports[node.id]
        root = sys.modules.get(module)
        if name:
            root = own.found(root, [name])
    if names[:1] == ["__class__"]:
        root, names = type(root), names[1:]
    while names and isinstance(root, (types.ModuleType, type)):
        inner = own.found(root, names[:1])
        if not isinstance(inner, (types.ModuleType, type)):
            break
        root, names = inner, names[1:]
    return _below(root, names)


def _below(root: Any, names: list[str]) -> Target | None:
    """What these names lead to from a module, or a class that can be imported."""
    if isinstance(root, types.ModuleType):
        return Target(root.__name__, ".".join(names)) if root.__name__ != "__main__" else None
    by_name = own.reference(root) if isinstance(root, type) else None
    return Target(by_name[0], ".".join((by_name[1], *names))) if by_name else None


def _note(holder: Target | None, name: str | None) -> None:
    if holder is None:
        return
    if name is None:
        _unnamed[f"{holder.module}.{holder.path}".rstrip(".")] = None
    else:
        _add(Target(holder.module, f"{holder.path}.{name}" if holder.path else name))
