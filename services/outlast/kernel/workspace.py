"""A session's directory: what its cells make, what is kept of their output, and its checkpoints.

Below `<OUTLAST_WORKSPACES>/<session>/`:

      files/        the cells' working directory
      artifacts/    full outputs and figures, written by the worker
      checkpoints/  the kernel's variables, written by the kernel
      tmp/          the cells' TMPDIR; kept, because variables may name files in it
      home/         the cells' HOME; emptied whenever a kernel starts
      lock          held by the guardian of the kernel that may write here
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..errors import Refused
from ..settings import Settings

#: Files that `changed_since` names at most, and directory entries that it looks at.
_NAMED, _LOOKED_AT = 1000, 100_000

#: Linux stamps files with the time of its last tick (CONFIG_HZ=100: every 10 ms), so a file may be dated that many
#: seconds before it was written. No cell follows the one before it so soon: a reply of the model lies between them.
_TICK = 0.01


@dataclass(frozen=True)
class Workspace:
    """See the module's docstring; `root` is absolute."""

    root: Path

    @property
    def files(self) -> Path:
        """Working directory of the cells."""
        return self.root / "files"

    @property
    def artifacts(self) -> Path:
        """Full outputs and figures."""
        return self.root / "artifacts"

    @property
    def checkpoints(self) -> Path:
        """What `kernel.state` writes."""
        return self.root / "checkpoints"

    @property
    def lock(self) -> Path:
        """The file that the guardian locks."""
        return self.root / "lock"

    @property
    def tmp(self) -> Path:
        """TMPDIR of the cells."""
        return self.root / "tmp"

    @classmethod
    def open(cls, settings: Settings, session: str) -> Self:
        """The workspace of `session`, made if it is not there. Refused for an id that is no safe directory name."""
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", session) or session.startswith("."):
            raise Refused(
                f"The session id {session!r} cannot name a directory; use letters, digits, '_', '.' and '-', "
                "at most 200, not beginning with a '.'."
            )
        workspace = cls(Path(settings.workspaces).absolute() / session)
        for directory in (workspace.files, workspace.artifacts, workspace.checkpoints, workspace.tmp):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return workspace

    def link_inputs(self, paths: Sequence[Path]) -> None:
        """Make each input file visible in `files` under its base name, without copying it.

        What is there under that name already stays: the session may have replaced its input.
        """
        for path in paths:
            try:
                (self.files / path.name).symlink_to(path.absolute())
            except FileExistsError:
                continue

    def changed_since(self, at: float) -> tuple[str, ...]:
        """Files written at or after `at` (seconds since 1970), relative to `files` and sorted; at most 1,000."""
        changed: list[str] = []
        at -= _TICK
        queue, looked_at = [self.files], 0
        while queue and looked_at < _LOOKED_AT:
            try:
                entries = list(os.scandir(queue.pop()))
            except OSError:
                continue
            looked_at += len(entries)
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        queue.append(Path(entry.path))
                    elif entry.stat(follow_symlinks=False).st_mtime >= at:
                        name = os.path.relpath(entry.path, self.files)
                        changed.append(name.encode("utf-8", "replace").decode("utf-8"))
                except OSError:
                    continue
        return tuple(sorted(changed)[:_NAMED])
