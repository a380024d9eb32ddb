"""Makes one backup; the theory is in the package's docstring."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import redis

from .. import __version__
from ..errors import BackupError
from ..log.redis_log import ends
from . import append_only, manifest, shelf, tree
from .manifest import Entry, Manifest
from .shelf import PART, REDIS, WORKSPACES
from .standstill import standstill
from .tree import Before, Copied

#: The workspaces are copied again before cells are held up while a pass takes longer than so many seconds, so that the
#: pass that they wait for is short; not more often than that.
QUICK_SECONDS, PASSES = 5.0, 3

SETTINGS = "settings.env"

#: On a volume while a restore is under way (`restoring`), and no part of what is there.
NEW, GOING, GONE = ".restoring", ".replacing", ".replaced"
ASIDE = frozenset({NEW, GOING, GONE})


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are in the container: Redis's data, the workspaces, the backups."""

    redis: Path
    workspaces: Path
    backups: Path


@dataclass(frozen=True, slots=True)
class Made:
    """A finished backup; `held` is the seconds for which no cell could start, `removed` the older ones that went."""

    manifest: Manifest
    seconds: float
    held: float
    removed: tuple[str, ...]


def make(
    places: Places, connection: redis.Redis | None, settings: Mapping[str, str], keep: int | None = None
) -> Made:
    """Copy everything; without a connection Redis and workers are known to stand still. BackupError, OSError.

    Then the oldest go, if there are more than `keep`. Whatever goes wrong before that, there is no backup of that name,
    and the others stay.
    """
    with shelf.taken(places.backups):
        shelf.remove(*shelf.unfinished(places.backups))
        began, now = time.monotonic(), time.time()
        name = shelf.name_of(now)
        part = places.backups / f"{name}{PART}"
        part.mkdir()
        # Its settings are for whoever made the directory of the backups; the rest is closed to all but root.
        part.chmod(0o711)
        try:
            copying = _Copying(places, part, _newest(places.backups))
            held = copying.at_rest() if connection is None else copying.while_jobs_run(connection, name)
            os.sync()
            made = Manifest(name, now, __version__, copying.sessions, settings=dict(settings))
            made = replace(made, entries=tuple(copying.entries()), left_out=tuple(copying.left_out()))
            _write_settings(part, settings)
            manifest.write(part, made)
            part.rename(places.backups / name)
            shelf.sync(places.backups)
        except BaseException:
            shelf.remove(part)
            raise
        seconds = time.monotonic() - began
        old = [] if keep is None else shelf.too_many(shelf.names(places.backups), keep, now)
        shelf.remove(*(places.backups / it for it in old))
        return Made(made, seconds, held, tuple(old))


def _newest(backups: Path) -> dict[str, Before]:
    """Session → its copy in the newest backup that can be read, to link to."""
    for name in reversed(shelf.names(backups)):
        try:
            entries = manifest.read(backups / name).entries
        except BackupError:  # It is told by who wants it back.
            continue
        sessions: dict[str, dict[str, Entry]] = {}
        for entry in entries:
            top, _, below = entry.path.partition("/")
            session, _, path = below.partition("/")
            if top == WORKSPACES and session:
                sessions.setdefault(session, {})[path] = replace(entry, path=path)
        return {session: Before(backups / name / WORKSPACES / session, found) for session, found in sessions.items()}
    return {}


def _write_settings(part: Path, settings: Mapping[str, str]) -> None:
    """For the operator, as the lines of an .env; they are in the manifest too."""
    with (part / SETTINGS).open("x", encoding="utf-8") as file:
        file.write(settings_text(settings))
        os.fchmod(file.fileno(), 0o644)


def settings_text(settings: Mapping[str, str]) -> str:
    """What is in a backup's settings.env."""
    return "".join(f"{name}={_quoted(value)}\n" for name, value in sorted(settings.items()))


def _quoted(value: str) -> str:
    plain = not value or (value.isprintable() and not set(value) & set(" #'\"\\$"))
    return value if plain else "'" + value.replace("'", "\\'") + "'"


class _Copying:
    """The files of one backup, on their way into `part`."""

    def __init__(self, places: Places, part: Path, newest: Mapping[str, Before]) -> None:
        self._places, self._part = places, part
        self._passes = 0
        self._synced = 0
        #: Session → where its copy is, and what is in it.
        self._copies: dict[str, tuple[Path, Copied]] = {}
        self._newest = newest
        self._redis = Copied()
        self._others: list[Entry] = []

    @property
    def sessions(self) -> int:
        return len(self._copies)

    def at_rest(self) -> float:
        """Copy all once, for nothing changes meanwhile; of Redis's files every byte, whatever is wrong with them."""
        self._synced = tree.sync()
        self._pass(self._listed())
        data = self._part / REDIS
        copied = tree.copy(self._places.redis, data)
        shelf.remove(*(data / name for name in ASIDE))
        self._redis = Copied([it for it in copied.entries if it.path.split("/")[0] not in ASIDE], copied.left_out)
        self._finish()
        return 0.0

    def while_jobs_run(self, connection: redis.Redis, name: str) -> float:
        """The passes of the package's docstring; the seconds for which no cell could start."""
        seen: dict[str, str] = {}
        for _ in range(PASSES):
            self._synced, began = tree.sync(), time.monotonic()
            seen = self._pass_over_changed(connection, seen)
            if time.monotonic() - began < QUICK_SECONDS:
                break
        with ExitStack() as held:
            with standstill(connection, name) as still:
                files = held.enter_context(append_only.opened(self._places.redis))
                self._pass_over_changed(connection, seen, still.demand)
                still.demand()
            data = self._part / REDIS
            make_like(self._places.redis, data)
            append_only.copy(files, data)
            self._redis = tree.look(data)
            self._finish()
            return still.seconds

    def _pass_over_changed(
        self, connection: redis.Redis, seen: Mapping[str, str], go_on: Callable[[], None] = lambda: None
    ) -> dict[str, str]:
        """Copy the sessions whose log has moved since `seen`; where each ended before that."""
        listed = self._listed()
        now = ends(connection, listed)
        moved = [session for session in listed if session not in self._copies or now[session] != seen.get(session)]
        self._pass(moved, go_on)
        return now

    def _listed(self) -> list[str]:
        """The workspaces that there are, those whose log was deleted too."""
        found = [it.name for it in os.scandir(self._places.workspaces) if it.is_dir(follow_symlinks=False)]
        return sorted({*found} - ASIDE)

    def _pass(self, sessions: list[str], go_on: Callable[[], None] = lambda: None) -> None:
        """Copy these, each linked to its copy of the pass before, or of the backup before; `go_on` may end it."""
        self._passes += 1
        place = self._part / f"pass-{self._passes}"
        place.mkdir(mode=0o700)
        for session in sessions:
            go_on()
            try:
                source, before = self._places.workspaces / session, self._earlier(session)
                copied = tree.copy(source, place / session, before, synced=self._synced)
            except FileNotFoundError:
                if (self._places.workspaces / session).exists():
                    raise
                continue  # An administrator has just removed it.
            self._copies[session] = place / session, copied

    def _earlier(self, session: str) -> Before:
        if session in self._copies:
            place, copied = self._copies[session]
            return Before(place, {entry.path: entry for entry in copied.entries})
        return self._newest.get(session, Before())

    def _finish(self) -> None:
        """Put everything where it belongs."""
        workspaces = self._part / WORKSPACES
        make_like(self._places.workspaces, workspaces)
        for session, (place, _) in self._copies.items():
            place.rename(workspaces / session)
        shelf.remove(*self._part.glob("pass-*"))
        self._others = _below(REDIS, self._redis.entries) + _below(WORKSPACES, [tree.root(workspaces)])

    def entries(self) -> list[Entry]:
        """All that is in the backup but its manifest and the settings."""
        found = list(self._others)
        for session in sorted(self._copies):
            found += _below(f"{WORKSPACES}/{session}", self._copies[session][1].entries)
        return found

    def left_out(self) -> list[str]:
        trees = [(REDIS, self._redis), *((session, copied) for session, (_, copied) in sorted(self._copies.items()))]
        return [f"{top}/{said}" for top, copied in trees for said in copied.left_out]


def make_like(volume: Path, directory: Path) -> None:
    """Make a directory with the owner and the mode of another."""
    info = volume.stat()
    directory.mkdir()
    os.chown(directory, info.st_uid, info.st_gid)
    directory.chmod(info.st_mode & 0o7777)


def _below(top: str, entries: list[Entry]) -> list[Entry]:
    return [replace(entry, path=f"{top}/{entry.path}".rstrip("/")) for entry in entries]
