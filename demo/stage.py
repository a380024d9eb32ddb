"""The processes of the demo: a Redis, a model server that plays a script, two workers.

Theory of operation: all of them are children of the demo, in sessions of their own (Ctrl-C reaches only the demo),
end with it (`setpriv --pdeathsig`, where there is one), listen on the loopback interface only and keep everything
under one temporary directory. The workers are the stock `rq worker` with Outlast's worker class.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Self

import redis

from outlast.kernel import confine
from outlast.log.redis_log import connect
from outlast.settings import Settings
from tests.redis_server import RedisServer

ROOT = Path(__file__).parent.parent
SESSION = "sales"
WORKERS = ("worker-1", "worker-2")

#: Seconds that a part may take to start before the demo gives up.
START_SECONDS = 120.0
#: Seconds that a worker gets to leave when it is asked to.
STOP_SECONDS = 10.0


class StageError(Exception):
    """Something of the stage is missing or does not start; the message says what to do."""


class Stage:
    """Everything that the demo needs, under `directory`; leaving the context stops it and removes the directory."""

    def __init__(self, script: Path, *, keep: bool) -> None:
        self._script, self._keep = script, keep
        self.kernel_python = Path(os.environ.get("OUTLAST_KERNEL_PYTHON") or ROOT / ".venv-kernel/bin/python")
        self.directory = Path(tempfile.mkdtemp(prefix="outlast-demo-"))
        self.data = self._folder("data")
        self.workspaces = self._folder("sessions")
        self.logs = self._folder("logs")
        self.workers: dict[str, subprocess.Popen[bytes]] = {}
        self._others: list[subprocess.Popen[bytes]] = []
        self._redis: RedisServer | None = None
        self.model_url = ""

    def _folder(self, name: str) -> Path:
        folder = self.directory / name
        folder.mkdir()
        return folder

    @property
    def redis_url(self) -> str:
        """Valid once `start_redis` has returned."""
        assert self._redis is not None
        return self._redis.url

    @property
    def files(self) -> Path:
        """Where the session's cells work."""
        return self.workspaces / SESSION / "files"

    def connection(self) -> redis.Redis:
        """A client for one thread."""
        return connect(self.redis_url)

    def environment(self) -> dict[str, str]:
        """What every process of the demo gets; no setting of the user's own Outlast."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAST_", "RQ_"))}
        return own | {
            "PYTHONPATH": str(ROOT / "services"),
            "PYTHONUNBUFFERED": "1",
            "RQ_REDIS_URL": self.redis_url,
            "OUTLAST_MODEL_URL": self.model_url,
            "OUTLAST_DATA": str(self.data),
            "OUTLAST_WORKSPACES": str(self.workspaces),
            "OUTLAST_KERNEL_PYTHON": str(self.kernel_python),
            # Without root there is no user for each session, and the demo must run for everybody.
            "OUTLAST_SANDBOX": "reduced",
        }

    def start_redis(self) -> str:
        """Start the Redis; returns its name and version."""
        self._redis = RedisServer(self._folder("redis"))
        with self.connection() as client:
            info = client.info("server")
        name = "Valkey" if "valkey_version" in info else "Redis"
        return f"{name} {info.get('valkey_version') or info['redis_version']}"

    def start_model(self) -> None:
        """Start the scripted model server."""
        port_file = self.directory / "model.port"
        program = ROOT / "services/outlast/drill/scripted_model.py"
        command = [sys.executable, str(program), str(self._script), "--port-file", str(port_file)]
        process = self._start("model", command, {})
        self._others.append(process)
        self._wait_for("the scripted model", process, port_file.exists)
        self.model_url = f"http://127.0.0.1:{port_file.read_text(encoding='ascii')}/v1"

    def sandbox(self) -> str:
        """What confines the cells here, in words."""
        found = confine.found(Settings.load(self.environment()))
        lacking = [f"without `{layer.name}`, for {layer.reason}" for layer in found.lacking]
        return "; ".join([f"{found.mode}: {', '.join(found.layers)}", *lacking])

    def start_workers(self) -> None:
        """Start both workers; returns once both take jobs."""
        if not self.kernel_python.exists():
            raise StageError(f"there is no Python for the kernels at {self.kernel_python}; run `make venv` first.")
        for name in WORKERS:
            command = [self.program("rq"), "worker", "--worker-class", "outlast.queue.Worker", "--name", name]
            self.workers[name] = self._start(name, command, self.environment())
        with self.connection() as client:
            for name, process in self.workers.items():
                self._wait_for(name, process, partial(_is_idle, client, name))

    def enqueue_command(self, prompt: str, file: Path) -> list[str]:
        """The stock command that starts the job."""
        return [
            "rq", "enqueue", "outlast.run", f"prompt={prompt}", f'files:=["{file.name}"]', "--job-id", SESSION,
        ]  # fmt: skip

    def enqueue(self, command: list[str]) -> None:
        """Run it."""
        done = subprocess.run(
            [self.program(command[0]), *command[1:]], env=self.environment(), cwd=self.directory, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise StageError(f"rq enqueue failed: {done.stderr.strip() or done.stdout.strip()}")

    def program(self, name: str) -> str:
        """A program of the environment that runs the demo."""
        path = Path(sys.executable).parent / name
        if not path.exists():
            raise StageError(f"{name} is not beside {sys.executable}; run `make venv` first.")
        return str(path)

    def gone(self) -> list[str]:
        """Workers that have ended."""
        return [name for name, process in self.workers.items() if process.poll() is not None]

    def tail(self, name: str, lines: int = 15) -> str:
        """The end of a process's log."""
        path = self.logs / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def _start(self, name: str, command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
        bound = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with (self.logs / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                [*bound, *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=environment or None,
                start_new_session=True,
            )

    def _wait_for(self, name: str, process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if process.poll() is not None:
                raise StageError(f"{name} ended at once:\n{self.tail(name.split()[-1])}")
            if time.monotonic() > deadline:
                raise StageError(f"{name} did not start within {START_SECONDS:.0f} s.")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop everything, workers first, and remove the directory."""
        running = [process for process in self.workers.values() if process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in [*running, *self._others]:
            if process not in running:
                process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._redis is not None:
            self._redis.stop()
        if not self._keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _is_idle(client: redis.Redis, name: str) -> bool:
    """Whether RQ's worker `name` has come up and waits for jobs."""
    return client.hget(f"rq:worker:{name}", "state") == b"idle"
