"""A session's files, read without trust: its code chose every name in there, and may change any of them meanwhile.

A directory is opened one component at a time, each relative to the one before it and never through a link: so no
link, `..` or absolute path leads out, also if a directory is replaced while it is read. Only regular files are
opened, for a device may act when it is, and a FIFO would make its reader wait for ever.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import BinaryIO, TypeVar

from ..kernel.sandbox.identity import Identity, acting_as
from ..kernel.workspace import owner
from .output import Trouble
from .text import file_name, one_line

#: Directories below each other that are looked into; each costs two descriptors.
DEEPEST = 100

T = TypeVar("T")

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_KINDS = (
    (stat.S_ISREG, "file"), (stat.S_ISDIR, "directory"), (stat.S_ISLNK, "link"), (stat.S_ISFIFO, "fifo"),
    (stat.S_ISSOCK, "socket"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies at a place. `changed` is in seconds since 1970; `link` is where a link points, unread and untrusted;
    `error` says why nothing below a directory is told. `directory` is open until the walk goes on."""

    parts: tuple[str, ...]
    kind: str
    size: int
    changed: float
    directory: int
    link: str = ""
    error: str = ""


def enter(directory: int, name: str) -> int:
    """A descriptor of the directory `name` in another; OSError, also if it is a link."""
    return os.open(name, _DIRECTORY, dir_fd=directory)


def enter_workspace(workspaces: str, session: str) -> int | None:
    """A descriptor of the session's workspace, None if there is none on this machine."""
    if not session or "/" in session or session.startswith("."):
        return None
    try:
        parent = os.open(workspaces, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return enter(parent, session)
        finally:
            os.close(parent)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Trouble(f"{one_line(f'{workspaces}/{session}', 300)} cannot be read: {error.strerror}.") from error


def identity_of(workspace: int) -> Identity | None:
    """The session's user, for `acting_as`, where sessions have users of their own and this process may be one."""
    return owner(os.fstat(workspace))


def each_as(identity: Identity | None, items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same items, each found with that user's rights; what is done with them in between is done with one's own."""
    while True:
        with acting_as(identity):
            item = next(items, None)
        if item is None:
            return
        yield item


@contextmanager
def found(top: int, parts: tuple[str, ...], shown: str) -> Iterator[Entry]:
    """What lies below `top`; Trouble, which names it as `shown`, if nothing does or the way leads through a link."""
    directory = os.dup(top)
    try:
        try:
            for name in parts[:-1]:
                inner = enter(directory, name)
                os.close(directory)
                directory = inner
            # With no parts, the directory itself.
            entry = replace(look(directory, parts[-1] if parts else "."), parts=parts)
        except FileNotFoundError as error:
            raise Trouble(f"{file_name(shown)} is not there; `outlast files` lists what is.") from error
        except OSError as error:
            link = error.errno in (errno.ENOTDIR, errno.ELOOP)
            why = "its path leads through a link or a file, and links are not followed" if link else error.strerror
            raise Trouble(f"{file_name(shown)} cannot be read: {why}.") from error
        yield entry
    finally:
        os.close(directory)


def look(directory: int, name: str) -> Entry:
    """What `name` in a directory is, a link itself and not what it points to; OSError if it is gone."""
    info = os.stat(name, dir_fd=directory, follow_symlinks=False)
    kind = next((kind for test, kind in _KINDS if test(info.st_mode)), "device")
    link = ""
    if kind == "link":
        with suppress(OSError):
            link = os.readlink(name, dir_fd=directory)
    return Entry((name,), kind, info.st_size if kind == "file" else 0, info.st_mtime, directory, link)


def walk(directory: int, parts: tuple[str, ...] = ()) -> Generator[Entry, None, None]:
    """Everything below a directory, in no order, each directory before what it holds; what vanishes is left out."""
    with os.scandir(directory) as items:
        for item in items:
            try:
                entry = replace(look(directory, item.name), parts=(*parts, item.name))
            except OSError:
                continue
            if entry.kind != "directory":
                yield entry
            elif len(entry.parts) > DEEPEST:
                yield replace(entry, error=f"more than {DEEPEST} directories deep")
            else:
                yield from _below(entry)


def _below(entry: Entry) -> Iterator[Entry]:
    try:
        inner = enter(entry.directory, entry.parts[-1])
    except OSError as error:
        yield replace(entry, error=str(error.strerror))
        return
    try:
        yield entry
        yield from walk(inner, entry.parts)
    finally:
        os.close(inner)


def open_file(directory: int, name: str) -> BinaryIO:
    """The regular file `name` of a directory, unbuffered; OSError if it is none (any more)."""
    # Looked at before it is opened, because opening some devices acts on them; and after, because it may be another.
    if look(directory, name).kind != "file":
        raise OSError(errno.EINVAL, "it is no regular file")
    descriptor = os.open(name, _FILE, dir_fd=directory)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return open(descriptor, "rb", buffering=0)
