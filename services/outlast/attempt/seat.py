"""The kernel that an attempt has at the moment: started in the background, loaded when it is needed, replaced when it
dies."""

from __future__ import annotations

from ..errors import KernelDied, KernelUnusable, Refused
from ..kernel.client import Kernel
from ..kernel.results import Restored
from ..kernel.workspace import Workspace
from ..log.records import StateRestored
from ..log.variables import Checkpoint
from ..settings import Settings
from ..stop import StopSignal
from .hold import Hold

#: Kernels that may fail to start, one after the other, before the session is parked.
KERNEL_TRIES = 3


class Seat:
    """One attempt's place for a kernel. What a kernel could not be given of the variables is in the log."""

    def __init__(self, hold: Hold, workspace: Workspace, settings: Settings, stop: StopSignal) -> None:
        self._hold, self._workspace, self._settings, self._stop = hold, workspace, settings, stop
        self._kernel: Kernel | None = None
        #: Whether that kernel answers and holds the variables.
        self._is_ready = False

    def launch(self) -> None:
        """Start a kernel if none runs; returns at once. KernelUnusable."""
        if self._kernel is None:
            self._kernel = Kernel.launch(
                self._workspace, self._settings, session=self._hold.session, attempt=self._hold.number
            )

    def ready(self) -> Kernel:
        """A kernel that answers and holds the variables, as far as they can be loaded; Stopped, Refused."""
        for tries in range(1, KERNEL_TRIES + 1):
            try:
                self.launch()
                assert self._kernel is not None
                if not self._is_ready:
                    self._prepare(self._kernel)
                    self._is_ready = True
                return self._kernel
            except (KernelUnusable, KernelDied) as unusable:
                self.close()
                if tries == KERNEL_TRIES:
                    raise Refused(
                        f"no kernel could be started for session {self._hold.session}: {unusable}; "
                        f"mend that, then `outlast retry {self._hold.session}` goes on from the log"
                    ) from unusable
        raise AssertionError("the last try returns or raises")

    def close(self) -> None:
        """End the kernel with all that belongs to it; idempotent."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel, self._is_ready = None, False

    def _prepare(self, kernel: Kernel) -> None:
        try:
            kernel.ready(self._stop, self._hold.wait)
        finally:
            self._hold.resume()
        variables = self._hold.state.variables
        if variables.checkpoints or variables.unsaved:
            self._load(kernel)

    def _load(self, kernel: Kernel) -> None:
        """Load the newest checkpoint that can be loaded. One that cannot has changed nothing in the kernel."""
        variables = self._hold.state.variables
        failed: list[tuple[Checkpoint, str]] = []
        seconds = 0.0
        used, restored = None, Restored()
        for checkpoint in reversed(variables.checkpoints):
            restored = kernel.restore(checkpoint.digest, self._stop)
            seconds += restored.seconds
            if restored.names or "*" not in restored.missing:
                used = checkpoint
                break
            failed.append((checkpoint, restored.missing["*"]))
        missing = dict(restored.missing) if used else {}
        missing |= _lost(failed, everything=used is None)
        missing |= {f"the variables of cell {cell}": why for cell, why in variables.unsaved.items()}
        self._hold.append(
            StateRestored(
                used.cell if used else 0,
                used.digest if used else "",
                restored.names if used else (),
                missing,
                round(seconds, 3),
            )
        )


def _lost(failed: list[tuple[Checkpoint, str]], *, everything: bool) -> dict[str, str]:
    """Whose variables are lost with the checkpoints that could not be loaded, the newest first, and why."""
    if everything and failed:
        newest, why = failed[0]
        return {f"every variable made up to cell {newest.cell}": why}
    return {f"the variables of cell {cell}": why for checkpoint, why in failed for cell in checkpoint.cells}
