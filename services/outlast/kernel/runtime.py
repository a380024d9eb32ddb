"""Where a kernel's sockets are for as long as it runs: one short-lived directory a kernel.

It is named after the process that talks to the kernel, `<pid>-<8 hex>`. Kernel and guardian remove it at their end;
where both were killed it stays, and is removed when the next kernel of this user starts here.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
from pathlib import Path

_NAME = re.compile(r"(?P<pid>[1-9]\d{0,9})-[0-9a-f]{8}")


def make_runtime(parent: Path) -> Path:
    """A new directory of ours below `parent`, which is made if need be; what the dead left there is removed.

    PermissionError if somebody else could exchange it.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = parent.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in (0, os.getuid()):
        raise PermissionError(f"{parent} belongs to somebody else")
    _sweep(parent)
    directory = parent / f"{os.getpid()}-{secrets.token_hex(4)}"
    directory.mkdir(mode=0o700)
    return directory


def _sweep(parent: Path) -> None:
    for entry in parent.iterdir():
        name = _NAME.fullmatch(entry.name)
        if name and not Path(f"/proc/{name['pid']}").exists():
            shutil.rmtree(entry, ignore_errors=True)
