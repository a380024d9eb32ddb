"""Stock RQ workers on a Redis of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import redis
from rq import Queue

from tests.redis_server import RedisServer

ROOT = Path(__file__).parent.parent
#: Seconds for something that takes a second.
PATIENCE = 60.0


class StockQueue:
    """A Redis, a queue on it, and the workers that were started for it."""

    def __init__(self, place: Path) -> None:
        place.mkdir(parents=True)
        self._place = place
        self._server = RedisServer(place)
        self.connection = redis.Redis.from_url(self._server.url)
        self.queue = Queue(connection=self.connection)
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start_worker(self, name: str, flags: Sequence[str] = ()) -> None:
        """Start `rq worker` and wait until it listens."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("OUTLAST_", "RQ_"))}
        with (self._place / f"{name}.log").open("wb") as log:
            self.workers[name] = subprocess.Popen(
                [sys.executable, "-m", "rq.cli", "worker", "--url", self._server.url, "--name", name, *flags],
                cwd=self._place,
                env=kept | {"PYTHONPATH": str(ROOT), "HOME": str(self._place)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until(lambda: self.connection.hget(f"rq:worker:{name}", "state") == b"idle", PATIENCE, f"{name} to listen")

    def kill_worker(self, name: str) -> float:
        """SIGKILL the worker and all below it; when (seconds since the epoch)."""
        process = self.workers.pop(name)
        tree: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(process.pid)
            tree = [root, *root.children(recursive=True)]
        at = time.time()
        for victim in tree:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
        process.wait()
        psutil.wait_procs(tree, timeout=PATIENCE)
        return at

    def close(self) -> None:
        for name in list(self.workers):
            self.kill_worker(name)
        self.connection.close()
        self._server.kill()


@contextmanager
def stock_queue(place: Path) -> Iterator[StockQueue]:
    """Everything it starts ends with the block."""
    queue = StockQueue(place)
    try:
        yield queue
    finally:
        queue.close()


def until(holds: Callable[[], bool], patience: float, what: str) -> None:
    """Look every 20 ms whether `holds()`; TimeoutError naming `what` if it never does."""
    deadline = time.monotonic() + patience
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {patience:.0f} s for {what}")
        time.sleep(0.02)
