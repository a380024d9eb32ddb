"""Keeping other processes of the same user out of this one's memory."""

from __future__ import annotations

import ctypes

_PR_SET_DUMPABLE = 4


def protect() -> None:
    """Let no process but root's read this one's memory, environment and descriptors (`/proc`), or trace it.

    Holds for forked children, and until another program is run.
    """
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
