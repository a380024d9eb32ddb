"""A whole Outlast on one machine: real Redis, real `rq` workers, real kernels; only the model is a script.

For tests of the whole and for `bench/`. Waiting is on the session's log (XREAD BLOCK), never on the clock;
kills are SIGKILL to processes that this fleet started, found as an operator would find them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import psutil

from outlast.log.project import Projection
from outlast.log.records import Record, RecordId
from outlast.log.redis_log import RedisLog, connect
from outlast.log.verify import Verdict, verify
from tests.redis_server import RedisServer
from tests.scripted_model import Script, ScriptedModel

ROOT = Path(__file__).parent.parent
#: Seconds after which a test stops waiting for a record that should have come.
PATIENCE = 120.0


class NeverHappened(AssertionError):
    """What a test waited for did not come; the message holds the end of the log."""


class Fleet:
    """`with Fleet(tmp_path, script, kernel_python) as fleet:`; everything it started ends with the block."""

    def __init__(
        self,
        directory: Path,
        script: Script,
        kernel_python: Path,
        *,
        workers: int = 2,
        environment: Mapping[str, str] | None = None,
        server: RedisServer | None = None,
    ) -> None:
        self.directory = directory
        self._script, self._count = script, workers
        self.workspaces, self.data = directory / "sessions", directory / "data"
        self._kernel_python = kernel_python
        self._extra = dict(environment or {})
        self._given_server = server
        self._stack = ExitStack()
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        for path in (self.directory / "redis", self.workspaces, self.data):
            path.mkdir(parents=True, exist_ok=True)
        try:
            self.redis = self._given_server or RedisServer(self.directory / "redis")
            if self._given_server is None:
                self._stack.callback(self.redis.kill)
            self.model = self._stack.enter_context(ScriptedModel(self._script))
            self.connection = connect(self.redis.url)
            self._stack.callback(self.connection.close)
            for number in range(1, self._count + 1):
                self.start_worker(f"worker-{number}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.workers):
            self.kill_worker(name)
        self._stack.close()

    @property
    def environment(self) -> dict[str, str]:
        """What the workers and the commands get."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAST_", "RQ_"))}
        paths = [str(ROOT / "services"), *filter(None, [os.environ.get("PYTHONPATH")])]
        return kept | {
            "PYTHONPATH": os.pathsep.join(paths),
            "RQ_REDIS_URL": self.redis.url,
            "OUTLAST_MODEL_URL": self.model.url,
            "OUTLAST_WORKSPACES": str(self.workspaces),
            "OUTLAST_DATA": str(self.data),
            "OUTLAST_KERNEL_PYTHON": str(self._kernel_python),
            **self._extra,
        }

    def start_worker(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start a worker; its output goes to `<name>.log` in the directory."""
        command = ["-m", "rq.cli", "worker", "--worker-class", "outlast.queue.Worker", "--name", name, *arguments]
        with (self.directory / f"{name}.log").open("ab") as log:
            self.workers[name] = subprocess.Popen(
                [sys.executable, *command],
                env=self.environment,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.workers[name]

    def rq(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The stock `rq` command, as a client."""
        return subprocess.run(
            [sys.executable, "-m", "rq.cli", *arguments],
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def enqueue(self, session: str, prompt: str = "go", *options: str) -> None:
        """`rq enqueue outlast.run prompt=… --job-id <session>`."""
        done = self.rq("enqueue", "--job-id", session, "outlast.run", f"prompt={prompt}", *options)
        if done.returncode:
            raise AssertionError(done.stderr)

    def log(self, session: str) -> RedisLog:
        """The session's log."""
        return RedisLog(self.connection, session)

    def state(self, session: str) -> Projection:
        """What the log says now."""
        state = Projection()
        for record in self.log(session).read():
            state.add(record)
        return state

    def wait(
        self, session: str, holds: Callable[[Projection, Record], bool], patience: float = PATIENCE
    ) -> tuple[Projection, Record]:
        """Follow the log from its start until `holds(state, record)`; NeverHappened if it does not."""
        log, state, after = self.log(session), Projection(), None
        deadline = time.monotonic() + patience
        records: list[Record] = []
        while time.monotonic() < deadline:
            for record in log.follow(after, 1.0):
                after = record.id
                records.append(record)
                state.add(record)
                if holds(state, record):
                    return state, record
        raise NeverHappened("\n".join(f"{record.id} {record.type} {record.raw[:300]}" for record in records[-12:]))

    def finished(self, session: str, patience: float = PATIENCE) -> Projection:
        """Wait until an attempt closes the session as finished or failed."""
        state, _ = self.wait(
            session, lambda state, _: state.closed is not None and state.closed.how in ("finished", "failed"), patience
        )
        return state

    def job_status(self, job: str, *wanted: str) -> str:
        """Wait until RQ says that the job has one of the statuses `wanted`."""
        deadline = time.monotonic() + PATIENCE
        while True:
            stored: Any = self.connection.hget(f"rq:job:{job}", "status")
            status = stored.decode() if stored else ""
            if status in wanted:
                return status
            if time.monotonic() > deadline:
                raise NeverHappened(f"job {job} is {status!r}, not {wanted}")
            time.sleep(0.02)

    def verify(self, session: str) -> Verdict:
        """What `outlast verify` says."""
        log = self.log(session)
        return verify(log.read(), log.head())

    def holder(self, session: str) -> str:
        """Name of the worker that holds the session's open attempt."""
        head = self.log(session).head()
        if head is None or not head.holder:
            raise AssertionError(f"nobody holds {session}")
        return head.holder.rpartition(".")[0]

    def tree(self, worker: str) -> list[psutil.Process]:
        """The worker's process, its child, the guardian and the kernel with all that it started."""
        root = psutil.Process(self.workers[worker].pid)
        return [root, *root.children(recursive=True)]

    def kill_worker(self, name: str) -> None:
        """SIGKILL to the worker and everything below it."""
        process = self.workers.pop(name)
        victims = self.tree_of(process)
        for victim in victims:
            kill(victim.pid)
        process.wait()
        psutil.wait_procs(victims, timeout=PATIENCE)

    @staticmethod
    def tree_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
        """As `tree`, for a process that may be gone."""
        try:
            root = psutil.Process(process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill_holder(self, session: str) -> float:
        """SIGKILL to the worker that holds the session, its child and its kernel; returns the time of the kill."""
        name = self.holder(session)
        at = time.time()
        self.kill_worker(name)
        return at


def kill(pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, how)


def started_cell(number: int) -> Callable[[Projection, Record], bool]:
    """For `Fleet.wait`: cell `number` runs and has said something."""
    return lambda state, record: record.type == "cell.output" and state.cell == number


def first_id(records: list[Record], type_name: str) -> RecordId:
    """The id of the first record of a type; LookupError if there is none."""
    return next(record.id for record in records if record.type == type_name)
