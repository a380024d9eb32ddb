"""A worker that stops at the crash point that a test has named, so that the test can kill whom it likes there.

`rq worker --worker-class tests.faults.armed.Worker`. In its working directory, the file `armed` holds the point's name
and how often it has to be reached. Whichever process gets there first, of all that look at the same directory, takes
the file away, leaves one called `stopped` with its process id in it, and stops (SIGSTOP).
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import psutil

import outlast.queue
from outlast import points
from outlast.points import Point

ARMED, STOPPED = Path("armed"), Path("stopped")

#: How often this process has come by each point since it was named.
_reached: Counter[str] = Counter()


def arm(directory: Path, point: Point, time: int = 1) -> None:
    """Have the next process that reaches the point (for the `time`-th time) stop there."""
    new = directory / "armed.new"
    new.write_text(f"{time} {point}", encoding="utf-8")
    new.rename(directory / ARMED)


def stopped(directory: Path) -> psutil.Process | None:
    """The process that has stopped at the point; None as long as none has."""
    try:
        process = psutil.Process(int((directory / STOPPED).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    # It says so before it does.
    return process if process.status() == psutil.STATUS_STOPPED else None


class Worker(outlast.queue.Worker):
    """Stops where the test says, itself or the child that it forks."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        for point in Point:
            points.arm(point, partial(_stop_at, point))
        return super().work(*args, **kwargs)


def _stop_at(point: Point) -> None:
    try:
        wanted = ARMED.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    time, _, name = wanted.partition(" ")
    if name != point:
        return
    _reached[wanted] += 1
    if _reached[wanted] < int(time):
        return
    mine = Path(f"stopped.{os.getpid()}")
    mine.write_text(str(os.getpid()), encoding="utf-8")
    try:
        ARMED.unlink()
    except FileNotFoundError:  # Another process was faster.
        return
    mine.rename(STOPPED)
    os.kill(os.getpid(), signal.SIGSTOP)
