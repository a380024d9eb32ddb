"""Runs cells in real kernels, in the worker's container: one JSON object a line in, one a line out.

In: `session`, `code`, and if need be `language`, `timeout`; or `session` and `close`; or `memory`. Out: `status`,
`output`, `seconds`; or `bytes`, what this process and those below it that are no session's have resident.

Each session has a process of its own, as an attempt has, which has a kernel with a workspace and a user of its own,
started at its first cell. If that process ends, the session gets another at its next cell.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Iterable
from typing import Any

from outlast import memory, secrecy
from outlast.errors import KernelDied, KernelUnusable
from outlast.kernel.client import Kernel
from outlast.kernel.confine import confinement
from outlast.kernel.sandbox.identity import Identity
from outlast.kernel.workspace import FIRST_UID, Workspace
from outlast.settings import Settings
from outlast.stop import StopSignal

#: Far from those that the workers beside it give to their sessions, and from those of another run on this machine.
_FIRST = FIRST_UID + 240_000_000 + os.getpid() % 100 + random.randrange(5000) * 1000


class Listener:
    """In a process of its own: one session's kernel, if it lives."""

    def __init__(self, session: str, uid: int) -> None:
        self._settings = Settings.load()
        self._session, self._uid = session, uid
        self._kernel: Kernel | None = None
        self._stop = StopSignal()

    def run(self, code: str, language: str = "python", timeout: float = 60.0) -> dict[str, Any]:
        """Run one cell; a kernel that dies of it is replaced at the next."""
        began = time.monotonic()
        try:
            result = self._ready().run(
                language,
                code,
                cell=1,
                stop=self._stop,
                on_output=lambda text: None,
                cell_timeout=timeout,
                cell_stall=0,
            )
            status, output = result.status, result.output
        except (KernelDied, KernelUnusable) as died:
            status, output = "died", str(died)
            self.close()
        return {"status": status, "output": output, "seconds": time.monotonic() - began}

    def close(self) -> None:
        """End the kernel."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None

    def _ready(self) -> Kernel:
        if self._kernel is None:
            identity = Identity(self._uid) if confinement(self._settings).has_users else None
            workspace = Workspace.open(self._settings, self._session, identity)
            self._kernel = Kernel.launch(workspace, self._settings, session=self._session)
            self._kernel.ready(self._stop)
        return self._kernel


class Attempt:
    """The process of one session, seen from the one that stands for the worker."""

    def __init__(self, session: str, uid: int, others: Iterable[Attempt]) -> None:
        asked, self._ask = os.pipe()
        self._answer, answered = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for attempt in (self, *others):
                attempt.let_go()
            code = 1
            try:
                _serve(Listener(session, uid), asked, answered)
                code = 0
            finally:
                os._exit(code)
        os.close(asked)
        os.close(answered)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """What it answers; a status of its own if it ends instead."""
        began = time.monotonic()
        try:
            os.write(self._ask, json.dumps(request).encode() + b"\n")
            data = b""
            while not data.endswith(b"\n"):
                part = os.read(self._answer, 1 << 20)
                if not part:
                    raise BrokenPipeError
                data += part
        except BrokenPipeError:
            status = self.end()
            return {"status": "ended", "output": f"its process ended: {status}", "seconds": time.monotonic() - began}
        answer: dict[str, Any] = json.loads(data)
        return answer

    def let_go(self) -> None:
        """Close this end of its pipes."""
        os.close(self._ask)
        os.close(self._answer)

    def end(self) -> int:
        """Its exit code, once its input is closed and it has ended."""
        self.let_go()
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _serve(listener: Listener, asked: int, answered: int) -> None:
    memory.bound()
    with os.fdopen(asked, "r") as requests, os.fdopen(answered, "w") as answers:
        for line in requests:
            print(json.dumps(listener.run(**json.loads(line))), file=answers, flush=True)
    listener.close()


def _resident(pid: int) -> int:
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Serve until the end of the input."""
    secrecy.protect()
    uids: dict[str, int] = {}
    attempts: dict[str, Attempt] = {}
    print(json.dumps({"pid": os.getpid(), "layers": confinement(Settings.load()).layers}), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked.pop("memory", False):
            total = _resident(os.getpid()) + sum(_resident(attempt.pid) for attempt in attempts.values())
            print(json.dumps({"bytes": total}), flush=True)
            continue
        session = asked.pop("session")
        uid = uids.setdefault(session, _FIRST + len(uids))
        if asked.pop("close", False):
            if session in attempts:
                attempts.pop(session).end()
            print(json.dumps({"status": "closed"}), flush=True)
            continue
        if session not in attempts:
            attempts[session] = Attempt(session, uid, attempts.values())
        answer = attempts[session].ask(asked)
        if answer["status"] == "ended":
            del attempts[session]
        print(json.dumps(answer), flush=True)
    for attempt in attempts.values():
        attempt.end()


main()
