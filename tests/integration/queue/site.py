"""One Redis with the real `rq` command and real workers on it. Waiting is for a condition, never for a time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
import redis
from rq.job import Job
from rq.results import Result

from outlast.log.project import project
from outlast.log.records import Record
from outlast.log.redis_log import RedisLog, connect
from outlast.log.verify import verify

ROOT = Path(__file__).parent.parent.parent.parent
#: Seconds after which a test stops waiting for what should have come.
PATIENCE = 60.0
#: Seconds of the workers' lease here: short for speed, long enough for a loaded machine.
LEASE = 1.0


class NeverHappened(AssertionError):
    """What a test waited for did not come."""


class Site:
    """`with Site(url) as site:`; every process it started ends with the block."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = connect(url)
        self.workers: list[subprocess.Popen[str]] = []
        self._logs: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            for process in self._tree(worker.pid):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            worker.wait()
            assert worker.stderr is not None
            worker.stderr.close()
        self.connection.close()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join([str(ROOT / "services"), str(ROOT)]),
            "RQ_REDIS_URL": self.url,
            "OUTLAST_LEASE": str(LEASE),
            "OUTLAST_LOG_FORMAT": "text",
            "OUTLAST_SANDBOX": "reduced",
            "PYTHONWARNINGS": "default",
        }

    # The rq command.

    def rq(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `rq <words>`."""
        done = subprocess.run(
            [sys.executable, "-m", "rq.cli", *words], env=self.environment, cwd=ROOT, capture_output=True, text=True
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def enqueue(self, *words: str, function: str = "outlast.run") -> str:
        """`rq enqueue`; the job's id. Words that begin with `--` go before the function."""
        options = [word for word in words if word.startswith("--")]
        done = self.rq("enqueue", *options, function, *(word for word in words if not word.startswith("--")))
        found = re.search(r"job-id '([^']+)'", re.sub(r"\x1b\[[^m]*m", "", done.stdout))
        assert found, done.stdout
        return found.group(1)

    def start(self, kind: str = "Worker", *words: str, **environment: str) -> subprocess.Popen[str]:
        """Start `rq worker` with a class of workers.py; returns at once."""
        name = kind if "." in kind else f"tests.integration.queue.workers.{kind}"
        worker = subprocess.Popen(
            [sys.executable, "-m", "rq.cli", "worker", "--worker-class", name, *words],
            env=self.environment | environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.workers.append(worker)
        return worker

    def burst(self, kind: str = "Worker", *words: str) -> str:
        """Run a worker until the queues are empty; what it logged."""
        worker = self.start(kind, "--burst", *words)
        _, errors = worker.communicate(timeout=PATIENCE)
        assert worker.returncode == 0, errors
        return errors

    # Waiting and looking.

    def until(self, what: str, condition: Callable[[], Any]) -> Any:
        """What `condition` returns once it is true. Redis may be away meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                value = condition()
            except redis.RedisError:
                value = None
            if value:
                return value
            time.sleep(0.01)
        raise NeverHappened(what)

    def status(self, job: str) -> str:
        stored: Any = self.connection.hget(f"rq:job:{job}", "status")
        return stored.decode() if stored else ""

    def until_status(self, job: str, status: str) -> None:
        self.until(f"job {job} is {status}, not {self.status(job)}", lambda: self.status(job) == status)

    def result(self, job: str) -> Result:
        """The latest result, as the stock client reads it."""
        found = Job.fetch(job, connection=self.connection).latest_result()
        assert found is not None
        return found

    def failure(self, job: str) -> str:
        """The sentence of a failed job."""
        assert self.status(job) == "failed"
        return self.result(job).exc_string or ""

    def began(self, session: str, attempt: int) -> int:
        """Wait until that attempt of a played session has begun; its process."""

        def found() -> int:
            lines: Any = self.connection.lrange(f"began:{session}", 0, -1)
            return dict(tuple(map(int, line.split())) for line in lines).get(attempt, 0)

        return int(self.until(f"attempt {attempt} of {session} has begun", found))

    def attempts(self, session: str) -> int:
        """Attempts that were opened so far."""
        return int(self.connection.llen(f"began:{session}"))

    def let_go(self, session: str) -> None:
        """End the wait of a session that plays `hold`."""
        self.connection.set(f"go:{session}", 1)

    def records(self, session: str) -> list[Record]:
        """The log, which must verify."""
        log = RedisLog(self.connection, session)
        # The head first: it says how long the log is at least, and the log may grow meanwhile.
        head = log.head()
        records = log.read()
        assert verify(records, head).ok
        return records

    def closings(self, session: str) -> list[str]:
        """How each attempt ended, "" for one that did not close."""
        records = self.records(session)
        ends: dict[int, str] = {}
        for number in range(len(records)):
            state = project(records[: number + 1])
            if state.attempt:
                ends[state.attempt] = state.closed.how if state.closed else ""
        return [ends[attempt] for attempt in sorted(ends)]

    def lease_of(self, worker: subprocess.Popen[str]) -> str:
        """The lease of a worker, once it has one."""

        def found() -> str:
            keys: Any = self.connection.smembers("rq:workers")
            for key in keys:
                pid, lease = self.connection.hmget(key, "pid", "outlast_lease")  # type: ignore[misc]  # redis-py types the answer as one that may be awaited
                if pid and lease and int(pid) == worker.pid:
                    return str(lease.decode())
            return ""

        return str(self.until("the worker is registered", found))

    def hands(self) -> dict[str, list[str]]:
        """Every hand that holds something."""
        names: Any = self.connection.keys("outlast:hand:*")
        return {name.decode(): [job.decode() for job in self.connection.lrange(name, 0, -1)] for name in names}

    def nothing_left(self) -> bool:
        """Whether no job is in any list but a queue, and no started job is registered."""
        names: Any = [*self.connection.keys("outlast:*waiters"), *self.connection.keys("rq:wip:*")]
        return not self.hands() and not names

    # Killing.

    @staticmethod
    def _tree(pid: int) -> list[psutil.Process]:
        try:
            parent = psutil.Process(pid)
            return [*parent.children(recursive=True), parent]
        except psutil.NoSuchProcess:
            return []

    def kill(self, worker: subprocess.Popen[str], *children: int) -> None:
        """SIGKILL a worker and children of it at once."""
        os.kill(worker.pid, signal.SIGKILL)
        for child in children:
            with suppress(ProcessLookupError):  # It dies with its worker.
                os.kill(child, signal.SIGKILL)
        worker.wait()


def gone(pid: int) -> bool:
    """Whether the process has ended (a zombie has)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
