"""When the next backup is due; pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNITS = {"m": 60, "h": 3600, "d": 86400}

#: Seconds until the next try after a backup that failed, where the next is not due earlier anyway.
RETRY_SECONDS = 300.0


def interval(text: str) -> float:
    """Seconds of `30m`, `1h` or `1d`; ValueError if it is none."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})([mhd])", text)
    if found is None:
        raise ValueError("a time like 30m, 1h or 1d")
    return float(int(found[1]) * _UNITS[found[2]])


def seconds_until_due(every: float, made: Iterable[float], tried: float | None, now: float) -> float:
    """Seconds until the next backup; those there are were `made` and one failed (`tried`) then, in seconds since 1970.

    Whatever was made in the future was made while the clock was ahead, and says nothing: at once where nothing else is.
    """
    newest = max((then for then in made if then <= now), default=None)
    due = now if newest is None else newest + every
    if tried is not None and tried <= now:
        due = max(due, tried + min(RETRY_SECONDS, every))
    return max(0.0, due - now)
