"""Copies a tree without trust: programs may change every name and file in it meanwhile, and root reads it.

Each directory is opened from the one before it and never through a link, so nothing outside of the tree is read, also
if a directory is replaced while it is copied. What has not changed since the last copy is a hard link to it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from .manifest import Entry, Kind

#: Directories deeper than this below a session are left out and named; each costs two descriptors and a call.
DEEPEST = 100
#: A file changed within so many nanoseconds before its disk was synced may be changed again with the same time.
_TICK = 1_000_000_000
_CHUNK = 1 << 20

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

#: What says that the disk cannot take the copy, whichever file comes next.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Before:
    """An earlier copy of the same tree, to link to: `place` holds what `entries` describe, by path."""

    place: Path | None = None
    entries: Mapping[str, Entry] = field(default_factory=dict)


@dataclass(slots=True)
class Copied:
    """What a tree holds: the root first, then each directory before what is in it. `left_out` says what is missing."""

    entries: list[Entry] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def copy(
    source: Path,
    target: Path,
    before: Before = Before(),
    *,
    synced: int = 0,
    deepest: int = DEEPEST,
    times: Mapping[str, int] = MappingProxyType({}),
) -> Copied:
    """Copy the directory `source` to `target`, which must not be there. OSError if the disk is full, or no `source`.

    Only files that have not changed since `synced` can be linked to later. Files in `times` are given those.
    """
    return _Walk(target, before, synced, deepest, times).tree(source)


def look(source: Path, *, deepest: int = DEEPEST) -> Copied:
    """The same without a copy: what is there, with digests."""
    return _Walk(None, Before(), 0, deepest, {}).tree(source)


def sync() -> int:
    """Write everything to the disk; the time before that, in nanoseconds, for copies that begin now.

    A page that is mapped to memory and was written to once takes more without a change of the file's time, until it is
    on the disk: then Linux notes the next write again. So what has not changed since this time will not unseen.
    """
    now = time.time_ns()
    os.sync()
    return now


def root(path: Path) -> Entry:
    """A directory itself, without what is in it."""
    return _entry("", "directory", path.lstat())


class _Walk:
    """One pass over a tree. `target` is None where nothing is copied."""

    def __init__(
        self, target: Path | None, before: Before, synced: int, deepest: int, times: Mapping[str, int]
    ) -> None:
        self._target, self._before = target, before
        self._synced, self._deepest, self._times = synced, deepest, times
        self._found = Copied()
        #: Of files with several names: (device, inode) → the path of the first.
        self._first: dict[tuple[int, int], Entry] = {}

    def tree(self, source: Path) -> Copied:
        parent = os.open(source.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        into = None
        try:
            if self._target is not None:
                into = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            target = self._target.name if self._target else ""
            self._directory(parent, source.name, into, target, "", self._deepest)
        finally:
            os.close(parent)
            if into is not None:
                os.close(into)
        return self._found

    def _directory(self, parent: int, name: str, into: int | None, target: str, path: str, left: int) -> None:
        with _opened(name, _DIRECTORY, parent) as source:
            info = os.fstat(source)
            self._found.entries.append(_entry(path, "directory", info))
            if into is None:
                self._inside(source, None, path, left)
                return
            os.mkdir(target, 0o700, dir_fd=into)
            with _opened(target, _DIRECTORY, into) as made:
                self._inside(source, made, path, left)
                _dress(made, info)

    def _inside(self, source: int, target: int | None, path: str, left: int) -> None:
        for name in sorted(os.listdir(source)):
            inner = f"{path}/{name}" if path else name
            try:
                self._one(source, name, target, inner, left)
            except OSError as error:
                if error.errno in _NO_ROOM or target is None:
                    raise
                with suppress(OSError):  # Half of a file is none.
                    os.unlink(name, dir_fd=target)
                if error.errno != errno.ENOENT:  # It is not just gone since.
                    self._found.left_out.append(f"{inner}: {error.strerror}")

    def _one(self, source: int, name: str, target: int | None, path: str, left: int) -> None:
        info = os.stat(name, dir_fd=source, follow_symlinks=False)
        match stat.S_IFMT(info.st_mode):
            case stat.S_IFREG:
                entry = self._file(source, name, info, target, path)
            case stat.S_IFDIR if left:
                self._directory(source, name, target, name, path, left - 1)
                return
            case stat.S_IFDIR:
                self._found.left_out.append(f"{path}: it is more than {self._deepest} directories deep")
                return
            case stat.S_IFLNK:
                entry = replace(_entry(path, "link", info), target=os.readlink(name, dir_fd=source))
                _make(target, lambda into: os.symlink(entry.target, name, dir_fd=into), name, info)
            case stat.S_IFIFO:
                entry = _entry(path, "fifo", info)
                _make(target, lambda into: os.mkfifo(name, 0o600, dir_fd=into), name, info)
            case _:  # A socket is nothing without the process that listens, and no session has a device.
                return
        self._found.entries.append(entry)

    def _file(self, source: int, name: str, info: os.stat_result, target: int | None, path: str) -> Entry:
        known = self._before.entries.get(path)
        key = (info.st_dev, info.st_ino)
        first = self._first.get(key) if info.st_nlink > 1 else None
        if target is not None:
            if known is not None and _is_same(info, known) and _linked(self._before.place, path, name, target):
                return known
            if first is not None and _linked(self._target, first.path, name, target):
                return replace(first, path=path)
        entry = self._content(source, name, target, path)
        if info.st_nlink > 1 and entry.inode == info.st_ino:
            self._first.setdefault(key, entry)
        return entry

    def _content(self, source: int, name: str, target: int | None, path: str) -> Entry:
        with _opened(name, _READ, source) as reading:
            info = os.fstat(reading)
            if not stat.S_ISREG(info.st_mode):
                raise OSError(errno.EINVAL, "it became something else")
            if target is None:
                size, digest = _read(reading, info.st_size, lambda part, at: None)
            else:
                with _opened(name, _WRITE, target) as writing:
                    size, digest = _read(reading, info.st_size, lambda part, at: _write(writing, part, at))
                    os.ftruncate(writing, size)
                    _dress(writing, info, self._times.get(path))
        settled = info.st_ctime_ns < self._synced - _TICK
        return replace(_entry(path, "file", info), size=size, digest=digest, changed=info.st_ctime_ns if settled else 0)


def _entry(path: str, kind: Kind, info: os.stat_result) -> Entry:
    mode, changed = stat.S_IMODE(info.st_mode), info.st_ctime_ns
    inode, changed = (info.st_ino, changed) if kind == "file" else (0, 0)
    mtime = info.st_mtime_ns if kind == "file" else 0
    return Entry(path, kind, mode, info.st_uid, info.st_gid, mtime, inode=inode, changed=changed)


def _is_same(info: os.stat_result, known: Entry) -> bool:
    return known.changed > 0 and (info.st_ino, info.st_ctime_ns, info.st_size) == (
        known.inode, known.changed, known.size,
    )  # fmt: skip


def _linked(tree: Path | None, path: str, name: str, target: int) -> bool:
    """Whether `name` could be made another name of what is at `path` in a copy; else it has to be copied."""
    if tree is None:
        return False
    try:
        os.link(tree / path, name, dst_dir_fd=target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        return False
    return True


def _make(target: int | None, make: Callable[[int], None], name: str, info: os.stat_result) -> None:
    if target is not None:
        make(target)
        os.chown(name, info.st_uid, info.st_gid, dir_fd=target, follow_symlinks=False)
        if not stat.S_ISLNK(info.st_mode):
            os.chmod(name, stat.S_IMODE(info.st_mode), dir_fd=target)


def _dress(descriptor: int, info: os.stat_result, mtime: int | None = None) -> None:
    """Give a copy owner, mode and time of its source, in this order: a change of the owner takes bits off the mode."""
    mtime = info.st_mtime_ns if mtime is None else mtime
    os.fchown(descriptor, info.st_uid, info.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(info.st_mode))
    os.utime(descriptor, ns=(mtime, mtime))


def _read(source: int, length: int, use: Callable[[bytes, int], None]) -> tuple[int, str]:
    """Size and digest of the first `length` bytes; `use` gets the parts with data, and where they begin.

    Holes cost nothing but the digest. A file that has become shorter meanwhile ends where it ends.
    """
    digest, zeros, at = hashlib.sha256(), bytes(_CHUNK), 0
    while at < length:
        try:
            data = min(os.lseek(source, at, os.SEEK_DATA), length)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            data = length if os.fstat(source).st_size >= length else at
        while at < data:
            step = min(data - at, _CHUNK)
            digest.update(zeros[:step])
            at += step
        if at >= length:
            break
        part = os.pread(source, min(_CHUNK, length - at), at)
        if not part:
            break
        digest.update(part)
        use(part, at)
        at += len(part)
    return at, digest.hexdigest()


def _write(target: int, part: bytes, at: int) -> None:
    # A block of zeros becomes a hole.
    while part and part.strip(b"\0"):
        written = os.pwrite(target, part, at)
        part, at = part[written:], at + written


@contextmanager
def _opened(name: str, flags: int, directory: int) -> Iterator[int]:
    descriptor = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
