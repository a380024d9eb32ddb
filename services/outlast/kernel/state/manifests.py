"""The manifests of checkpoints: each one file, whole or absent, the newest kept."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

from . import objects, points
from .objects import Damaged

FORMAT = 2

#: The manifest that the session's log can name by now: of the last checkpoint saved or restored in this process.
base = ""

#: Checkpoints that can be restored, the newest among them.
kept_checkpoints = 3
#: Manifests that are kept, those of checkpoints that cannot be restored any more for their lists of names.
_kept_manifests = 50
#: A manifest is small: names, reasons, small streams.
_most_bytes = 64 << 20

_file_name = re.compile(r"([0-9]{1,12})-([0-9a-f]{8})\.json")
_temporary = ".new"


def manifests_of(directory: str) -> Path:
    return Path(directory, "manifests")


def objects_of(directory: str) -> Path:
    return Path(directory, "objects")


def make_directories(directory: str) -> None:
    """Both, durably."""
    for path in (manifests_of(directory), objects_of(directory)):
        if not path.is_dir():
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            sync_directory(Path(directory))


def write(directory: str, cell: int, manifest: dict[str, Any]) -> str:
    """The last step of a save: once this returns, the checkpoint is durable. Its objects are synced already."""
    place = manifests_of(directory)
    text = json.dumps(manifest, ensure_ascii=True, separators=(",", ":")).encode()
    name = f"{cell}-{_seal(text, objects.ALGORITHM)}.json"
    temporary = place / f"{name}{_temporary}"
    try:
        with open(temporary, "wb", opener=_private) as file:
            file.write(text)
            file.flush()
            points.reach("manifest written")
            os.fsync(file.fileno())
        points.reach("manifest synced")
        os.rename(temporary, place / name)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    points.reach("manifest renamed")
    sync_directory(place)
    return name


def read(path: str) -> dict[str, Any]:
    """Damaged if it is no manifest; OSError if it cannot be read."""
    with objects.open_plain(path) as file:
        text = file.read(_most_bytes + 1)
    try:
        manifest = json.loads(text) if len(text) <= _most_bytes else None
    except (ValueError, RecursionError):
        manifest = None
    named = _file_name.fullmatch(os.path.basename(path))
    if not isinstance(manifest, dict) or named is None:
        raise Damaged("its manifest is damaged")
    if str(manifest.get("cell")) != named[1]:
        raise Damaged("its manifest is that of another cell")
    if _seal(text, str(manifest.get("algorithm"))) != named[2]:
        raise Damaged("its manifest is damaged (another digest than when it was written)")
    return manifest


def object_sizes(manifest: dict[str, Any]) -> dict[str, int]:
    """Its objects: name and bytes of each; Damaged."""
    sizes = manifest.get("objects")
    if not isinstance(sizes, dict) or not all(
        objects.is_name(name) and type(size) is int and size >= 0 for name, size in sizes.items()
    ):
        raise Damaged("its manifest is damaged")
    return sizes


def collect(directory: str, current: str) -> None:
    """Remove what no log can name any more; failures are left for the next time.

    Restorable stay `current`, `base` (the one before it, which a log may still name until this one is logged) and the
    newest of lower cells. One of the same or a later cell than `current` was never logged, or `current` would not be
    written.
    """
    with contextlib.suppress(OSError):
        older: list[tuple[int, int, str]] = []
        place = manifests_of(directory)
        for entry in os.scandir(place):
            named = _file_name.fullmatch(entry.name)
            if entry.name in (current, base) or not (named or entry.name.endswith(_temporary)):
                continue
            if named and int(named[1]) < int(current.partition("-")[0]):
                older.append((int(named[1]), entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
            else:
                _remove(place / entry.name)
        newest_first = [name for _, _, name in sorted(older, reverse=True)]
        for name in newest_first[_kept_manifests:]:
            _remove(place / name)
        restorable = list(dict.fromkeys([current, *([base] if base else []), *newest_first]))[:kept_checkpoints]
        if objects.are_any(objects_of(directory)):
            objects.collect(objects_of(directory), _objects_named_by(place, restorable))


def sync_directory(path: Path) -> None:
    """Make the names in it durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _seal(text: bytes, algorithm: str) -> str:
    """What a manifest's name says of its content: enough against accidents, not against malice."""
    digest = objects.digester(algorithm)
    digest.update(text)
    return str(digest.hexdigest())[:8]


def _objects_named_by(place: Path, names: list[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        with contextlib.suppress(OSError, Damaged):
            found.update(object_sizes(read(str(place / name))))
    return found


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
