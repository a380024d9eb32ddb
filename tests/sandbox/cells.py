"""Cells in a container, run one after the other: the test's end of `driver.py`."""

from __future__ import annotations

import json
import select
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

DRIVER = Path(__file__).parent / "driver.py"
#: Seconds for what the driver does besides the cell itself: starting a kernel, ending it, a cell deaf to its interrupt.
_BESIDE = 180.0


class Outcome(NamedTuple):
    """How a cell ended: ok, error, timeout or died; and what it printed."""

    status: str
    output: str
    seconds: float


class Gone(AssertionError):
    """The driver has ended before its input did, or does nothing any more."""


class Cells:
    """`with Cells(command, directory) as cells:`; `command` runs in a container the Python program that follows it as
    one argument: a driver, which stands for the worker. Gone once that has ended, or does not answer.
    """

    def __init__(self, command: Sequence[str], directory: Path, driver: Path = DRIVER) -> None:
        self._process = subprocess.Popen(
            [*command, driver.read_text(encoding="utf-8")],
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self._unread = b""
        self.about: dict[str, Any] = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    @property
    def alive(self) -> bool:
        """Whether the driver still runs."""
        return self._process.poll() is None

    def run(self, session: str, code: str, language: str = "python", timeout: float = 60.0) -> Outcome:
        """Run a cell in the session's kernel, which is started if it has none."""
        answer = self._ask(timeout, session=session, code=code, language=language, timeout=timeout)
        return Outcome(answer["status"], answer["output"], answer["seconds"])

    def close(self, session: str) -> None:
        """End the session's kernel; the next cell gets a new one."""
        self._ask(0, session=session, close=True)

    def memory(self) -> int:
        """Bytes that the driver has resident."""
        return int(self._ask(0, memory=True)["bytes"])

    def _ask(self, seconds: float, /, **request: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise Gone("the process that ran the cells is gone") from None
        return self._read(seconds)

    def _read(self, seconds: float = 0.0) -> dict[str, Any]:
        assert self._process.stdout is not None
        until = time.monotonic() + seconds + _BESIDE
        while b"\n" not in self._unread:
            if not select.select([self._process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                raise Gone("the process that ran the cells does not answer")
            data = self._process.stdout.read(1 << 16)
            if not data:
                raise Gone("the process that ran the cells is gone")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise Gone(f"the process that ran the cells is no longer who answers: {line[:200]!r}") from None
        return answer
