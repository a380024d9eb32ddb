"""How a worker process shows on its own machine that it lives and gets on; the others learn it from its lease.

One small file a worker, `<runtime directory>/workers/<process id>`, written at every tick whether Redis answers or
not. The supervisor and the health check read them, and neither needs Redis, or anything that is slow to import.
"""

from __future__ import annotations

import contextlib
import os
import time
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

#: Bytes of a file: always as many, so that a reader never sees half of a line.
_BYTES = 48


class State(StrEnum):
    """What a worker says of itself."""

    STARTING = "starting"  # it has not asked Redis for anything yet
    WAITING = "waiting"  # Redis does not answer, or not yet
    WORKING = "working"  # it takes jobs, or works on one


class Beat(NamedTuple):
    """A worker's last beat: seconds of the monotonic clock, which is one for all processes of a machine."""

    at: float
    state: State


def directory(runtime: Path) -> Path:
    """Where the files are."""
    return runtime / "workers"


def beat(runtime: Path, state: State, pid: int | None = None) -> None:
    """Note that worker `pid` (None: this process) lives. It never fails: a full disk is no reason to stop."""
    path = directory(runtime) / str(pid or os.getpid())
    line = f"{time.monotonic():.3f} {state}".ljust(_BYTES - 1) + "\n"
    with contextlib.suppress(OSError):
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return beat(runtime, state, pid)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)


def end(runtime: Path, pid: int | None = None) -> None:
    """Worker `pid` (None: this process) is gone."""
    with contextlib.suppress(OSError):
        (directory(runtime) / str(pid or os.getpid())).unlink()


def beats(runtime: Path) -> dict[int, Beat]:
    """The last beat of every worker, by process id; those of workers that are gone without a word are removed."""
    found: dict[int, Beat] = {}
    with contextlib.suppress(OSError):
        for path in directory(runtime).iterdir():
            if not path.name.isdigit():
                continue
            if not Path(f"/proc/{path.name}").exists():
                end(runtime, int(path.name))
            elif last := _parse(path):
                found[int(path.name)] = last
    return found


def _parse(path: Path) -> Beat | None:
    try:
        at, state = path.read_text(encoding="utf-8").split()
        return Beat(float(at), State(state))
    except (OSError, ValueError):
        return None
