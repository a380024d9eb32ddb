"""Everything that a machine has, taken: its processors, and its disk with a writer that syncs each block.

Each load is a process of its own that ends by itself after its time, whatever becomes of this one, and the file that
it writes never grows over 256 MiB.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BURN = """
import sys, time
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    sum(range(100000))
"""

_WRITE = """
import os, sys, time
end = time.monotonic() + float(sys.argv[1])
block, size = os.urandom(4 << 20), 256 << 20
file = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT, 0o600)
place = 0
while time.monotonic() < end:
    os.pwrite(file, block, place)
    os.fsync(file)
    place = (place + len(block)) % size
"""


@contextmanager
def full_load(directory: Path, seconds: float) -> Iterator[str]:
    """A burner a processor and two syncing writers, for `seconds` at most; yields what they are, in words."""
    processors = len(os.sched_getaffinity(0))
    commands = [[_BURN, str(seconds)] for _ in range(processors)]
    commands += [[_WRITE, str(seconds), str(directory / f"load-{number}")] for number in (1, 2)]
    running: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            running.append(subprocess.Popen([sys.executable, "-I", "-S", "-c", *command], stdin=subprocess.DEVNULL))
        yield f"{processors} busy loops on {processors} processors, 2 writers that sync every 4 MiB"
    finally:
        for process in running:
            process.kill()
            process.wait()
