"""What a cell is told besides an error that the sandbox has caused: what the limit is, and how the same can be had."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Iterator

_NO_NETWORK = "[There is no network here. Work with the files in /data and in the working directory.]"
_NO_MEMORY = (
    "[The code wanted more memory than a process may use here{limit}. The variables are as it left them. Read the data "
    "in pieces, keep fewer columns, and `del` what is no longer needed.]"
)
_NO_PROCESS = (
    "[If it was a process or a thread that could not be started: the session has as many as it may have{limit}. "
    "End those that go on, or wait for them, and start a few at a time.]"
)
_NO_SPACE = (
    "[There is no more room on the disk for this, or a file became larger than the session's files may be together. "
    "The file is incomplete; the variables are as the code left them. Remove what is not needed, or write less.]"
)
_FULL = frozenset((errno.ENOSPC, errno.EFBIG, errno.EDQUOT))


def hint(error: BaseException | None) -> str:
    """One line, or nothing if this error is not of that kind."""
    for each in _with_causes(error):
        number = each.errno if isinstance(each, OSError) else None
        if isinstance(each, socket.gaierror) or number == errno.EOPNOTSUPP:
            return _NO_NETWORK
        if isinstance(each, MemoryError) or number == errno.ENOMEM:
            most = resource.getrlimit(resource.RLIMIT_DATA)[0]
            return _NO_MEMORY.format(limit="" if most == resource.RLIM_INFINITY else f", {most / 1024**3:.1f} GiB")
        if number == errno.EAGAIN or (isinstance(each, RuntimeError) and "start new thread" in str(each)):
            most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
            return _NO_PROCESS.format(limit="" if most == resource.RLIM_INFINITY else f", {most}")
        if number in _FULL:
            return _NO_SPACE
        if isinstance(each, PermissionError) and isinstance(each.filename, str) and os.path.isabs(each.filename):
            return (
                f"[{each.filename} cannot be reached from here. Write to the working directory, or to "
                f"tempfile.gettempdir(), which is {os.environ.get('TMPDIR', 'the working directory')}.]"
            )
    return ""


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(20):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
