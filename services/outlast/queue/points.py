"""Named places in the worker at which a test may kill or stop it.

Races are forced here instead of by sleeping. Nothing is armed in production; only code that imports this module
can arm a point, no setting can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

Point = Literal["taken", "started", "forked", "ended", "settled"]

_armed: Final[dict[Point, Callable[[], None]]] = {}


def arm(point: Point, action: Callable[[], None]) -> None:
    """Call `action` whenever `point` is reached."""
    _armed[point] = action


def disarm() -> None:
    """Forget every action."""
    _armed.clear()


def reach(point: Point) -> None:
    """Called by the worker at the place that `point` names."""
    if _armed:
        _armed.get(point, _nothing)()


def _nothing() -> None: ...
