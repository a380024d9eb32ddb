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
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import psutil
from click.testing import CliRunner
from rq.cli.cli import main as rq

from outlast.drill.scripted_model import Script, ScriptedModel
from outlast.log.project import Projection
from outlast.log.records import Record, RecordId
from outlast.log.redis_log import connect
from tests import warm
from tests.observer import PATIENCE, Observer
from tests.ports import free_port
from tests.redis_server import RedisServer

ROOT = Path(__file__).parent.parent


class Fleet(Observer):
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
        warm_workers: bool = False,
        worker_class: str = "outlast.queue.Worker",
    ) -> None:
        self.directory = directory
        self._script, self._count = script, workers
        self.workspaces, self.data = directory / "sessions", directory / "data"
        self._kernel_python = kernel_python
        self._extra = dict(environment or {})
        self._given_server = server
        #: Whether workers are forked from one that has imported everything.
        self._warm_workers = warm_workers
        self._worker_class = worker_class
        self._stack = ExitStack()
        self.workers: dict[str, warm.Running] = {}

    def __enter__(self) -> Self:
        for path in (self.directory / "redis", self.workspaces, self.data):
            path.mkdir(parents=True, exist_ok=True)
        try:
            self.redis = self._given_server or RedisServer(self.directory / "redis")
            if self._given_server is None:
                self._stack.callback(self.redis.kill)
            self.model = self._stack.enter_context(ScriptedModel(self._script, port=free_port()))
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
        paths = [str(ROOT / "services"), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return kept | {
            "PYTHONPATH": os.pathsep.join(paths),
            "RQ_REDIS_URL": self.redis.url,
            "OUTLAST_MODEL_URL": self.model.url,
            "OUTLAST_WORKSPACES": str(self.workspaces),
            "OUTLAST_DATA": str(self.data),
            "OUTLAST_KERNEL_PYTHON": str(self._kernel_python),
            "OUTLAST_SANDBOX": "reduced",
            **self._extra,
        }

    def start_worker(
        self, name: str, *arguments: str, within: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> warm.Running:
        """Start a worker; its output goes to `<name>.log` in the directory. `within`: a command that runs it."""
        words = ["worker", "--worker-class", self._worker_class, "--name", name, *arguments]
        its_own = self.environment | dict(environment or {})
        log = self.directory / f"{name}.log"
        if self._warm_workers and not within:
            self.workers[name] = warm.start(words, its_own, self.directory, log)
            return self.workers[name]
        with log.open("ab") as out:
            self.workers[name] = subprocess.Popen(
                [*within, sys.executable, "-m", "rq.cli", *words],
                env=its_own,
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
        return self.workers[name]

    def rq(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The stock `rq` command, as a client."""
        return self._client("rq.cli", *arguments)

    def outlast(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command `outlast`, as a client."""
        return self._client("outlast", *arguments)

    def _client(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=self.environment | {"RQ_REDIS_URL": self.redis.client_url},
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def enqueue(self, session: str, prompt: str = "go", *options: str) -> None:
        """`rq enqueue outlast.run prompt=… --job-id <session>`: the command itself, without the start of a Python."""
        words = ["enqueue", "--url", self.redis.client_url, "--job-id", session]
        done = CliRunner().invoke(rq, [*words, "outlast.run", f"prompt={prompt}", *options])
        if done.exit_code:
            raise AssertionError(f"{done.output}{done.exception or ''}")

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
    def tree_of(process: warm.Running) -> list[psutil.Process]:
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
