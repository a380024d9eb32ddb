"""The directory with all backups: which there are, which are too many, and one hand at a time.

    20261123T041122.250Z/         a backup; its name is the time of it
    20261123T041122.250Z.part/    one that is being made, or was never finished: it is no backup
    .lock                         held by who makes, checks or puts back one
    .failed                       why the service `backup` could not make the last one; gone once it can
"""

from __future__ import annotations

import calendar
import fcntl
import os
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import BackupError
from . import manifest

PART = ".part"
FAILED = ".failed"
REDIS, WORKSPACES = "redis", "workspaces"

_NAME = re.compile(r"\d{8}T\d{6}\.\d{3}Z")


def name_of(seconds: float) -> str:
    """Of a backup made then (since 1970); the names' order is that of their times."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"


def seconds_of(name: str) -> float:
    """When a backup of this name was made, since 1970."""
    return calendar.timegm(time.strptime(name[:15], "%Y%m%dT%H%M%S")) + int(name[16:19]) / 1000


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def names(place: Path) -> list[str]:
    """The finished backups, oldest first."""
    return sorted(it.name for it in place.iterdir() if is_name(it.name) and (it / manifest.FILE).is_file())


def too_many(found: Sequence[str], keep: int, now: float) -> list[str]:
    """Those that are not among the newest `keep`.

    Those from the future, made while the clock was ahead, do not count until it has come: they would outlive all
    others, and each new backup would be the oldest.
    """
    return sorted(name for name in found if seconds_of(name) <= now)[:-keep]


def unfinished(place: Path) -> list[Path]:
    """What backups that died have left behind; whatever else is called so is somebody else's."""
    return [path for path in place.glob(f"*{PART}") if is_name(path.name.removesuffix(PART))]


def find(place: Path, name: str) -> Path:
    """The backup of this name; BackupError, with those that there are."""
    found = names(place)
    if name not in found:
        there = f"there are {', '.join(found[-5:])}" if found else "there is none"
        raise BackupError(f"there is no backup {name}: {there}")
    return place / name


@contextmanager
def taken(place: Path) -> Iterator[None]:
    """BackupError if another process makes, checks or puts back a backup just now."""
    descriptor = os.open(place / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError("another backup or restore is under way; try again when it is done") from None
        yield
    finally:
        os.close(descriptor)


def remove(*paths: Path) -> None:
    """Remove trees, however deep; BackupError if something stays."""
    for path in paths:
        # What was read before it was finished, or loses its manifest first, is no backup any more.
        with suppress(FileNotFoundError, NotADirectoryError):
            (path / manifest.FILE).unlink()
        done = subprocess.run(["/bin/rm", "-rf", "--", path], capture_output=True, text=True, check=False)
        if done.returncode:
            raise BackupError(f"{path} cannot be removed: {done.stderr.strip().splitlines()[-1]}")


def sync(directory: Path) -> None:
    """Make renames in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
