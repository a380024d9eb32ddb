"""vLLM as a child in a process group of its own: its log passed through and read, asked to stop, or ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

from .ladder import Shortage, diagnose


class Server:
    """A running vLLM. It has processes of its own below it; all of them are gone after `stop` or `end`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.shortage: Shortage | None = None
        # A group of its own: a signal to the launcher's group must not reach vLLM twice.
        self._process = subprocess.Popen(
            command,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._pass_on, daemon=True)
        self._reader.start()

    @property
    def code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def stop(self, seconds: float) -> bool:
        """Ask it to finish what it is doing and to leave; whether it did within `seconds`."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()
            return False
        self.end()
        return True

    def end(self) -> None:
        """Kill whatever is left of it, and read its log to the end."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # A process that left the group would hold the pipe open; what it says does not matter any more.
        self._reader.join(5)

    def _pass_on(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
            # The first sign is the cause; what follows are consequences.
            self.shortage = self.shortage or diagnose(line.decode(errors="replace"))
