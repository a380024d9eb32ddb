"""The manifest: which files make up the append-only file, in which order."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

DIRECTORY = "appendonlydir"
MANIFEST = "appendonly.aof.manifest"

#: A name without quotes, spaces or directories, as Redis makes them.
_LINE = re.compile(r"file ([A-Za-z0-9_.-]+) seq ([0-9]+) type ([bhi])")


class BadManifest(Exception):
    """It is no manifest; the message says why, as the second half of a sentence."""


class Files(NamedTuple):
    """The files by name: `base` (none while the data set began empty) and then `increments`, oldest first."""

    base: str | None
    increments: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        return ((self.base,) if self.base else ()) + self.increments


def parse(text: str) -> Files:
    """BadManifest unless Redis would take it."""
    base: str | None = None
    increments: list[str] = []
    last = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise BadManifest(f"its line {number} names no file")
        name, sequence, kind = found[1], int(found[2]), found[3]
        if kind == "b":
            if base is not None:
                raise BadManifest("it names two base files")
            base = name
        elif kind == "i":
            if sequence <= last:
                raise BadManifest(f"its line {number} is out of order")
            last = sequence
            increments.append(name)
    if base is None and not increments:
        raise BadManifest("it names no file")
    return Files(base, tuple(increments))


def write(directory: Path, lines: list[str]) -> None:
    """Put a manifest of these lines in place, durably, or leave the old one."""
    fresh = directory / f"temp-{MANIFEST}"
    with fresh.open("w") as file:
        file.write("".join(f"{line}\n" for line in lines))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(directory / MANIFEST)
    sync(directory)


def sync(directory: Path) -> None:
    """Make renames and new files in a directory durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
