"""What a cell is told besides an error that a limit has caused."""

from __future__ import annotations

import errno
import os

import pytest

from outlast.kernel.inside.hints import hint


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "in pieces"),
        (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), "in pieces"),
        (BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)), "start a few at a time"),
        (RuntimeError("can't start new thread"), "start a few at a time"),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG)), "write less"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "write less"),
        (OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP)), "no network"),
        (PermissionError(errno.EACCES, "no", "/srv/x"), "Write to the working directory"),
        (RuntimeError("of the code's own"), ""),
        (PermissionError(errno.EPERM, os.strerror(errno.EPERM)), ""),
    ],
)
def test_an_error_that_a_limit_has_caused_comes_with_what_to_do(error: Exception, words: str) -> None:
    wrapped = ValueError("the library's own")
    wrapped.__cause__ = error
    for each in (error, wrapped):
        assert words in hint(each) if words else hint(each) == ""
