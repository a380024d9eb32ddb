"""Checks a backup against its manifest, and puts it in the place of what is on the volumes.

A backup is put back while Redis and workers are stopped. It is copied beside what is there, into `.restoring`, and
compared with the manifest as it comes; until all of it is there nothing has changed. Then, on each volume:

1. what is there goes to `.replacing`, which becomes `.replaced` once that is all;
2. what is in `.restoring` takes its place;
3. when both volumes are so far, the `.replaced` of Redis's takes the place of the empty `.restoring`: from that moment
   on the backup is what is there.

So whatever cuts a restore off before that moment, `undo` finds what was there before; and as long as Redis's volume has
one of the two, Redis does not start (`keeper.directory`), for the two volumes may not belong together.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from ..errors import BackupError
from . import manifest, shelf, tree
from .making import ASIDE, GOING, GONE, NEW, SETTINGS, Places, make_like, settings_text
from .manifest import Entry, Manifest
from .shelf import REDIS, WORKSPACES
from .tree import DEEPEST

#: Differences that a message names.
_NAMED = 3


def check(places: Places, name: str) -> Manifest:
    """The manifest of a backup that is what was made, to the byte; else BackupError."""
    backup = shelf.find(places.backups, name)
    made = manifest.read(backup)
    found = tree.look(backup, deepest=DEEPEST + 2)  # Two levels above a session.
    ours = ("", SETTINGS, manifest.FILE)
    there = [entry for entry in found.entries if entry.path not in ours]
    _demand(name, made.by_path(), there, [*found.left_out, *_other_settings(backup, made)])
    return made


def _other_settings(backup: Path, made: Manifest) -> list[str]:
    try:
        there = (backup / SETTINGS).read_bytes()
    except FileNotFoundError:
        return [f"{SETTINGS} is missing"]
    return [] if there == settings_text(made.settings).encode() else [f"{SETTINGS} has another content"]


def put(places: Places, name: str) -> Manifest:
    """Make the volumes what they were when the backup was made; BackupError or OSError, and nothing has changed."""
    backup = shelf.find(places.backups, name)
    made = manifest.read(backup)
    roots = made.by_path()
    volumes = {REDIS: places.redis, WORKSPACES: places.workspaces}
    undo(places)
    try:
        for top, volume in volumes.items():
            _bring(made, top, backup / top, volume / NEW)
        os.sync()
        for volume in volumes.values():
            _set_aside(volume)
        for top, volume in volumes.items():
            _take_over(volume, roots[top])
        os.sync()
        (places.redis / GONE).rename(places.redis / NEW)
        shelf.sync(places.redis)
    except BaseException:
        undo(places)
        raise
    with suppress(BackupError):  # It is only in the way of the next restore, which begins with it.
        _clear_away(places)
    return made


def undo(places: Places) -> None:
    """Take back a restore that was cut off, if one was. BackupError or OSError, and it can be tried again."""
    half = any((places.redis / name).exists() for name in (GOING, GONE))
    if not os.access(places.redis, os.W_OK):  # `make backup` of what stands still.
        if half:
            raise BackupError("a restore was cut off before its end; make restore FROM=… of any backup mends that")
        return
    if half:
        for volume in (places.workspaces, places.redis):
            _take_back(volume)
    _clear_away(places)


def clear(places: Places) -> None:
    """Make the volumes empty, as they were where there was nothing before a restore."""
    for volume in (places.redis, places.workspaces):
        shelf.remove(*(volume / name for name in os.listdir(volume)))


def is_empty(places: Places) -> bool:
    """Whether there is nothing on the volumes that could be lost; the keeper's lock is nothing."""
    return {*os.listdir(places.redis)} - ASIDE <= {".lock"} and {*os.listdir(places.workspaces)} <= ASIDE


def _bring(made: Manifest, top: str, source: Path, target: Path) -> None:
    """Copy what belongs on one volume, with the times that it had. BackupError unless it is all there, to the byte."""
    below = f"{top}/"
    expected = {path: entry for path, entry in made.by_path().items() if f"{path}/".startswith(below)}
    times = {path.removeprefix(below): entry.mtime for path, entry in expected.items() if entry.kind == "file"}
    copied = tree.copy(source, target, deepest=DEEPEST + 1, times=times)  # One level above a session.
    found = [replace(entry, path=f"{below}{entry.path}".rstrip("/")) for entry in copied.entries]
    _demand(made.name, expected, found, copied.left_out)


def _set_aside(volume: Path) -> None:
    going = volume / GOING
    make_like(volume, going)
    shelf.sync(volume)
    for name in {*os.listdir(volume)} - ASIDE:
        (volume / name).rename(going / name)
    going.rename(volume / GONE)
    shelf.sync(volume)


def _take_over(volume: Path, root: Entry) -> None:
    for name in os.listdir(volume / NEW):
        (volume / NEW / name).rename(volume / name)
    os.chown(volume, root.uid, root.gid)
    volume.chmod(root.mode)


def _take_back(volume: Path) -> None:
    """Undo `_set_aside` and `_take_over`, however far they came; and can itself be cut off."""
    going, gone = volume / GOING, volume / GONE
    if gone.exists():
        shelf.remove(*(volume / name for name in {*os.listdir(volume)} - ASIDE))
        was = gone.stat()
        os.chown(volume, was.st_uid, was.st_gid)
        volume.chmod(was.st_mode & 0o7777)
        gone.rename(going)
        shelf.sync(volume)
    if going.exists():
        for name in os.listdir(going):
            (going / name).rename(volume / name)
        shelf.sync(volume)
        going.rmdir()
        shelf.sync(volume)


def _clear_away(places: Places) -> None:
    """Remove what a restore had beside what is there now."""
    shelf.remove(*(volume / name for volume in (places.redis, places.workspaces) for name in ASIDE))


def _demand(name: str, expected: Mapping[str, Entry], found: Iterable[Entry], left_out: Iterable[str]) -> None:
    """BackupError, with the first differences, unless what was found is what the manifest says."""
    there = {entry.path: entry for entry in found}
    wrong = [f"{path} is missing" for path in expected.keys() - there.keys()]
    wrong += [f"{path} is not in its manifest" for path in there.keys() - expected.keys()]
    wrong += [
        f"{path} has {_difference(expected[path].content(), there[path].content())}"
        for path in expected.keys() & there.keys()
        if expected[path].content() != there[path].content()
    ]
    wrong += [f"{said}" for said in left_out]
    if wrong:
        more = f", and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise BackupError(
            f"the backup {name} is damaged: {', '.join(sorted(wrong)[:_NAMED])}{more}; take another, or copy this one "
            "anew from where it was kept, as root and with its owners (cp -a, rsync -aH, tar)"
        )


def _difference(expected: Entry, found: Entry) -> str:
    if (expected.digest, expected.size, expected.target, expected.kind) != (
        found.digest, found.size, found.target, found.kind,
    ):  # fmt: skip
        return "another content"
    if (expected.uid, expected.gid) != (found.uid, found.gid):
        return "another owner"
    return "another mode"
