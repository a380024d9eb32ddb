"""The processes of a worker, and SIGKILL to one of them: `python -m outlast.drill strike PART NAME` in its container.

A worker has one child, that has one guardian, and that one kernel (docs/architecture.md, Processes).
"""

from __future__ import annotations

import itertools
import os
import signal
import time
from contextlib import suppress

import psutil

#: A worker's own, from the top, and `all` of them with whatever the cells have started.
LINE = ("worker", "child", "guardian", "kernel")
PARTS = ("all", *LINE)


def strike(root: psutil.Process, part: str) -> float | None:
    """SIGKILL to `part` of the worker whose process `root` is; the time just before, None if there is no such part."""
    with suppress(psutil.NoSuchProcess):
        if part == "all":
            victims = [root, *root.children(recursive=True)]
        else:
            found = _down(root, LINE.index(part))
            victims = [found] if found else []
        at = time.time()
        if any([_kill(victim.pid) for victim in victims]):  # each of them, not only the first
            return at
    return None


def _down(process: psutil.Process, steps: int) -> psutil.Process | None:
    """The process so many steps below, along first children."""
    for _ in range(steps):
        children = process.children()
        if not children:
            return None
        process = children[0]
    return process


def _kill(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


def worker_named(name: str) -> psutil.Process | None:
    """The worker that was started under `name`, among all processes that can be seen here."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            # A child is a fork and has the same words: its parent has them too.
            if _is_worker(words, name) and not _is_worker(_parents_words(process), name):
                return process
    return None


def _is_worker(words: list[str], name: str) -> bool:
    return "worker" in words and any(pair == ("--name", name) for pair in itertools.pairwise(words))


def _parents_words(process: psutil.Process) -> list[str]:
    parent = process.parent()
    return parent.cmdline() if parent else []
