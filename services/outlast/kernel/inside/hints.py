"""What a cell is told besides an error that the sandbox has caused: how the same can be had."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

_NO_NETWORK = "[There is no network here. Work with the files in /data and in the working directory.]"


def hint(error: BaseException | None) -> str:
    """One line, or nothing if this error is not of that kind."""
    for each in _with_causes(error):
        if isinstance(each, socket.gaierror) or (isinstance(each, OSError) and each.errno == errno.EOPNOTSUPP):
            return _NO_NETWORK
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
