"""Redis's append-only files as of one moment, while Redis goes on writing.

Redis only ever appends to the last of them, and replaces the others by new files under new names. So files that are
open, read as far as they were long at one moment, are what Redis had written then, whatever it does to them later.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ..errors import BackupError

DIRECTORY = "appendonlydir"
MANIFEST = "appendonly.aof.manifest"

#: How often a rewrite of Redis's may begin or end just while its files are being opened.
_TRIES = 10
#: Bytes copied at a time.
_CHUNK = 1 << 20
#: A line of the manifest. A base or an increment counts; history is what Redis has yet to remove.
_LINE = re.compile(r"file [A-Za-z0-9_.-]+ seq [0-9]+ type ([bhi])")


@dataclass(frozen=True, slots=True)
class Opened:
    """Files by name, with the bytes of each that count."""

    manifest: str
    files: Mapping[str, tuple[BinaryIO, int]]


@contextmanager
def opened(data: Path) -> Iterator[Opened]:
    """All files of the data directory as of this moment. BackupError if one is missing, for Redis runs on them."""
    with ExitStack() as held:
        for _ in range(_TRIES):
            found = _open(data / DIRECTORY, held)
            if found is not None:
                break
        else:
            raise BackupError(f"{MANIFEST} or files that it names are not there; make logs S=redis says why")
        yield found


def _open(place: Path, held: ExitStack) -> Opened | None:
    """None if Redis has replaced a file meanwhile."""
    text = _manifest(place)
    lines = _counting(text)
    try:
        files = {name: held.enter_context((place / name).open("rb")) for name in (line.split()[1] for line in lines)}
    except FileNotFoundError:
        return None
    if not lines or _manifest(place) != text:
        return None
    sizes = {name: (file, os.fstat(file.fileno()).st_size) for name, file in files.items()}
    return Opened("".join(f"{line}\n" for line in lines), sizes)


def copy(files: Opened, data: Path) -> None:
    """Write them below `data`, so that Redis starts from it, with the owner that they have."""
    place = data / DIRECTORY
    place.mkdir(mode=0o700)
    for name, (source, length) in files.files.items():
        info = os.fstat(source.fileno())
        with (place / name).open("xb") as target:
            os.fchown(target.fileno(), info.st_uid, info.st_gid)
            os.fchmod(target.fileno(), 0o600)
            _copy(source, target, length)
    owner = next((os.fstat(source.fileno()) for source, _ in files.files.values()), None)
    (place / MANIFEST).write_text(files.manifest, encoding="ascii")
    (place / MANIFEST).chmod(0o600)
    if owner is not None:
        for path in (place / MANIFEST, place):
            os.chown(path, owner.st_uid, owner.st_gid)


def _counting(text: str) -> list[str]:
    """The lines of a manifest but for history; BackupError for one that is damaged."""
    found = [(line, _LINE.fullmatch(line)) for line in text.splitlines() if not line.startswith("#")]
    for line, match in found:
        if match is None:
            raise BackupError(f"{MANIFEST} is damaged: {line[:80]!r} names no file; make logs S=redis, make restore")
    return [line for line, match in found if match is not None and match[1] != "h"]


def _manifest(place: Path) -> str:
    try:
        return (place / MANIFEST).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    left = length
    while left and (part := source.read(min(left, _CHUNK))):
        target.write(part)
        left -= len(part)
