"""Running a job with its variables kept after each cell, in the order in which an attempt does things."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outlast.errors import KernelDied

from .keepers import Keeper, Kept
from .kernels import Failed, Session


@dataclass(frozen=True, slots=True)
class Drive:
    """A job from its first cell to the last save. `cells` are the seconds of the cells by themselves."""

    seconds: float
    cells: tuple[float, ...]
    kept: tuple[Kept, ...]
    #: What the probe said at the end.
    probe: str


def drive(
    session: Session, keeper: Keeper, cells: Sequence[str], probe: str, *, think: float, say: Callable[[str], None]
) -> Drive:
    """Run the cells. After each: begin to save, let the model think for so many seconds, wait for the save. Failed."""
    try:
        keeper.prepare(session)
        seconds: list[float] = []
        kept: list[Kept] = []
        began = time.monotonic()
        for number, code in enumerate(cells, 1):
            start = time.monotonic()
            output = session.run(code, number)
            seconds.append(time.monotonic() - start)
            finish = keeper.begin(session, number, output)
            # Model time is the pause of a sleep here: nothing is measured against it.
            time.sleep(think)
            kept.append(finish())
            say(f"cell {number}: {seconds[-1]:.2f} s, {time.monotonic() - start:.2f} s with the save and the thinking")
        total = time.monotonic() - began
        return Drive(total, tuple(seconds), tuple(kept), session.run(probe, len(cells) + 1) if probe else "")
    except KernelDied as died:
        raise Failed(died.cause) from died


def restore(session: Session, keeper: Keeper, probe: str) -> tuple[float, float, str]:
    """In a new kernel: the seconds of the restore, those of the probe after it, and what that said. Failed."""
    try:
        keeper.prepare(session)
        began = time.monotonic()
        keeper.restore(session)
        there = time.monotonic()
        said = session.run(probe)
        return there - began, time.monotonic() - there, said
    except KernelDied as died:
        raise Failed(died.cause) from died
