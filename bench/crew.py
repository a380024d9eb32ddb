"""Workers that are started again when they die, as a supervisor would, and what a lane of jobs needs of them."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

import psutil

from outlast.drill.victims import strike
from tests.fleet import Fleet

from .outlast_jobs import wait_until_idle

#: Seconds between two looks at the workers.
LOOK_SECONDS = 0.05

#: What a kill can hit. `all` is every process of the worker, as an out-of-memory kill of its container is.
PARTS = ("all", "worker", "child", "kernel")


class Crew:
    """`count` workers of a fleet that was started with none, kept alive until the block ends.

    `ended` are those that ended without our kill, as sentences.
    """

    def __init__(self, fleet: Fleet, count: int) -> None:
        self._fleet, self._count = fleet, count
        self._started = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="crew", daemon=True)
        self.ended: list[str] = []

    def __enter__(self) -> Self:
        for _ in range(self._count):
            self._start()
        wait_until_idle(self._fleet)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def kill(self, worker: str, part: str) -> str | None:
        """SIGKILL a part of a worker's processes, or the nearest above it that there is; what was hit, if anything."""
        tried = (part,) if part == "all" else PARTS[PARTS.index(part) : 0 : -1]
        return next((each for each in tried if self.strike(worker, each) is not None), None)

    def strike(self, worker: str, part: str) -> float | None:
        """SIGKILL exactly that part; the time just before, None if it is not there."""
        with self._lock:
            process = self._fleet.workers.get(worker)
        if process is None or process.poll() is not None:
            return None
        with suppress(psutil.NoSuchProcess):
            return strike(psutil.Process(process.pid), part)
        return None

    def _start(self) -> None:
        self._started += 1
        self._fleet.start_worker(f"worker-{self._started}")

    def _keep(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            for name, process in list(self._fleet.workers.items()):
                if process.poll() is None:
                    continue
                with self._lock:
                    del self._fleet.workers[name]
                if process.returncode != -signal.SIGKILL:
                    log = (self._fleet.directory / f"{name}.log").read_text(errors="replace")[-1500:]
                    self.ended.append(f"{name} ended by itself with code {process.returncode}: {log}")
                self._start()

