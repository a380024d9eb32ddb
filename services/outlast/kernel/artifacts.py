"""Files that the worker writes into a session's artifacts: never through a link, never over another, bounded."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from ..log.records import Artifact
from .sandbox.identity import Identity, sharing_with

#: Numbers that are tried for a name that is taken.
_TRIES = 10_000


class ArtifactFile:
    """One artifact while it is written. Under a hidden name until `finish`, so that a run that is cut off leaves
    the name free and the run that replaces it gives its artifacts the same names.

    `earlier` is the SHA-256 of what an earlier run of the cell has left under this name, and the log names: the same
    again is that one, anything else gets `another` name, for what was told stays.
    """

    def __init__(
        self, directory: Path, name: str, kind: str, mode: int, earlier: str, another: Callable[[], str]
    ) -> None:
        self._directory = directory
        #: For good after `finish`.
        self.name = name
        self._earlier, self._another = earlier, another
        self._kind = kind
        self._part = directory / f".{secrets.token_hex(8)}.part"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor = os.open(self._part, flags, mode)
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        """Append; OSError (a full disk, say) leaves the file fit for `discard` only."""
        view = memoryview(data)
        while view:
            written = os.write(self._descriptor, view)
            self._digest.update(view[:written])
            self.size += written
            view = view[written:]

    def finish(self) -> Artifact:
        """Make it durable under its name. FileExistsError if somebody has taken the name meanwhile."""
        os.fsync(self._descriptor)
        digest = self._digest.hexdigest()
        if self._earlier and digest != self._earlier:
            self.name = self._another()
        try:
            os.link(self._part, self._directory / self.name)  # Unlike a rename this cannot replace anything.
        except FileExistsError:
            if digest != self._earlier:
                raise
        self.discard()
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return Artifact(f"{self._directory.name}/{self.name}", self.size, digest, self._kind)

    def discard(self) -> None:
        """Give up what is under the hidden name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            with contextlib.suppress(OSError):
                os.unlink(self._part)


class CellArtifacts:
    """The artifacts of one run of a cell: `cell-<n>.txt`, `cell-<n>.png`, `cell-<n>-2.png` …; `reader` may read them.

    `earlier`: SHA-256 by name of those that the log has of an earlier run; None if there was none. What such a run has
    left besides is removed: it was cut off before anybody was told of it. Only for who holds the session's lock.
    """

    def __init__(
        self, directory: Path, cell: int, reader: Identity | None = None, earlier: Mapping[str, str] | None = None
    ) -> None:
        self._directory = directory
        self._cell = cell
        self._reader = reader
        self._earlier = earlier or {}
        self._names: set[str] = set()
        if earlier is not None:
            self._sweep(re.compile(rf"cell-{cell}(-[0-9]+)?\.[a-z]+"))

    def open(self, suffix: str, kind: str) -> tuple[ArtifactFile, str]:
        """A file to write, and how a cell names it (relative to its working directory)."""
        name = self._free(suffix, self._earlier)
        # The session may read them.
        mode, earlier = 0o640 if self._reader else 0o600, self._earlier.get(name, "")
        with sharing_with(self._reader):
            file = ArtifactFile(self._directory, name, kind, mode, earlier, lambda: self._free(suffix))
        return file, self.told(file)

    def told(self, file: ArtifactFile) -> str:
        """How a cell names the file."""
        return f"../{self._directory.name}/{file.name}"

    def _sweep(self, mine: re.Pattern[str]) -> None:
        with contextlib.suppress(OSError):  # What cannot be removed keeps its name, and no more.
            for name in os.listdir(self._directory):
                if mine.fullmatch(name) and name not in self._earlier:
                    os.unlink(self._directory / name)

    def _free(self, suffix: str, but: Mapping[str, str] | None = None) -> str:
        """A name that nothing has, or only what is in `but`."""
        for number in range(1, _TRIES):
            name = f"cell-{self._cell}{suffix}" if number == 1 else f"cell-{self._cell}-{number}{suffix}"
            if name not in self._names and (name in (but or {}) or not os.path.lexists(self._directory / name)):
                self._names.add(name)
                return name
        raise FileExistsError(f"{self._directory} holds too many files of cell {self._cell}")


def sweep_parts(directory: Path) -> None:
    """Remove what cut-off runs left under hidden names. Only for who holds the session's lock."""
    for path in directory.glob(".*.part"):
        with contextlib.suppress(OSError):
            path.unlink()
