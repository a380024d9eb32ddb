"""Where a kernel's sockets are for as long as it runs: one short-lived directory a kernel.

It is named after the process that talks to the kernel, `<pid>-<8 hex>`. Kernel and guardian remove it at their end;
where both were killed it stays, and is removed when the next kernel of this user starts here.
"""

from __future__ import annotations

import os
import re
import secrets
import stat
from pathlib import Path

from .sandbox.identity import Identity, sharing_with
from .sandbox.removal import remove
from .workspace import identity_of

_NAME = re.compile(r"(?P<pid>[1-9]\d{0,9})-[0-9a-f]{8}")


def make_runtime(parent: Path, identity: Identity | None = None) -> Path:
    """A new directory of ours below `parent`, which is made if need be; what the dead left there is removed.

    A session with a user of its own may make sockets in it; others cannot look into it.

    PermissionError if somebody else could exchange it.
    """
    parent.mkdir(mode=0o711, parents=True, exist_ok=True)
    status = parent.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (0, os.getuid()):
        raise PermissionError(f"{parent} belongs to somebody else")
    _sweep(parent)
    directory = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
    with sharing_with(identity):
        directory.mkdir(mode=0o700)
        if identity:
            directory.chmod(0o770)
    return directory


def close_runtime(directory: Path, identity: Identity | None) -> None:
    """The kernel has its sockets: no more can be made there by a session with a user of its own."""
    if identity:
        directory.chmod(0o710)


def _sweep(parent: Path) -> None:
    for entry in parent.iterdir():
        name = _NAME.fullmatch(entry.name)
        if name and not Path(f"/proc/{name['pid']}").exists():
            remove(str(entry), identity_of(entry))
