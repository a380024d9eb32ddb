"""A save that goes on while the model thinks.

The attempt waits a moment for the kernel's answer; what is not durable by then is handed, together with the kernel, to
a thread of its own. The thread waits, and appends `state.saved` as soon as the kernel answers. Nobody else uses the
kernel meanwhile, and of the attempt the thread uses nothing but `Hold.append`, which two threads may use. Whatever
goes wrong there (Fenced, RedisAway, KernelDied, Stopped) is kept for the attempt's own thread, which meets it where it
joins: before the next cell, before the session ends, before the kernel is closed.

The thread is never left behind. The stop signal wakes it; a save that is under way then has the drain's grace, and none
at all if the session belongs to somebody else.
"""

from __future__ import annotations

import threading

from ..kernel.save import Save
from ..log.records import StateSaved
from ..stop import StopSignal
from .hold import Hold


class Saving:
    """The save of one cell's variables, from `cell.finished` to `state.saved`."""

    def __init__(self, hold: Hold, save: Save, cell: int, stop: StopSignal) -> None:
        self._hold, self._save, self._stop = hold, save, stop
        self.cell = cell
        self._error: BaseException | None = None
        # A daemon: a process that is to end does not wait for it.
        self._thread = threading.Thread(target=self._run, name="state-saving", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Return once `state.saved` is in the log; raise what kept it from there."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def abandon(self) -> None:
        """End it, whatever becomes of the save: this attempt is over and writes nothing more."""
        self._stop.set("fenced")
        self._thread.join()

    def _run(self) -> None:
        try:
            saved = self._save.wait()
            assert saved is not None
            self._hold.append(StateSaved(self.cell, saved.checkpoint, saved.missing, saved.error))
        except BaseException as error:
            self._error = error
