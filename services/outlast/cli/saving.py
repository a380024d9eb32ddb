"""Writing copies: each appears under its name only when it is whole, and nothing lands outside the place named.

A copy is an ordinary file of the user, whatever the original was: no owner, mode, link or time is taken over.
It is not synced: after a power cut it may be missing, as with `cp`.
"""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from .output import Trouble
from .text import file_name, one_line

#: Bytes from which on a copy shows how far it is.
_LARGE = 32 * 1024 * 1024

_CHUNK = 1024 * 1024

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Short(Exception):
    """The source had fewer bytes than it said: it was not copied."""


class Readable(Protocol):
    """A file as far as it is read from here."""

    def read(self, count: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Item:
    """A directory, or a file of `size` bytes. `parts` begins with the name of what was asked for."""

    parts: tuple[str, ...]
    size: int = 0
    content: Readable | None = None


class Destination:
    """Where the copies of `names` go: into `path` if it is a directory, as `cp` does it; else `path` is the copy."""

    def __init__(self, path: str, names: Sequence[str]) -> None:
        self._path = path
        self._allowed = frozenset(names)
        self._renamed = ""
        directory = path
        if not os.path.isdir(path):
            if len(names) > 1 or path.endswith("/"):
                raise Trouble(f"{_shown(path)} is no directory.")
            directory, self._renamed = os.path.split(path)
        try:
            self._directory = os.open(directory or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise self._refused(error) from error

    def save(self, item: Item) -> Path:
        """Make the copy, over an older file of its name; its path. Short leaves nothing, and so does Trouble."""
        parts = self._place(item)
        path = Path(self._path if self._renamed else "", *parts[1:]) if self._renamed else Path(self._path, *parts)
        directory = os.dup(self._directory)
        try:
            for name in parts if item.content is None else parts[:-1]:
                inner = _made(directory, name)
                os.close(directory)
                directory = inner
            if item.content is not None:
                with _progress(item) as advance:
                    _write(directory, parts[-1], item, advance)
        except OSError as error:
            raise self._refused(error, path) from error
        finally:
            os.close(directory)
        return path

    def close(self) -> None:
        os.close(self._directory)

    def _place(self, item: Item) -> tuple[str, ...]:
        # Checked here again, for the source may be a container that says what it likes.
        odd = any(part in ("", ".", "..") or "/" in part or "\0" in part for part in item.parts)
        if odd or not item.parts or item.parts[0] not in self._allowed:
            raise Trouble(f"{file_name('/'.join(item.parts)[:300])} was not asked for; nothing of it was written.")
        return (self._renamed or item.parts[0], *item.parts[1:])

    def _refused(self, error: OSError, path: Path | None = None) -> Trouble:
        return Trouble(f"{_shown(str(path or self._path))} cannot be written: {error.strerror}.")


def _made(directory: int, name: str) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=directory)
    return os.open(name, _DIRECTORY, dir_fd=directory)


def _write(directory: int, name: str, item: Item, advance: Callable[[int], None]) -> None:
    with suppress(FileNotFoundError):
        # A rename would replace whatever is there, /dev/null too.
        if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            raise OSError(0, "it is there already and is no regular file")
    room = os.fstatvfs(directory)
    if item.size > room.f_bavail * room.f_frsize:
        # Said before the disk is full, which others need: a file of holes may claim any size.
        raise OSError(0, f"there is not enough room for its {item.size} bytes")
    part = f".{secrets.token_hex(8)}.part"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(part, flags, 0o666, dir_fd=directory), "wb", buffering=0) as copy:
            for chunk in chunks(item):
                view = memoryview(chunk)
                while view:
                    view = view[copy.write(view) :]
                advance(len(chunk))
        os.rename(part, name, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:  # Ctrl-C as well
        with suppress(OSError):
            os.unlink(part, dir_fd=directory)
        raise


def chunks(item: Item) -> Iterator[bytes]:
    """Exactly the bytes that the item says it has, and not what is appended meanwhile; Short if there are fewer."""
    left = item.size
    while item.content is not None and left > 0:
        try:
            chunk = item.content.read(min(_CHUNK, left))
        except OSError as error:
            raise Short(error.strerror) from error
        if not chunk:
            raise Short("it shrank meanwhile")
        left -= len(chunk)
        yield chunk


@contextmanager
def _progress(item: Item) -> Iterator[Callable[[int], None]]:
    """Shows a large file's progress on a terminal."""
    if item.size < _LARGE or not sys.stderr.isatty():
        yield lambda count: None
        return
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(one_line(file_name(item.parts[-1]), 40), total=item.size)
        yield lambda count: bar.advance(task, count)


def _shown(path: str) -> str:
    return file_name(path[:300])
