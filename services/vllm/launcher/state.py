"""What the launcher knows, in a file for the health check, which is another process each time."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

#: In the container's own temporary memory: a restart begins without it.
FILE = Path(tempfile.gettempdir()) / "launcher.json"
#: Seconds after which a state counts as left behind by a launcher that stands still; it looks every second or two.
STALE = 30.0


@dataclass(frozen=True, slots=True)
class State:
    """Seconds are of the monotonic clock, which all processes of a machine share."""

    #: loading, serving, stopping, or ended
    phase: str
    #: Since when it is in this phase.
    since: float
    #: When the launcher last looked.
    at: float
    #: Serving: seconds without progress, and the limit.
    quiet: float = 0.0
    stall: float = 0.0
    #: Anything to add for the operator.
    note: str = ""

    def write(self) -> None:
        """Replace the file in one go: a check never reads half of it."""
        fresh = FILE.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(fresh, FILE)


def read() -> State | None:
    """The state; None before the launcher has written one."""
    try:
        return State(**json.loads(FILE.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def judge(state: State | None, now: float) -> tuple[bool, str]:
    """Is the server healthy, and why. Pure."""
    if state is None:
        return False, "starting"
    note = f" ({state.note})" if state.note else ""
    if state.phase not in ("loading", "serving"):
        return False, state.phase + note
    if now - state.at > STALE:
        return False, f"the launcher has stood still for {now - state.at:.0f} s"
    if state.phase == "loading":
        return False, f"loading the model, {now - state.since:.0f} s{note}"
    if state.quiet >= state.stall / 2:
        return False, f"no progress for {state.quiet:.0f} s; it is restarted at {state.stall:.0f} s"
    return True, f"serving{note}, last progress {state.quiet:.0f} s ago"
