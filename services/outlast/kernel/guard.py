"""The worker's side of the guardian: starts it, keeps it informed that the worker lives, reads what it says."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from ..settings import Settings
from . import launch, processes, warden
from .confine import plan, shares
from .lock import Lock
from .sandbox.identity import kill_all
from .workspace import Workspace, identity_of

#: Seconds that a guardian has for killing its tree before it is killed itself.
_CLOSE_SECONDS = 10.0
_HERE = Path(__file__).parent


def kill_leftovers(settings: Settings, session: str) -> None:
    """Kill what a kernel of this session left running here, for an attempt that died together with its guardian.

    The next guardian looks for such processes too, but only in its own container. Nothing is killed while a guardian
    holds the session's directory: it sees to its own, and the caller may be taken for dead, the session be another's.
    A directory that is not there is nobody's.
    """
    root = Path(settings.workspaces).absolute() / session
    with contextlib.ExitStack() as stack:
        try:
            if not stack.enter_context(Lock(str(root / "lock"))).try_to_take():
                return
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:  # Who holds it cannot be known, and no kernel can be started there either.
            return
        processes.kill_marked(launch.marks({launch.SESSION_MARK: session, launch.ROOT_MARK: str(root)}))
        if identity := identity_of(root):
            kill_all(identity)


class Guard:
    """One guardian process. `fileno()` becomes readable when it has something to say, or has ended."""

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        session: str,
        runtime: Path,
        connection: Path,
        attempt: int,
    ) -> None:
        python = str(settings.kernel_python_path.absolute())
        root = str(workspace.root)
        environment = launch.kernel_environment(os.environ, python, session, root)
        self._marks, self._identity = launch.marks(environment), workspace.identity
        configuration = {
            "root": root,
            "lock": str(workspace.lock),
            "runtime": str(runtime),
            "directory": str(workspace.files),
            "lease": settings.lease,
            "attempt": attempt,
            "sandbox": plan(settings, workspace, runtime).as_json(),
            "limits": shares(settings),
            "environment": environment,
            "argv": [python, "-I", str(_HERE / "inside/boot.py"), str(connection)],
        }
        beat_read, self._beat = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._status, status_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(beat_read, True)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_HERE / "guardian.py"), json.dumps(configuration)],
                stdin=beat_read,
                stdout=status_write,
                # The worker's environment holds secrets; a process's environment can be read by others of its user.
                env={name: os.environ[name] for name in launch.ALLOWED if name in os.environ},
            )
        finally:
            os.close(beat_read)
            os.close(status_write)
        #: As the guardian counts it.
        self.span = 0
        self._unread = b""
        self._is_closed = False
        self._closing = threading.Event()
        self._heart = threading.Thread(
            target=self._beat_on, args=(settings.lease / 4,), name="outlast-heartbeat", daemon=True
        )
        self._heart.start()

    @property
    def pid(self) -> int:
        """The guardian's process id."""
        return self._process.pid

    def fileno(self) -> int:
        """The descriptor of its status lines."""
        return self._status

    def events(self) -> list[dict[str, Any]]:
        """What it has said since the last call; `{"event": "gone"}` at its end."""
        if self._is_closed:
            return [{"event": "gone"}]
        ended = False
        try:
            while data := os.read(self._status, 65536):
                self._unread += data
            ended = True
        except BlockingIOError:
            pass
        *lines, self._unread = self._unread.split(b"\n")
        events: list[dict[str, Any]] = [json.loads(line) for line in lines]
        if ended:
            events.append({"event": "gone"})
        return events

    def cell_begins(self) -> None:
        """Have what the session uses watched until `cell_ends`."""
        if self._tell(b"b"):
            self.span = warden.begun(self.span)

    def cell_ends(self) -> None:
        """No cell runs any more."""
        if self._tell(b"e"):
            self.span = warden.ended(self.span)

    def interrupt(self) -> None:
        """Have the cell interrupted (SIGINT to the kernel's process group)."""
        self._tell(b"i")

    def close(self) -> None:
        """Have everything killed and wait until nothing is left (bounded); idempotent."""
        if self._is_closed:
            return
        self._is_closed = True
        self._tell(b"k")
        if not self._wait(_CLOSE_SECONDS):
            self._process.kill()
        clean = self._process.wait() == 0
        self._closing.set()
        self._heart.join()
        os.close(self._beat)
        os.close(self._status)
        if not clean:
            # Its own death kills the kernel, but not what the kernel had started.
            processes.kill_marked(self._marks)
            if self._identity:
                kill_all(self._identity)

    def _wait(self, seconds: float) -> bool:
        try:
            handle = os.pidfd_open(self._process.pid)
        except ProcessLookupError:
            return True
        try:
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            return bool(poll.poll(seconds * 1000))
        finally:
            os.close(handle)

    def _beat_on(self, every: float) -> None:
        while not self._closing.wait(every):
            self._tell(b".")

    def _tell(self, byte: bytes) -> bool:
        if self._is_closed and byte != b"k":
            return False
        # A full pipe belongs to a guardian that is stopped, a broken one to a guardian that is gone.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            return os.write(self._beat, byte) == 1
        return False
