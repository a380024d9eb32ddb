"""Requests to stop, from signals and commands, as something that the loop can wait for.

The handlers only note the request: an exception thrown out of a Redis call could lose the job that its reply
names. A second signal changes nothing.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any


class StopRequests:
    """True once the worker is to leave."""

    def __init__(self) -> None:
        self._asked = False
        self._asked_at = 0.0
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._before: dict[signal.Signals, Any] = {}

    def __bool__(self) -> bool:
        return self._asked

    def fileno(self) -> int:
        """Readable once a stop was asked for; never read from."""
        return self._read

    def ask(self, number: int = 0, frame: FrameType | None = None) -> None:
        """Ask the worker to leave; safe in a signal handler."""
        if not self._asked:
            self._asked, self._asked_at = True, time.monotonic()
            os.write(self._write, b"!")

    def overdue(self, seconds: float) -> bool:
        """Whether the worker was to leave that long ago."""
        return self._asked and time.monotonic() - self._asked_at >= seconds

    def install(self) -> None:
        """SIGTERM and SIGINT ask for a stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self.ask)

    def uninstall(self) -> None:
        """Put the handlers back that were there."""
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)

    def sleep(self, seconds: float, *others: Any) -> None:
        """Sleep until a stop is asked for or one of `others` (things with a `fileno`) is readable.

        Returns at once if a stop was asked for before and nothing else is waited for.
        """
        poll = select.poll()
        watched: Sequence[Any] = others if self._asked and others else (self, *others)
        for item in watched:
            poll.register(item, select.POLLIN)
        poll.poll(max(0, int(seconds * 1000) + 1))
