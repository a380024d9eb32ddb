"""vLLM as a child in a process group of its own: its log passed through and read, asked to stop, or ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from .ladder import Shortage, diagnose

#: vLLM says so when it was asked to stop and its last request is done. Its processes may take a quarter of a minute
#: more to leave, with nothing in them that is worth the wait.
_DRAINED = re.compile(r"\[shutdown\] EngineCore: request processing complete")
#: Seconds from then on for the last replies to reach their clients.
_FLUSH = 2.0
#: The last line of a traceback, whatever stands before it.
_ERROR = re.compile(r"(?:^|\s)([A-Z]\w*Error: .+)")


class Server:
    """A running vLLM. It has processes of its own below it; all of them are gone after `stop` or `end`."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        #: What its log said: the memory that is short, and the first error of any kind.
        self.shortage: Shortage | None = None
        self.error = ""
        self._drained = threading.Event()
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
        """Ask it to finish what it is doing, and to leave; whether its requests were done within `seconds`."""
        self._process.terminate()
        deadline = time.monotonic() + seconds
        while self.code is None and not self._drained.wait(0.1) and time.monotonic() < deadline:
            pass
        if self._drained.is_set():
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_FLUSH)
        done = self._drained.is_set() or self.code is not None
        self.end()
        return done

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
            text = line.decode(errors="replace")
            # The first sign is the cause; what follows are consequences.
            self.shortage = self.shortage or diagnose(text)
            if not self.error and (found := _ERROR.search(text)):
                self.error = found[1].strip()
            if _DRAINED.search(text):
                self._drained.set()
