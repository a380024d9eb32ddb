"""When a cell has run too long or has stalled. Pure: no clock, no process; told what was seen and when."""

from __future__ import annotations

import math

from .causes import Cause
from .processes import Work

#: Less processor time than this (clock ticks, 10 ms each) is the kernel's own housekeeping, not work.
STALL_TICKS = 5
#: Fewer bytes than this read and written are wake-ups of the kernel's threads, not work.
STALL_BYTES = 64 * 1024


class Watch:
    """The limits of one request: `timeout` and `stall` in seconds, 0 for none; `started` in seconds of any clock.

    `what` begins the sentence that says which limit was reached.
    """

    def __init__(self, started: float, timeout: float, stall: float, what: str = "The cell") -> None:
        self._what = what
        self._deadline = started + timeout if timeout else None
        self._timeout = timeout
        self._stall = stall
        self._active_at = started
        self._outputs = 0
        self._work: Work | None = None

    @property
    def sample_seconds(self) -> float:
        """How often to say what is seen; 0 if nothing depends on it."""
        return min(1.0, self._stall / 4)

    def seen(self, now: float, outputs: int, work: Work) -> None:
        """Take note of the messages so far and of what the kernel's processes have done so far."""
        before = self._work
        if (
            before is None
            or outputs != self._outputs
            # A process that was not waited for takes its share along: less is a change, too.
            or abs(work.ticks - before.ticks) >= STALL_TICKS
            or abs(work.bytes - before.bytes) >= STALL_BYTES
        ):
            if before is not None:
                self._active_at = now
            self._outputs, self._work = outputs, work

    def held_up(self, seconds: float) -> None:
        """For so long nobody listened to the kernel, which may have had to wait for that."""
        self._active_at += seconds
        if self._deadline is not None:
            self._deadline += seconds

    def breach(self, now: float) -> Cause | None:
        """The limit that is reached, if one is."""
        if self._deadline is not None and now >= self._deadline:
            return Cause("time", f"{self._what} was stopped: it ran for longer than its limit of {self._timeout:g} s.")
        if self._stall and now >= self._active_at + self._stall:
            idle = "it printed nothing and used neither the processor nor the disk"
            return Cause("stall", f"{self._what} was stopped: for {self._stall:g} s {idle}.")
        return None

    def wait(self, now: float) -> float:
        """Seconds until the next limit could be reached; infinite if there is none."""
        moments = [self._active_at + self._stall] if self._stall else []
        if self._deadline is not None:
            moments.append(self._deadline)
        return max(0.0, min(moments, default=math.inf) - now)
