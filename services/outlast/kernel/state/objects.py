"""Large contents, each in a file that is named by its digest: what is there already is never written again."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib
import mmap
import os
import re
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from . import points
from .refusal import Unusable

try:
    _fast: Any = importlib.import_module("xxhash").xxh3_128
except ImportError:
    _fast = None

#: What names the objects of a new checkpoint.
ALGORITHM = "sha256" if _fast is None else "xxh3_128"

#: Bytes from which on a content is mapped instead of read: a process may have 65,530 mappings.
_mapped_bytes = 1 << 20
#: Bytes from which on a content that was written is dropped from the page cache, where it would displace better things.
_dropped_bytes = 64 << 20
#: A checkpoint is no reason to take the last of a disk that others share: bytes that stay free, or a part of the disk.
_spared_bytes, _spared_part = 576 << 20, 14
#: Bytes after which that is looked at again.
_looked_after_bytes = 16 << 20

_name = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
_temporary = ".new-"


class Damaged(Unusable):
    """A checkpoint's files are not what they were written as; the text says in what."""


class Mapped(mmap.mmap):
    """Memory that a restore made: it belongs to whatever lies on it, and to nothing that the user can reach."""


def digester(algorithm: str) -> Any:
    """A new digest; Damaged if this machine does not have the algorithm."""
    if algorithm == "xxh3_128" and _fast is not None:
        return _fast()
    if algorithm == "sha256":
        return hashlib.sha256()
    raise Damaged(f"its digest is of a kind that is not installed here ({algorithm[:20]})")


def is_name(text: object) -> bool:
    """Whether this can be an object's name."""
    return isinstance(text, str) and _name.fullmatch(text) is not None


class NewObject:
    """A content that is written before its name is known; `keep` or `drop` ends it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / f"{_temporary}{secrets.token_hex(8)}"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file: BinaryIO | None = os.fdopen(descriptor, "wb")
        self._digest = digester(ALGORITHM)
        self.bytes = 0
        self._looked_at = 0

    def write(self, data: Any) -> None:
        """Add to it; OSError."""
        assert self._file is not None
        size = memoryview(data).nbytes
        if self.bytes + size >= self._looked_at + _looked_after_bytes:
            self._looked_at = self.bytes + size
            disk = os.fstatvfs(self._file.fileno())
            spared = min(_spared_bytes, disk.f_blocks * disk.f_frsize // _spared_part)
            if disk.f_bavail * disk.f_frsize - size < spared:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._digest.update(data)
        self.bytes += self._file.write(data)

    def keep(self) -> str:
        """Make it durable, unless it is there already; its name."""
        assert self._file is not None
        name = str(self._digest.hexdigest())
        if _is_there(self._directory / name, self.bytes):
            self.drop()
            return name
        self._file.flush()
        points.reach("object written")
        os.fsync(self._file.fileno())
        if self.bytes >= _dropped_bytes:
            os.posix_fadvise(self._file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._file.close()
        self._file = None
        points.reach("object synced")
        os.rename(self._path, self._directory / name)
        points.reach("object renamed")
        return name

    def drop(self) -> None:
        """Remove what was written."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
            with contextlib.suppress(OSError):
                self._path.unlink()


def put(directory: Path, content: memoryview) -> str:
    """Have this content (bytes, contiguous) in the directory; its name. The directory is synced by the caller."""
    digest = digester(ALGORITHM)
    digest.update(content)
    name = str(digest.hexdigest())
    if not _is_there(directory / name, content.nbytes):
        new = NewObject(directory)
        try:
            new.write(content)
            name = new.keep()
        except BaseException:
            new.drop()
            raise
    return name


def verify(directory: Path, expected: dict[str, int], algorithm: str) -> None:
    """Damaged if one of these objects (name: bytes) is gone or is not what its name says."""
    for name, size in expected.items():
        digest = digester(algorithm)
        with open_object(directory, name) as file:
            found = os.fstat(file.fileno()).st_size
            if found != size:
                raise Damaged(f"an object of it has {found} bytes, not {size}")
            if size:
                with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as content:
                    digest.update(content)
        if digest.hexdigest() != name:
            raise Damaged("an object of it is damaged (another digest than when it was written)")


def load(directory: Path, name: str, size: int) -> memoryview:
    """A private, writable copy of an object: pages are read when they are used and copied when they are changed."""
    with open_object(directory, name) as file:
        if size >= _mapped_bytes:
            return memoryview(Mapped(file.fileno(), size, access=mmap.ACCESS_COPY))
        return memoryview(bytearray(file.read(size)))


def are_any(directory: Path) -> bool:
    """Whether there is anything to collect."""
    with os.scandir(directory) as entries:
        return any(True for _ in entries)


def collect(directory: Path, kept: Iterable[str]) -> None:
    """Remove all but these; failures are left for the next time."""
    names = frozenset(kept)
    with contextlib.suppress(OSError):
        for entry in os.scandir(directory):
            if entry.name not in names and (is_name(entry.name) or entry.name.startswith(_temporary)):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def _is_there(path: Path, size: int) -> bool:
    try:
        return os.stat(path, follow_symlinks=False).st_size == size
    except OSError:
        return False


def open_plain(path: Path | str) -> BinaryIO:
    """A file for reading; OSError, also if it is a link, a pipe or anything else that is no plain file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a plain file")
    return file


def open_object(directory: Path, name: str) -> BinaryIO:
    """An object for reading; Damaged if there is none of this name."""
    try:
        return open_plain(directory / name)
    except FileNotFoundError:
        raise Damaged("an object of it is gone") from None
