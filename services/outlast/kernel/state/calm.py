"""The conditions under which the user's objects are pickled: nothing they do there reaches the user."""

from __future__ import annotations

import gc
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

#: Depth of nesting that is pickled. A cell may have set a limit at which the C stack overflows, and that would cost
#: the kernel; the usual 1,000 is less than what the stack holds.
_depth = 3000


class Interrupted(BaseException):
    """The kernel was interrupted from outside, as opposed to an object that raises KeyboardInterrupt by itself."""


class _Silent:
    """A standard stream that drops what this thread writes and passes on what others do."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.thread = threading.get_ident()

    def write(self, text: str) -> Any:
        return len(text) if threading.get_ident() == self.thread else self.stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class Interrupts:
    """SIGINT while a save or a restore runs: it raises `Interrupted` in the main thread."""

    def __init__(self) -> None:
        self._seen = False
        self._too_late = False

    def handle(self, number: int, frame: Any) -> None:
        if not self._too_late:
            self._seen = True
            raise Interrupted

    def commit(self) -> None:
        """From here on interrupts come too late. Raises if one came already and an object of the user's swallowed it:
        that object may be in half its state."""
        self._too_late = True
        if self._seen:
            raise Interrupted


@contextmanager
def interruptible() -> Iterator[Interrupts]:
    """Interrupts of this kind instead of the kernel's own, if this is the thread that gets them."""
    interrupts = Interrupts()
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if main else None
    try:
        if before is not None:
            signal.signal(signal.SIGINT, interrupts.handle)
        yield interrupts
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)


@contextmanager
def undisturbed(*, deep: bool = False) -> Iterator[None]:
    """Silence, no garbage collection (it doubles the time of a large pickle), a safe depth unless the stack is deep."""
    streams = sys.stdout, sys.stderr
    collecting = gc.isenabled()
    depth = sys.getrecursionlimit()
    try:
        sys.stdout, sys.stderr = _Silent(streams[0]), _Silent(streams[1])
        gc.disable()
        if not deep:
            sys.setrecursionlimit(_depth)
        yield
    finally:
        if not deep:
            sys.setrecursionlimit(depth)
        if collecting:
            gc.enable()
        sys.stdout, sys.stderr = streams


def real_stream(name: str) -> Any:
    """`sys.stdout` or `sys.stderr` as the user's code knows it, also while it is silenced."""
    stream = getattr(sys, name)
    return stream.stream if isinstance(stream, _Silent) else stream
