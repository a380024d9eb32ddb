"""A save and a restore from end to end; `__init__` keeps their exceptions from the caller."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import ambient, files, stream
from .names import current_shell, user_names
from .refusal import Unusable
from .stream import Key

FORMAT = 1

#: Their pickles may not load, or load as something else, in another version.
_versioned = ("numpy", "pandas", "pyarrow", "matplotlib")

#: The checkpoint that the session's log can name by now: the last one saved or restored in this process.
_base: Path | None = None
#: What the save before could not pickle.
_suspects: list[Key] = []


class Mismatch(Unusable):
    """The checkpoint was made by another Python, library or format; the text says which."""


def write(
    namespace: dict[str, Any], directory: str, cell: int, missing: dict[str, str], commit: Callable[[], None]
) -> str:
    """The manifest's path relative to `directory`; fills `missing`. Raises whatever prevents a checkpoint.

    `commit` is called before the last step, and may raise.
    """
    global _base, _suspects
    shell = current_shell(namespace)
    place = ambient.place()
    entries = {Key("name", name): namespace[name] for name in user_names(namespace)}
    entries.update(ambient.surroundings(namespace, shell))
    with files.new_checkpoint(directory, cell) as checkpoint:
        state = files.StateFile(files.temporary_state(checkpoint))
        try:
            sizes, failed = stream.write(state, namespace, place, entries, _suspects)
            missing.update((key.label, why) for key, why in failed.items())
            state.sync()
        finally:
            state.close()
        commit()
        files.write_manifest(
            checkpoint,
            {
                "format": FORMAT,
                "cell": cell,
                "python": platform.python_version(),
                "libraries": _libraries(),
                "state": {
                    "file": files.STATE,
                    "bytes": state.size,
                    "algorithm": state.algorithm,
                    "digest": state.digest,
                },
                "saved": {
                    key.name: {"type": _type_name(entries[key]), "bytes": size}
                    for key, size in sizes.items()
                    if key.kind == "name"
                },
                "missing": missing,
            },
        )
    _suspects = list(failed)
    files.collect(directory, checkpoint, _base)
    _base = checkpoint.resolve()
    return f"{checkpoint.name}/{files.MANIFEST}"


def read(namespace: dict[str, Any], manifest_path: str, commit: Callable[[], None]) -> tuple[list[str], dict[str, str]]:
    """The names restored, in the order of the manifest, and those missing. Raises, with nothing changed.

    `commit` is called once all is loaded, and may raise.
    """
    global _base
    manifest = files.read_manifest(manifest_path)
    _require_same_versions(manifest)
    recorded, expected = manifest.get("missing"), manifest.get("state")
    if not isinstance(recorded, dict) or not isinstance(expected, dict):
        raise files.Damaged("its manifest is damaged")
    missing = {str(name): str(why) for name, why in recorded.items()}
    with files.open_state(manifest_path, expected) as file:
        loaded = stream.read(file, namespace, lambda place: ambient.enter(place, missing), commit)
    ambient.surround(namespace, current_shell(namespace), loaded, missing)
    _base = Path(manifest_path).resolve().parent
    return [key.name for key in loaded if key.kind == "name"], missing


def _libraries() -> dict[str, str]:
    """Versions of what pickles depend on, as far as it is loaded."""
    return {name: _version(name) for name in ("cloudpickle", *(name for name in _versioned if name in sys.modules))}


_versions: dict[str, str] = {}


def _version(name: str) -> str:
    if name not in _versions:
        try:
            _versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            _versions[name] = ""
    return _versions[name]


def _require_same_versions(manifest: dict[str, Any]) -> None:
    """Mismatch if this process is not fit to load the state."""
    if manifest.get("format") != FORMAT:
        raise Mismatch(f"its format is {manifest.get('format')!s:.20}, and only {FORMAT} can be read here")
    here, there = platform.python_version(), str(manifest.get("python"))
    if here.split(".")[:2] != there.split(".")[:2]:
        raise Mismatch(f"it was made with Python {there:.20}, and this is {here}")
    libraries = manifest.get("libraries")
    if not isinstance(libraries, dict):
        raise files.Damaged("its manifest is damaged")
    for name, version in libraries.items():
        if _version(name) != version:
            raise Mismatch(f"it was made with {name} {version:.20}, and here is {_version(name) or 'none'}")


def _type_name(value: Any) -> str:
    """Module and name of the class, for people; "" where a class hides them."""
    try:
        kind = type(value)
        module = kind.__module__
        return kind.__qualname__[:200] if module == "builtins" else f"{module}.{kind.__qualname__}"[:200]
    except Exception:
        return ""
