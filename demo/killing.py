"""The kill: when it is due, and whom it hits."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import psutil

from outlast.cli.history import History
from outlast.log import records as r

#: Lines of live output after which a cell counts as in its middle.
LINES = 3


@dataclass(frozen=True)
class KillPoint:
    """`cell:3`: in the middle of cell 3; `reply:4`: in the middle of the fourth reply; `none`."""

    kind: str
    number: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """ValueError says what is allowed."""
        found = re.fullmatch(r"none|(cell|reply):([1-9]\d*)", text)
        if not found:
            raise ValueError(f"{text!r} is none of cell:N, reply:N, none")
        return cls(found[1] or "none", int(found[2] or 0))

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}" if self.number else self.kind

    @property
    def words(self) -> str:
        """For people."""
        return f"in the middle of {self.kind} {self.number}"

    def due(self, past: History, record: r.Record) -> bool:
        """Whether `record`, the newest that `past` holds, is the moment."""
        body = record.body
        if self.kind == "cell" and isinstance(body, r.CellOutput) and body.cell == self.number:
            return past.cells[-1].output.count("\n") >= LINES
        return self.kind == "reply" and isinstance(body, r.ReplyDelta) and past.now.total_turns == self.number - 1

    def last_call(self, past: History) -> bool:
        """Whether the cell has begun to print: due at once if nothing else is heard of it for a moment."""
        if self.kind != "cell" or not past.cells:
            return False
        cell = past.cells[-1]
        return cell.number == self.number and cell.status == "running" and bool(cell.output)


@dataclass(frozen=True)
class Victims:
    """Process ids; `kernel` is 0 if there was none."""

    worker: int
    child: int
    kernel: int


def find(worker: int) -> Victims:
    """The worker's child and kernel, from the process tree: worker → child → guardian → kernel."""
    children = psutil.Process(worker).children()
    child = children[0].pid if children else 0
    kernel = 0
    for process in psutil.Process(child).children() if child else ():
        below = process.children()
        if below:
            kernel = below[0].pid
    return Victims(worker, child, kernel)


def kill(victims: Victims, now: Callable[[], float] = time.time) -> float:
    """SIGKILL to all of them, the worker first; returns when (seconds since the epoch)."""
    at = now()
    for pid in (victims.worker, victims.child, victims.kernel):
        if pid:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    return at
