"""The manifest of a backup: one line of JSON for each file in it, so that not a byte can change unseen.

    {"backup": 1, "name": …, …}       the head: what it is of
    {"path": "workspaces/…", …}       an entry; directories too
    {"entries": 1200, "sha256": …}    the end: how many, and the digest of every line before it
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from ..errors import BackupError

#: Of the format; one that reads another number does not know what it reads.
FORMAT = 1
FILE = "manifest.jsonl"

Kind = Literal["file", "directory", "link", "fifo"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in a tree. `path` is relative; `mtime` (nanoseconds) and `digest` (SHA-256) are of a file's content.

    `inode` and `changed` (nanoseconds) are the source's own, by which the next backup sees that a file is the same:
    no program can set back when its file was changed (`tree.sync`). 0: that was so lately that it says nothing.
    """

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int = 0
    digest: str = ""
    target: str = ""
    inode: int = 0
    changed: int = 0

    def content(self) -> Entry:
        """Itself without what only the next backup is interested in: equal for a true copy.

        Nor does the time of a file belong to it: archives keep whole seconds of it, and the digest says more.
        """
        return replace(self, mtime=0, inode=0, changed=0)


@dataclass(frozen=True, slots=True)
class Manifest:
    """`made` is in seconds since 1970; `left_out` names what could not be copied, with the reason."""

    name: str
    made: float
    version: str
    sessions: int
    entries: tuple[Entry, ...] = ()
    left_out: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Of all files; those that are shared with another backup count too."""
        return sum(entry.size for entry in self.entries)

    def by_path(self) -> dict[str, Entry]:
        return {entry.path: entry for entry in self.entries}


_NAMES = tuple(item.name for item in fields(Entry))


def write(directory: Path, manifest: Manifest) -> None:
    """Put the manifest in its place, durably and whole."""
    fresh = directory / f".{FILE}"
    with fresh.open("w", encoding="ascii") as file:
        digest = hashlib.sha256()
        for line in _lines(manifest):
            file.write(line)
            digest.update(line.encode())
        file.write(_line({"entries": len(manifest.entries), "sha256": digest.hexdigest()}))
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(directory / FILE)


def read(directory: Path) -> Manifest:
    """BackupError if there is none, or not the one that was written."""
    try:
        return _parse((directory / FILE).read_text(encoding="ascii").splitlines(keepends=True), directory.name)
    except FileNotFoundError:
        raise BackupError(f"the backup {directory.name} has no {FILE}, so it was never finished") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise BackupError(f"the manifest of the backup {directory.name} is damaged ({error!r})") from None


def _lines(manifest: Manifest) -> Iterable[str]:
    head = {name: getattr(manifest, name) for name in ("name", "made", "version", "sessions", "left_out", "settings")}
    yield _line({"backup": FORMAT, **head})
    for entry in manifest.entries:
        yield _line({name: value for name, value in asdict(entry).items() if value or name in _NAMES[:6]})


def _line(value: dict[str, Any]) -> str:
    # Names of files are any bytes; those that are no UTF-8 are lone surrogates in Python, which ASCII can hold.
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"


def _parse(lines: list[str], name: str) -> Manifest:
    head, end = json.loads(lines[0]), json.loads(lines[-1])
    if not lines[-1].endswith("\n"):
        raise ValueError("it is cut short")
    if head["backup"] != FORMAT:
        raise BackupError(f"the backup {name} has format {head['backup']}, and this version of Outlast reads {FORMAT}")
    digest = hashlib.sha256("".join(lines[:-1]).encode()).hexdigest()
    if end != {"entries": len(lines) - 2, "sha256": digest}:
        raise ValueError("its last line does not fit the others")
    entries = tuple(Entry(**json.loads(line)) for line in lines[1:-1])
    return Manifest(
        name=head["name"], made=head["made"], version=head["version"], sessions=head["sessions"], entries=entries,
        left_out=tuple(head["left_out"]), settings=head["settings"],
    )  # fmt: skip
