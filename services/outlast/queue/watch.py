"""Watches one child until it has ended, ticking all the while, and passes on what it is to know."""

from __future__ import annotations

import logging
import signal
import time
from dataclasses import dataclass
from typing import Any

from outlast.queue.child import Child
from outlast.queue.pulse import Pulse
from outlast.queue.signals import StopRequests

log = logging.getLogger(__name__)

#: Seconds beyond the drain's grace, which a cell gets and then its save, after which a child that goes on is killed.
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended: exit code (negative: signal), the sentence of a refusal, and what it had been asked."""

    code: int
    refusal: str = ""
    #: Asked to stop because the worker leaves.
    drained: bool = False
    #: Asked to stop by `stop-job`.
    stopped: bool = False


def watch(child: Child, job: str, pulse: Pulse, stop: StopRequests, drain_grace: float) -> Ending:
    """Return once the child has ended.

    Killed at once when the lease is lost: somebody else has the job. Asked to drain when the worker is to leave, to
    cancel on `stop-job`; killed if it does not end in time.
    """
    lease = pulse.lease
    patience = 2 * drain_grace + STOP_SECONDS
    drained = stopped = False
    deadline: float | None = None

    def obey(command: dict[str, Any]) -> None:
        nonlocal stopped, deadline
        if command.get("command") == "kill-horse":
            log.warning("child.killed", extra={"job": job, "why": "kill-horse"})
            child.kill()
        elif command.get("command") == "stop-job" and command.get("job_id") == job and not stopped:
            stopped = True
            deadline = time.monotonic() + patience
            child.signal(signal.SIGUSR1)

    pulse.on_command = obey
    try:
        while not child.ended:
            if stop and not drained:
                drained = True
                deadline = deadline or time.monotonic() + patience
                child.signal(signal.SIGTERM)
            if deadline is not None and time.monotonic() >= deadline:
                log.error("child.killed", extra={"job": job, "why": "it did not stop in time"})
                child.kill()
                break
            if pulse.tick():
                stop.sleep(pulse.until_beat(), child)
            else:
                pulse.wait_for_redis(child)
            if pulse.lease != lease:
                log.error("child.killed", extra={"job": job, "why": "the lease was lost"})
                child.kill()
                break
    finally:
        pulse.on_command = lambda command: None
    code, refusal = child.reap()
    return Ending(code, refusal, drained, stopped)

