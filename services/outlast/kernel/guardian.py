"""The guardian: kills one session's kernel when its worker is gone, and holds the session's directory until then.

Theory of operation
===================

The worker's child starts `python -I -S guardian.py <configuration as JSON>`; the guardian starts the kernel; the
kernel starts whatever the cells ask for. The guardian is outside the sandbox and runs no code of a session.

    worker's child ──(heartbeats, commands)──▶ guardian ──fork──▶ kernel ──▶ its children
                   ◀──(status lines)──────────          ◀─stderr─

- It leads a session of its own, so that a kill of the worker's process group misses it, and it adopts orphans
  (PR_SET_CHILD_SUBREAPER): a daemon that a cell double-forks stays below it and can be found.
- It holds an exclusive `flock` on the session's lock file from before the kernel starts until the last process
  below it is gone; the kernel does not inherit the descriptor. A successor, on this host or on another that
  mounts the same directory, waits for that lock (here) and says so (there).
- A newer attempt that waits for the lock is open, so that of this guardian is over: everything is killed at once,
  whatever signs of life its worker gives, which may be cut off from Redis (`lock.py`).
- Who dies with whom: worker's child dies → its end of the pipe closes → everything is killed at once. Worker is
  stopped or hangs → no heartbeat for two leases → the same. Guardian dies → the kernel gets SIGKILL from the
  system (parent-death signal); what the kernel had started is killed by the worker (by its child, or after the child's
  death by itself), or else by the next guardian of the session if that is in the same container, which looks for the
  session's mark in every process's environment. Kernel dies → what it had
  started is killed, and the worker is told how it died.
- Killing: SIGKILL to everything below, then wait until there is no child left. A process that forks while it is
  being killed leaves an orphan, which becomes a child of the guardian: the loop ends only when there is none.

Standard input: one byte a message: `.` heartbeat, `i` interrupt the cell (SIGINT to the kernel's process group),
`b` a cell begins, `e` it has ended, `k` kill all. End of file means `k`. Standard output: one JSON object a line, its
`event` one of `waiting`, `locked`, `started` (`pid`), `over` (`span`, `reason`: the cell of this span uses more of the
disk than it may), `failed` (`reason`), `lapsed` (no heartbeat came), `superseded` (a newer attempt asks for the lock),
`exit` (`status`, `signal`, `memory`: whether it ran out, `share`: a session's part of it, `words`, `over`: why the
guardian ended it between two cells). After the last four it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from . import launch, lock, processes, sandbox, warden
    from .sandbox import identity, removal
else:
    # Run as a script, it finds them beside itself.
    sys.path.append(os.path.dirname(os.path.abspath(__file__)))
    import launch
    import lock
    import processes
    import sandbox
    import warden
    from sandbox import identity, removal

_PR_SET_CHILD_SUBREAPER = 36
#: Bytes of the kernel's standard error that are kept to explain its end.
_LAST_WORDS = 4096


class Guardian:
    """One guardian; `run` is its whole life."""

    def __init__(self, configuration: dict[str, Any]) -> None:
        self._configuration = configuration
        self._plan = sandbox.Plan.from_json(configuration["sandbox"])
        self._lock = lock.Lock(configuration["lock"], configuration["attempt"])
        self._patience: float = 2 * configuration["lease"]
        self._kernel = 0
        self._warden: warden.Warden | None = None
        self._words = b""
        self._over = ""
        self._is_out_of_memory = False
        self._memory_kills = processes.out_of_memory_kills()
        self._children, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake)
        self._poll = select.poll()
        for descriptor in (0, self._children):
            self._poll.register(descriptor, select.POLLIN)
        self._last_beat = time.monotonic()

    def run(self) -> NoReturn:
        """Take the lock, start the kernel, watch; ends the process."""
        self._take_lock()
        self._say(event="locked")
        try:
            self._clean()
            self._start()
        except OSError as error:
            self._say(event="failed", reason=f"{error.strerror or error}: {error.filename}")
            self._end()
        self._say(event="started", pid=self._kernel)
        self._watch()
        while True:
            ready = self._wait()
            if self._lock.is_asked_for():
                self._say(event="superseded")
                self._end()
            if self._last_words in ready:
                self._read_last_words()
            if self._children in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._children, 4096)
                self._reap()

    # -- the lock -------------------------------------------------------------------------------------------

    def _take_lock(self) -> None:
        if self._lock.try_to_take():
            return
        self._say(event="waiting")
        # The wait itself is a thread's, so that the heartbeats are watched meanwhile.
        taken, tell = os.pipe2(os.O_CLOEXEC)

        def wait() -> None:
            self._lock.take()
            os.write(tell, b"!")

        waiter = threading.Thread(target=wait, daemon=True)
        waiter.start()
        self._poll.register(taken, select.POLLIN)
        self._lock.ask()
        while taken not in self._wait():
            self._lock.ask()
        self._poll.unregister(taken)
        waiter.join()

    # -- start ----------------------------------------------------------------------------------------------

    def _clean(self) -> None:
        """Kill what an earlier kernel of this session left behind here; empty HOME, of which nothing may survive."""
        processes.kill_marked(launch.marks(self._configuration["environment"]))
        self._kill_user()
        root = self._configuration["root"]
        removal.remove(f"{root}/home", self._plan.identity)
        with identity.acting_as(self._plan.identity):
            for name in ("home", "tmp", "files"):
                os.makedirs(f"{root}/{name}", mode=0o700, exist_ok=True)

    def _start(self) -> None:
        self._last_words, write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._last_words, False)
        here = self._configuration
        self._kernel = os.fork()
        if self._kernel:
            self._handle = os.pidfd_open(self._kernel)
        else:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            # The worker reaches the kernel's sockets by the session's group.
            umask = 0o007 if self._plan.identity else 0o077
            launch.become_kernel(
                here["argv"],
                here["environment"],
                here["directory"],
                umask,
                lambda: sandbox.enter(self._plan),
                write_end,
            )
        os.close(write_end)
        self._poll.register(self._last_words, select.POLLIN)

    def _watch(self) -> None:
        here = self._configuration
        limits = warden.Limits(**here["limits"])
        self._warden = warden.Warden(
            here["root"], self._plan.identity, limits, self._too_much, self._out_of_memory, kernel=self._kernel
        )
        self._warden.start()

    def _too_much(self, reason: str, span: int) -> None:
        """Have the worker stop the cell; where none runs there is nobody to ask, and the kernel ends."""
        if span & 1:
            self._say(event="over", reason=reason, span=span)
        else:
            self._over = reason
            self._kill_kernel()

    def _out_of_memory(self) -> None:
        """End it as Linux would next, and maybe others with it."""
        self._is_out_of_memory = True
        self._kill_kernel()

    def _kill_kernel(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    # -- watching -------------------------------------------------------------------------------------------

    def _wait(self) -> set[int]:
        """Wait for something to happen; what is readable. Ends the process when the worker is gone."""
        left = self._last_beat + self._patience - time.monotonic()
        ready = {descriptor for descriptor, _ in self._poll.poll(max(0, left) * 1000)}
        if 0 in ready:
            for command in os.read(0, 4096) or b"k":
                if command == ord("k"):
                    self._end()
                if command == ord("i") and self._kernel:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(self._kernel, signal.SIGINT)
                if command == ord("b") and self._warden:
                    # What Linux has ended before, in this container, was not for this cell.
                    self._memory_kills = processes.out_of_memory_kills()
                    self._warden.cell_begins()
                if command == ord("e") and self._warden:
                    self._warden.cell_ends()
            self._last_beat = time.monotonic()
        elif time.monotonic() >= self._last_beat + self._patience:
            self._say(event="lapsed")
            self._end()
        return ready

    def _reap(self) -> None:
        """Take the status of every child that has ended; the kernel's is the end of this guardian too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._kernel:
                self._kernel_ended(os.waitstatus_to_exitcode(status))

    def _kernel_ended(self, code: int) -> NoReturn:
        self._read_last_words()
        self._kill_all()
        self._say(
            event="exit",
            status=max(code, 0),
            signal=max(-code, 0),
            memory=self._is_out_of_memory or processes.out_of_memory_kills() > self._memory_kills,
            share=warden.size(share) if (share := self._configuration["limits"]["memory"]) else "",
            words=self._words.decode("utf-8", "replace"),
            over=self._over,
        )
        self._end()

    def _read_last_words(self) -> None:
        """Once: whoever writes without end must not keep this process from all else."""
        try:
            data = os.read(self._last_words, 65536)
        except BlockingIOError:
            return
        self._words = (self._words + data)[-_LAST_WORDS:]
        if not data:
            with contextlib.suppress(KeyError):
                self._poll.unregister(self._last_words)

    # -- the end --------------------------------------------------------------------------------------------

    def _kill_all(self) -> None:
        """Return when no process is left below this one. It may take for ever: the lock must not go before them."""
        self._kill_user()
        while True:
            processes.kill(processes.descendants(os.getpid()))
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break

    def _kill_user(self) -> None:
        """Kill what runs as the session's user, wherever in this container: nobody else is that user.

        Before the search for descendants, which a chain of processes that fork and end at once outruns.
        """
        if self._plan.identity:
            identity.kill_all(self._plan.identity)
            removal.remove_shared_memory(self._plan.identity)

    def _end(self) -> NoReturn:
        self._kill_all()
        removal.remove(self._configuration["runtime"], self._plan.identity)
        os._exit(0)  # This closes the lock's descriptor, and nothing else may happen after that.

    def _say(self, **line: Any) -> None:
        # A worker that is gone or does not read must not stop the guardian from doing its work.
        with contextlib.suppress(OSError):
            os.write(1, json.dumps(line).encode() + b"\n")


def main() -> None:
    """Become the guardian."""
    os.setsid()
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)  # It ends with its kernel, and by nothing else that can be ignored.
    os.set_blocking(1, False)
    Guardian(json.loads(sys.argv[1])).run()


if __name__ == "__main__":
    main()
