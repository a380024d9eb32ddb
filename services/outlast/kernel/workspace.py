"""A session's directory: what its cells make, what is kept of their output, and its checkpoints.

Below `<OUTLAST_WORKSPACES>/<session>/`:

      files/        the cells' working directory
      artifacts/    full outputs and figures, written by the worker
      checkpoints/  the kernel's variables, written by the kernel
      tmp/          the cells' TMPDIR; kept, because variables may name files in it
      home/         the cells' HOME; emptied whenever a kernel starts
      lock          held by the guardian of the kernel that may write here; in it, the newest attempt that asked for it

Where a session has a user of its own, that user owns files, checkpoints, tmp and home; the worker owns the rest, which
the session may read (artifacts) or not (lock). The directory itself belongs to the worker and to the session's group,
is closed to all others, and has the sticky bit: what the worker made there, the session cannot take away. The worker
touches what the session owns only as that user (`acting_as`).
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..errors import Refused
from ..settings import Settings
from .bounded import within
from .sandbox.identity import Identity, acting_as, sharing_with

#: Files that `changed_since` names at most, and directory entries that it looks at.
_NAMED, _LOOKED_AT = 1000, 100_000

#: Linux stamps files with the time of its last tick (CONFIG_HZ=100: every 10 ms), so a file may be dated that many
#: seconds before it was written. No cell follows the one before it so soon: a reply of the model lies between them.
_TICK = 0.01

#: Users of sessions have greater numbers: no user of a host has one, nor systemd's and user namespaces' usual ranges.
FIRST_UID = 1_900_000_000


@dataclass(frozen=True)
class Workspace:
    """See the module's docstring; `root` is absolute. `identity` is the session's user, if it has one of its own."""

    root: Path
    identity: Identity | None = None

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

    @property
    def home(self) -> Path:
        """HOME of the cells."""
        return self.root / "home"

    @classmethod
    def open(cls, settings: Settings, session: str, identity: Identity | None = None) -> Self:
        """The workspace of `session`, made if it is not there.

        Refused for an id that is no safe directory name, and for a directory that belongs to another user.
        """
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", session) or session.startswith("."):
            raise Refused(
                f"The session id {session!r} cannot name a directory; use letters, digits, '_', '.' and '-', "
                "at most 200, not beginning with a '.'."
            )
        workspace = cls(Path(settings.workspaces).absolute() / session, identity)
        workspace.root.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        with sharing_with(identity):
            _make(workspace.root, 0o1770 if identity else 0o700)
            _make(workspace.artifacts, 0o750 if identity else 0o700)
        if identity and workspace.root.lstat().st_gid != identity.gid:
            raise Refused(
                f"the workspace {workspace.root} is not that of the session's user {identity.uid}: it was made without "
                "the sandbox's layer `user`, or for another session of this name; move it away, and requeue the job"
            )
        with acting_as(identity):
            for directory in (workspace.files, workspace.checkpoints, workspace.tmp):
                _make(directory, 0o700)
        return workspace

    def link_inputs(self, paths: Sequence[Path]) -> None:
        """Make each input file visible in `files` under its base name, without copying it.

        What is there under that name already stays: the session may have replaced its input.
        """
        with acting_as(self.identity):
            for path in paths:
                with suppress(FileExistsError):
                    (self.files / path.name).symlink_to(path.absolute())

    def changed_since(self, at: float) -> tuple[str, ...]:
        """Files written at or after `at` (seconds since 1970), relative to `files` and sorted; at most 1,000."""
        with acting_as(self.identity):
            return self._changed_since(at)

    def _changed_since(self, at: float) -> tuple[str, ...]:
        changed: list[str] = []
        at -= _TICK
        queue, looked_at = [self.files], 0
        while queue and looked_at < _LOOKED_AT:
            try:
                with os.scandir(queue.pop()) as scanned:
                    entries = list(itertools.islice(scanned, _LOOKED_AT - looked_at))
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
        return tuple(within(sorted(changed)[:_NAMED]))


def _make(directory: Path, mode: int) -> None:
    """Make a directory with exactly this mode; one that is there stays as it is."""
    with suppress(FileExistsError):
        directory.mkdir()
        directory.chmod(mode)  # The process's mask has no say in it.


def identity_of(root: Path) -> Identity | None:
    """The user of the session whose workspace this is; None where it has none, or where there is no workspace.

    Only the worker can make it so: the directory itself belongs to the worker, its group is the session's.
    """
    try:
        return owner(root.lstat())
    except OSError:
        return None


def owner(workspace: os.stat_result) -> Identity | None:
    """As `identity_of`, of a directory that was looked at."""
    return Identity(workspace.st_gid) if os.geteuid() == 0 and workspace.st_gid > FIRST_UID else None
