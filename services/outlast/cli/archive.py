"""Copies as one stream, a tar archive: names, sizes and contents, and nothing else that tar could say."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from typing import IO, Any

from .elsewhere import Cut
from .saving import Item, Readable, Short

_CHUNK = 1024 * 1024

_OPTIONS: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "copybufsize": _CHUNK}


class _Arriving:
    """A member while it is read."""

    def __init__(self, content: Readable) -> None:
        self._content = content

    def read(self, count: int, /) -> bytes:
        try:
            return self._content.read(count)
        except tarfile.TarError as error:
            raise Cut from error


class _Exactly:
    """For tarfile, which pads what is too short: Short instead."""

    def __init__(self, content: Readable) -> None:
        self._content = content

    def read(self, count: int) -> bytes:
        try:
            data = self._content.read(count)
        except OSError as error:
            raise Short(error.strerror) from error
        if len(data) < count:
            raise Short("it shrank meanwhile")
        return data


def write(items: Iterator[Item], stream: IO[bytes]) -> None:
    """Short, and an archive without an end, if a file has become shorter."""
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT, **_OPTIONS) as tar:
        for item in items:
            member = tarfile.TarInfo("/".join(item.parts))
            member.mtime = int(time.time())
            if item.content is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(member)
            else:
                member.size = item.size
                tar.addfile(member, _Exactly(item.content))  # type: ignore[arg-type]  # typeshed asks for a whole file object; tarfile only calls read
            _forget(tar)


def read(stream: IO[bytes]) -> Iterator[Item]:
    """What an archive holds; Cut if it is none, is cut off in a file, or holds more than files and directories.

    One that is cut off between two files reads as whole: its writer's exit code tells. Whether the names are what was
    asked for is for who writes the copies.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|", **_OPTIONS) as tar:
            while (member := tar.next()) is not None:
                content = tar.extractfile(member) if member.isreg() and member.size >= 0 else None
                if content is None and not member.isdir():
                    raise Cut
                yield Item(tuple(member.name.split("/")), member.size if content else 0, content and _Arriving(content))
                _forget(tar)
    except (tarfile.TarError, ValueError, OverflowError, RecursionError) as error:
        raise Cut from error


def _forget(tar: tarfile.TarFile) -> None:
    """Else every member is kept in memory to the end."""
    tar.members = []  # type: ignore[attr-defined]  # tarfile has this list; typeshed leaves it out
