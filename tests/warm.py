"""Workers that are forked from a process which has imported all that they need: ten take the time of one.

They run the same command as `python -m rq.cli worker …`, in an environment, a directory and with a log of their own.
What is spared is the import, which is most of what a test of a short session would cost.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import wait
from pathlib import Path
from typing import Protocol, cast

ROOT = Path(__file__).parent.parent
#: What a worker and its children come to import.
_MODULES = ("rq.cli", "outlast.queue.worker", "outlast.attempt.session")

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(list(_MODULES))


class Running(Protocol):
    """What the tests need of a process that they started; as subprocess.Popen has it."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def terminate(self) -> None: ...


def start(arguments: Sequence[str], environment: Mapping[str, str], directory: Path, log: Path) -> Running:
    """`rq …` in a process of its own; its output is appended to `log`."""
    _ensure_running()
    process = _context.Process(
        target=_rq, args=(list(arguments), dict(environment), str(directory), str(log)), daemon=True
    )
    process.start()
    return _Forked(process)


def _ensure_running() -> None:
    # It has no other way to find what it is to import.
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join((str(ROOT / "services"), str(ROOT)))
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def _rq(arguments: list[str], environment: dict[str, str], directory: str, log: str) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(directory)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(out, stream)
    sys.argv = ["rq", *arguments]
    from rq.cli.cli import main

    main()


class _Forked:
    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        self._process = process
        self.pid = cast(int, process.pid)
        # The code is read once, from a pipe: of two threads that ask, one would find it empty.
        self._asking = threading.Lock()

    @property
    def returncode(self) -> int | None:
        with self._asking:
            return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        wait([self._process.sentinel], timeout)
        if (code := self.returncode) is None:
            raise subprocess.TimeoutExpired("rq", timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)
