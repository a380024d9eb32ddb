"""A bound on the memory of the process that listens to a kernel."""

from __future__ import annotations

import re
import resource
from pathlib import Path

#: Bytes that such a process may have more than at its start. Messages are bounded, and so is their number; but ZeroMQ
#: keeps as many parts of one as a hostile kernel sends.
LISTENER = 512 * 1024**2


def bound(more: int = LISTENER) -> None:
    """Have this process map no more than that on top of what it has: what would, fails, and mostly ends it.

    Its children inherit the limit as a soft one, which they may raise.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    now = re.search(r"^VmData:\s+(\d+) kB", status, re.MULTILINE)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = (1024 * int(now[1]) if now else 0) + more
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
