"""The one way in which a running attempt is told to stop.

Open Interpreter's loop swallows every exception raised while code runs, so a stop cannot be an exception
thrown at it from outside (RQ's timeout and our own "lease lost" would both be lost). It is a flag that every
wait also waits for: `fileno()` becomes readable when it is set, and callbacks wake those who wait on a queue.
"""

from __future__ import annotations

import os
from collections.abc import Callable

#: Reasons for which Redis is not waited for: the session is another worker's to go on with. After any other the attempt
#: is to close, so that the job ends as it was told to.
LEAVES = ("drain", "fenced")


class StopSignal:
    """Set once, from a signal handler or any thread; the first reason stays, and is the one to act on.

    Reasons: `drain`, `cancel`, `max_seconds`, `fenced`.
    """

    def __init__(self) -> None:
        self._reason = ""
        self._leaves = False
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._callbacks: list[Callable[[], None]] = []

    @property
    def reason(self) -> str:
        """Why to stop; empty while there is no reason to."""
        return self._reason

    @property
    def leaves(self) -> bool:
        """Whether any of the reasons, the first or a later one, leaves the session to another worker."""
        return self._leaves

    def __bool__(self) -> bool:
        return bool(self._reason)

    def fileno(self) -> int:
        """Readable from the moment the signal is set, and never read from."""
        return self._read

    def set(self, reason: str) -> None:
        """Ask for the stop; safe in a signal handler."""
        self._leaves = self._leaves or reason in LEAVES
        if not self._reason:
            self._reason = reason
            os.write(self._write, b"!")
            for callback in tuple(self._callbacks):
                callback()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when the signal is set (at once if it is); returns what takes it back.

        The callback may run inside a signal handler: `queue.SimpleQueue.put` and `os.write` are fit for that.
        """
        self._callbacks.append(callback)
        if self._reason:
            callback()
        return lambda: self._callbacks.remove(callback)

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._read)
        os.close(self._write)
