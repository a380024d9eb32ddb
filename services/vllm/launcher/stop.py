"""That somebody asked for the end, told by a signal.

What `outlast.stop` is for a worker; of that package nothing is in this container.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress


class Stop:
    """Set once, for good.

    Safe in a signal handler, at any moment: the handler of a `threading.Event` that is set while the same thread looks
    at that event waits for a lock which only that thread could give back.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def set(self) -> None:
        """Ask for the end."""
        with suppress(BlockingIOError):  # So full that it has been asked for already.
            os.write(self._write, b"!")

    def is_set(self) -> bool:
        """Whether it was asked for."""
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        """Wait for it, so many seconds at most; whether it was asked for."""
        return bool(select.select([self._read], [], [], seconds)[0])
