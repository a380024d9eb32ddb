"""Tells an append-only file with a torn end from one that is damaged in the middle. Pure: bytes in, verdict out.

An append-only file is a row of commands, each `*<n>` and then `n` times `$<length>` and that many bytes, every part
with a line end after it. What belongs together stands between `MULTI` and `EXEC`. Redis syncs the file before it
acknowledges, so a power cut can only spoil what stands after the last acknowledged command: a command that stops
short, zero bytes where the file grew before its bytes came, or garbage. Nothing whole can follow that. So:

*torn* is what has no complete command anywhere behind the first bad byte, and may be cut off; *damaged* is
everything else. The rule errs on the side of stopping: text inside a torn command that looks like a command to the
byte counts as one.

Reads a stream forwards, with seeks, and never more than a window of it into memory. What it cannot see: a changed
byte inside a value; for the logs, `outlast verify` sees that.
"""

from __future__ import annotations

import re
from typing import BinaryIO, NamedTuple

#: Bytes read at a time when a command is searched for behind a bad spot.
WINDOW = 1 << 20

#: Longest line that is no value: `*` or `$` and a number.
_LONGEST_LINE = 24

#: Longest name of a command, with some room.
_LONGEST_NAME = 64

_HEADER = re.compile(rb"\*([1-9][0-9]{0,8})\r\n")
_LENGTH = re.compile(rb"\$(0|[1-9][0-9]{0,9})\r\n")
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_.|-]*")

#: The commands of one word that Redis writes. An `EXEC` with a changed letter would else leave its transaction open to
#: the end of the file, and all of that would look torn.
_ALONE = (b"MULTI", b"EXEC", b"FLUSHALL", b"FLUSHDB")

#: Where a command may begin. Its first line, and the start of its second.
_BEGINNING = re.compile(rb"\*[1-9][0-9]{0,8}\r\n\$[1-9]")

#: Longest match of _BEGINNING; windows overlap by it.
_OVERLAP = 16


class Sound(NamedTuple):
    """Commands from the first byte to the last."""

    size: int


class Torn(NamedTuple):
    """Sound up to `keep`; nothing complete behind it. `size` is the file's."""

    keep: int
    size: int


class Damaged(NamedTuple):
    """Sound up to `keep`, bad at `at`, and a complete command begins at `follows`."""

    keep: int
    at: int
    follows: int
    size: int


Verdict = Sound | Torn | Damaged


class _Bad(Exception):
    """No complete command begins here."""


def scan(file: BinaryIO, start: int = 0) -> Verdict:
    """The verdict on a file that is known to be sound up to `start`."""
    size = file.seek(0, 2)
    at = keep = start
    within = False
    while at < size:
        try:
            at, within = _step(file, at, size, within)
        except _Bad:
            break
        if not within:
            keep = at
    if keep == size:
        return Sound(size)
    follows = _next_command(file, at + 1, size)
    return Torn(keep, size) if follows is None else Damaged(keep, at, follows, size)


def _step(file: BinaryIO, at: int, size: int, within: bool) -> tuple[int, bool]:
    """Go past what begins at `at`: the next offset, and whether a transaction is open there."""
    file.seek(at)
    if file.read(1) == b"#":
        # A time stamp, one line (`aof-timestamp-enabled`).
        line = file.readline(1024)
        if not line.endswith(b"\r\n"):
            raise _Bad
        return at + 1 + len(line), within
    name, end = _command(file, at, size)
    if (name == b"MULTI" and within) or (name == b"EXEC" and not within):
        raise _Bad
    return end, name != b"EXEC" and (within or name == b"MULTI")


def _command(file: BinaryIO, at: int, size: int) -> tuple[bytes, int]:
    """Name in capitals, and end, of the complete command at `at`; _Bad if there is none."""
    file.seek(at)
    header = _HEADER.fullmatch(file.readline(_LONGEST_LINE))
    if header is None:
        raise _Bad
    name = b""
    for number in range(int(header[1])):
        length = _LENGTH.fullmatch(file.readline(_LONGEST_LINE))
        if length is None:
            raise _Bad
        count = int(length[1])
        end = file.tell() + count
        if end + 2 > size or (number == 0 and count > _LONGEST_NAME):
            raise _Bad
        if number == 0:
            name = file.read(count)
            if not _NAME.fullmatch(name):
                raise _Bad
        file.seek(end)
        if file.read(2) != b"\r\n":
            raise _Bad
    name = name.upper()
    if header[1] == b"1" and name not in _ALONE:
        raise _Bad
    return name, file.tell()


def _next_command(file: BinaryIO, start: int, size: int) -> int | None:
    """Where the first complete command at or behind `start` begins."""
    while start < size:
        file.seek(start)
        window = file.read(WINDOW)
        for found in _BEGINNING.finditer(window):
            try:
                _command(file, start + found.start(), size)
            except _Bad:
                continue
            return start + found.start()
        start += max(len(window) - _OVERLAP, 1)
    return None
