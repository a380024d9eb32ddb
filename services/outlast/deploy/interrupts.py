"""What must not be interrupted, what must be interruptible, and what must not be done twice at once."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from .docker import DeployError


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """While the block runs, no other drill of this stack does. DeployError if one is at work."""
    with lock.open() as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DeployError(
                "Another drill of this stack is at work: wait for its end, or end it with Ctrl-C."
            ) from None
        yield


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and a closed terminal are Ctrl-C: the drill's containers must not outlive it."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def uninterrupted(told: str = "") -> Iterator[None]:
    """What must be done to its end; who asks for another is `told`."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda number, _: _refuse(number, told)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _refuse(number: int, told: str) -> None:
    if number == signal.SIGHUP:
        # A terminal that is gone takes no words: each would be an error in the middle of what must be done.
        _silence(1, 2)
    elif told:
        print(told, file=sys.stderr, flush=True)


def _silence(*outputs: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in outputs:
        if stat.S_ISCHR(os.fstat(output).st_mode) and not os.isatty(output):  # As a terminal is once it is gone.
            os.dup2(nowhere, output)
    os.close(nowhere)
