"""`python -m outlast.supervisor`: the worker container's first program, which keeps OUTLAST_WORKERS workers running.

Theory of operation. Each worker is a stock `rq worker` with Outlast's worker class, in a process of its own, under a
name that no other ever had. The supervisor does nothing but wait: for the end of a child, for a signal, for the moment
of the next start or look. It talks to nobody, so nothing that goes wrong elsewhere can stop it.

- A worker that ends is started again: at once, and after a growing pause if it did not live long. Its session is taken
  over meanwhile by whoever sees its lease lapse (`queue/leases.py`).
- A worker whose heartbeat stands still is killed, and so started again: Docker restarts containers that end, never
  ones that are unhealthy.
- SIGTERM and SIGINT are passed on: each worker hands its session back and leaves (a drain). Exit code 0, or 1 if one
  had to be killed for it.
- Settings that are refused end the supervisor with exit code 2: before anything runs, or when a worker says so (it
  alone can tell that the password of Redis is wrong) before any worker ever worked. Later it is a worker that ended.
- As first process of a container without `init` it also reaps what others have left to it.

Who dies with whom: in a container, all with the supervisor. Elsewhere the workers go on without it, as workers do that
somebody started by hand.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from . import heartbeat, logs, secrecy
from .errors import SettingsError
from .health import stands_still
from .heartbeat import State
from .kernel.confine import confinement
from .settings import Settings

# Not `__name__`: that is `__main__` here.
log = logging.getLogger("outlast.supervisor")

OK, KILLED, WRONG_SETTINGS = 0, 1, 2

#: A worker that lives shorter than this (seconds) has ended quickly.
QUICK_SECONDS = 30.0
#: Seconds before the start that follows a second quick end in a row, and at most; doubled each time.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: Seconds between two looks at the heartbeats, and looks in a row that must find one standing still: long enough for
#: Docker to call the container unhealthy first. Counted in looks, because the supervisor may have been stopped together
#: with its workers (a paused container), and then they must come first.
LOOK_SECONDS, STILL_LOOKS = 5.0, 8
#: Seconds that a drain may take; a worker's own limits are shorter, and the container's stop grace is longer.
DRAIN_SECONDS = 25.0

_SIGNALS = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}


def pause_after(quick_ends: int) -> float:
    """Seconds until the next start, after so many quick ends in a row."""
    return 0.0 if quick_ends < 2 else min(FIRST_PAUSE * 2.0 ** (quick_ends - 2), LONGEST_PAUSE)


@dataclass
class Place:
    """The place of one worker. All moments are of the monotonic clock, in seconds."""

    number: int
    #: Process id; 0 while none runs.
    pid: int = 0
    name: str = ""
    started: float = 0.0
    quick_ends: int = 0
    #: When the next one starts, while none runs.
    due: float = 0.0
    still_looks: int = 0


class Supervisor:
    """`run` is its whole life. Its signals must be blocked, and it must be the main thread."""

    def __init__(self, settings: Settings, environment: Mapping[str, str]) -> None:
        self._runtime = settings.runtime_path
        self._queues = settings.queues.split()
        # It would be taken instead of the settings' address.
        self._environment = {name: value for name, value in environment.items() if name != "RQ_REDIS_URL"}
        self._places = [Place(number) for number in range(1, settings.workers + 1)]
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._has_worked = False
        #: The exit code, once it is to leave, and when that must be done.
        self._leaving: int | None = None
        self._deadline = math.inf

    def run(self) -> int:
        """Keep the workers running until told to leave; the exit code."""
        log.info("supervisor.started", extra={"workers": len(self._places), "queues": " ".join(self._queues)})
        while True:
            self._start_due()
            if self._leaving is not None and not any(place.pid for place in self._places):
                log.info("supervisor.left", extra={"exit": self._leaving})
                return self._leaving
            received = signal.sigtimedwait(_SIGNALS, self._seconds_to_next())
            if received is not None and received.si_signo != signal.SIGCHLD:
                self._leave(OK)
            self._reap()
            if time.monotonic() >= self._next_look:
                self._look()
            if time.monotonic() >= self._deadline:
                self._end_drain()

    def _start_due(self) -> None:
        if self._leaving is None:
            for place in self._places:
                if not place.pid and time.monotonic() >= place.due:
                    self._start(place)

    def _start(self, place: Place) -> None:
        place.name = f"{socket.gethostname()}.{place.number}.{secrets.token_hex(3)}"
        words = ["-m", "rq.cli", "worker", "-c", "outlast.rq_config", "--worker-class", "outlast.queue.Worker"]
        argv = [sys.executable, *words, "--name", place.name, *self._queues]
        place.pid = os.posix_spawn(sys.executable, argv, self._environment, setsigmask=())
        place.started, place.still_looks = time.monotonic(), 0
        heartbeat.beat(self._runtime, State.STARTING, place.pid)
        log.info("worker.started", extra={"worker": place.name, "pid": place.pid})

    def _seconds_to_next(self) -> float:
        moments = [self._next_look, self._deadline]
        if self._leaving is None:
            moments += [place.due for place in self._places if not place.pid]
        return max(0.0, min(moments) - time.monotonic())

    def _leave(self, code: int) -> None:
        """Have every worker drain; a second time changes nothing."""
        if self._leaving is not None:
            return
        self._leaving, self._deadline = code, time.monotonic() + DRAIN_SECONDS
        log.info("supervisor.drains", extra={"workers": sum(1 for place in self._places if place.pid)})
        for place in self._places:
            self._signal(place, signal.SIGTERM)

    def _reap(self) -> None:
        """Take the status of everything that has ended, others' orphans too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            for place in self._places:
                if place.pid == pid:
                    self._ended(place, os.waitstatus_to_exitcode(status))

    def _ended(self, place: Place, code: int) -> None:
        self._note_work()
        heartbeat.end(self._runtime, place.pid)
        now = time.monotonic()
        place.quick_ends = place.quick_ends + 1 if now - place.started < QUICK_SECONDS else 0
        pause = pause_after(place.quick_ends)
        fields = {"worker": place.name, "pid": place.pid, "exit": code, "seconds": round(now - place.started, 1)}
        place.pid, place.due = 0, now + pause
        if self._leaving is not None:
            log.info("worker.ended", extra=fields)
        elif code == WRONG_SETTINGS and not self._has_worked:
            log.error("worker.refused", extra=fields | {"todo": "mend what the worker says above, and start again"})
            self._leave(WRONG_SETTINGS)
        else:
            log.warning("worker.ended", extra=fields | {"restart_in": pause})

    def _look(self) -> None:
        """Kill who stands still."""
        now = time.monotonic()
        self._next_look = now + LOOK_SECONDS
        self._note_work()
        beats = heartbeat.beats(self._runtime)
        for place in self._places:
            beat = beats.get(place.pid)
            still = beat is not None and stands_still(beat, now)
            place.still_looks = place.still_looks + 1 if still else 0
            if place.still_looks >= STILL_LOOKS:
                log.error("worker.stands_still", extra={"worker": place.name, "pid": place.pid})
                self._signal(place, signal.SIGKILL)

    def _end_drain(self) -> None:
        """Kill who has not left in time."""
        self._leaving, self._deadline = self._leaving or KILLED, math.inf
        for place in self._places:
            if place.pid:
                log.error("worker.did_not_leave", extra={"worker": place.name, "pid": place.pid})
            self._signal(place, signal.SIGKILL)

    def _note_work(self) -> None:
        if not self._has_worked:
            self._has_worked = any(beat.state is State.WORKING for beat in heartbeat.beats(self._runtime).values())

    @staticmethod
    def _signal(place: Place, number: signal.Signals) -> None:
        if place.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(place.pid, number)


def main() -> int:
    """Run the supervisor; the exit code."""
    try:
        settings = Settings.load()
        settings.demand_places()
        settings.redis_address()
        confined = confinement(settings)
    except SettingsError as mistake:
        print(f"outlast: {mistake}", file=sys.stderr)
        return WRONG_SETTINGS
    logs.configure(settings.log_format, settings.log_level)
    if confined.mode == "off":
        log.error("sandbox.off", extra={"meaning": "what the model writes runs with all of this user's rights"})
    for layer in confined.lacking:
        log.warning("sandbox.reduced", extra={"layer": layer.name, "reason": layer.reason, "open": layer.uncovered})
    secrecy.protect()
    # From here on they wait until they are asked for; a worker gets them unblocked.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    return Supervisor(settings, os.environ).run()


if __name__ == "__main__":
    sys.exit(main())
