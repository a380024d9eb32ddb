"""The process that moves one session forward, as its parent sees it and as it begins.

The child dies with its parent (PR_SET_PDEATHSIG), so that an attempt never runs unwatched; it leads a session of its
own, so that a Ctrl-C typed at the worker reaches only the parent, and so that the parent can kill it with whatever
it started. Its exit code says nothing about the session: the log does. Only a request that turns out to be
refused is told to the parent, over a pipe.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import random
import select
import signal
from collections.abc import Callable
from typing import Never

from outlast import memory
from outlast.errors import LogDamaged, Refused
from outlast.stop import StopSignal

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
#: Loaded before any fork: a child must not need the loader's locks.
_libc = ctypes.CDLL(None, use_errno=True)

#: Characters of a refusal that the parent gets; fits a pipe's buffer in any encoding, so the child never blocks.
_LONGEST_REFUSAL = 4000

_OUR_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGHUP)


class Child:
    """A forked child. `fileno()` becomes readable when it has ended."""

    def __init__(self, pid: int, refusal: int) -> None:
        self.pid = pid
        self._refusal = refusal
        self._pidfd = os.pidfd_open(pid)

    def fileno(self) -> int:
        return self._pidfd

    @property
    def ended(self) -> bool:
        """Whether it has ended; it still is to be reaped."""
        return bool(select.select([self._pidfd], [], [], 0)[0])

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child alone; nothing if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def kill(self) -> None:
        """SIGKILL the child and its group. Its kernel dies through its guardian, which has a group of its own."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            # Not yet a leader of its group, or already gone; the descriptor names it in either case.
            self.signal(signal.SIGKILL)

    def reap(self) -> tuple[int, str]:
        """Wait for the end: (exit code, negative for a signal; the sentence of a refusal or "")."""
        _, status = os.waitpid(self.pid, 0)
        os.close(self._pidfd)
        with os.fdopen(self._refusal, "rb") as pipe:
            told = pipe.read()
        return os.waitstatus_to_exitcode(status), json.loads(told) if told else ""


def fork(body: Callable[[StopSignal], None]) -> Child:
    """Run `body(stop)` in a child. Its exit codes: 0 done, 1 raised (logged)."""
    parent = os.getpid()
    read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    # Until the child has its own handlers, a signal must wait: the parent's would run in it.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _OUR_SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            os.close(read)
            _begin(parent, write, body, blocked)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    os.close(write)
    return Child(pid, read)


def _begin(parent: int, told: int, body: Callable[[StopSignal], None], blocked: set[int | signal.Signals]) -> Never:
    code = 1
    try:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            # The parent died before it could be watched.
            os._exit(1)
        os.setsid()
        signal.set_wakeup_fd(-1)
        random.seed()
        stop = StopSignal()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, lambda number, frame: stop.set("drain"))
        signal.signal(signal.SIGUSR1, lambda number, frame: stop.set("cancel"))
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        # Before others go short of it: this child alone ends, and its session goes on in another.
        memory.bound()
        body(stop)
        code = 0
    except (Refused, LogDamaged) as refusal:
        os.write(told, json.dumps(str(refusal)[:_LONGEST_REFUSAL]).encode())
        code = 0
    except BaseException as error:
        log.error("attempt.crashed", exc_info=True, extra={"error": type(error).__name__})
    finally:
        # Not sys.exit: what the parent registered to run at its own end is not the child's to run.
        logging.shutdown()
        os._exit(code)
