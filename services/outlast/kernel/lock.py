"""The lock on a session's directory (`flock`), and in its file the number of the newest attempt that has asked for it.

The lock passes on only when its holder's last process is gone. The number has the holder see to that: a newer attempt
is open, so its own is over, and its worker may be unable to hear of it (cut off from Redis, or its parent stopped)
while it lives and gives signs of life. Only guardians write here; all that a session could make of the file is the end
of its own kernel.
"""

from __future__ import annotations

import contextlib
import fcntl
import os

#: Bytes of the file: always as many, so that nobody reads a part of a number.
_BYTES = 20


class Lock:
    """Of a kernel of `attempt` (0: of none, for which nobody gives way); not taken yet. OSError if there is no file."""

    def __init__(self, path: str, attempt: int = 0) -> None:
        self._attempt = attempt
        # Not inherited by the kernel; it goes with the guardian's process.
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)

    def __enter__(self) -> Lock:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def try_to_take(self) -> bool:
        """Whether it was free."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self._write()
        return True

    def take(self) -> None:
        """Return once it is taken."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._write()

    def ask(self) -> None:
        """Have an older attempt give way. To be repeated: who took it at the same moment may have written after us."""
        if self._newest() < self._attempt:
            self._write()

    def is_asked_for(self) -> bool:
        """Whether a newer attempt waits for it."""
        return self._newest() > self._attempt

    def _newest(self) -> int:
        number = os.pread(self._file, _BYTES, 0).strip()
        return int(number) if number.isdigit() else 0

    def _write(self) -> None:
        # Who takes it writes whatever stands there: where Redis was restored from a backup, attempts count from there.
        # A full disk costs no more than that an older attempt is not asked.
        with contextlib.suppress(OSError):
            if self._attempt:
                os.pwrite(self._file, str(self._attempt).ljust(_BYTES).encode(), 0)
