"""Steps that change what a process may do, each in a process of its own."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from typing import Any


def in_a_child(steps: Callable[[], Any]) -> Any:
    """What `steps` returns in a process of its own, which it may confine."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            text = json.dumps(steps())
        except BaseException as error:
            text = json.dumps(f"{type(error).__name__}: {error}")
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return json.loads(said)


def refusal(step: Callable[[], Any]) -> str:
    """The name of the error that a step meets; empty if none."""
    try:
        step()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return ""
