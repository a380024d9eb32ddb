"""A save under way: the kernel has been asked for a checkpoint and answers once it is durable, or has failed."""

from __future__ import annotations

import math
import time

from ..settings import Settings
from ..stop import StopSignal
from .checkpoints import manifest_digest, names_with_reasons
from .confine import state_limit
from .exchange import Exchanges
from .limits import Watch
from .results import Saved
from .sandbox.identity import acting_as
from .workspace import Workspace

#: How often the kernel may try: each time with the whole deadline, and without what held up the time before.
_TRIES = 4
#: Seconds beyond that, before a kernel that does not end the save by itself is interrupted.
_GRACE = 5.0


class Save:
    """The kernel is this save's alone until it has ended. One thread at a time may wait for it, not always the same.

    A stop gives it the grace that a drain gives a cell.
    """

    def __init__(
        self, exchanges: Exchanges, workspace: Workspace, settings: Settings, cell: int, stop: StopSignal
    ) -> None:
        self._exchanges, self._workspace, self._cell, self._stop = exchanges, workspace, cell, stop
        deadline = settings.save_timeout
        watch = Watch(
            time.monotonic(),
            _TRIES * deadline + _GRACE if deadline else 0,
            settings.cell_stall,
            "The save of the variables",
        )
        content = {
            "directory": str(workspace.checkpoints),
            "cell": cell,
            "limit": state_limit(settings),
            "deadline": deadline,
        }
        self._exchange = exchanges.begin("outlast_save_request", content, watch, is_patient=True)

    def wait(self, seconds: float = math.inf) -> Saved | None:
        """What became of it, or None if it is not over by then. Raises KernelDied, Stopped."""
        during = f"the variables of cell {self._cell} were saved"
        reply = self._exchanges.complete_by(time.monotonic() + seconds, self._exchange, self._stop, during)
        if reply is None:
            return None
        missing = names_with_reasons(reply.get("missing"))
        error = str(reply.get("error") or "")[:1000]
        if error:
            breach = self._exchange.breach
            return Saved(missing=missing, error=breach.says if breach else error)
        try:
            with acting_as(self._workspace.identity):
                return Saved(manifest_digest(self._workspace.checkpoints, reply.get("manifest")), missing)
        except (OSError, ValueError) as problem:
            return Saved(missing=missing, error=f"the checkpoint cannot be read back: {problem}")
