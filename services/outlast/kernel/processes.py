"""Reading /proc: who descends from whom, and what a tree of processes has done so far. Standard library only.

Every function takes a process that vanishes while it is read for one that is not there.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterable, Iterator
from typing import NamedTuple

#: Flag of a process that is about to end (Linux's PF_EXITING).
_EXITING = 0x4


class Work(NamedTuple):
    """What a tree has done since its start: processor time in clock ticks, and bytes read and written."""

    ticks: int
    bytes: int


def read_bytes(path: str, limit: int = 65536) -> bytes:
    """The beginning of a file under /proc; empty if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, limit)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def pids() -> Iterator[int]:
    """Every process that this one can see."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def stat_fields(pid: int) -> list[bytes]:
    """Those of /proc/<pid>/stat from the state on; empty if it is gone.

    [0] state, [1] parent, [6] flags, [11:15] times, [17] threads.
    """
    # The program's name is in brackets and may hold anything, brackets and spaces too.
    return read_bytes(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def is_dead(fields: list[bytes]) -> bool:
    """Whether nothing of a process runs any more. One whose first thread has ended looks like a zombie, and goes on."""
    return fields[0] in (b"Z", b"X") and (len(fields) < 18 or int(fields[17]) <= 1)


def has_ended(pid: int) -> bool:
    """Whether a process is gone, or on its way: Linux shows nothing of it any more to whoever is not root."""
    fields = stat_fields(pid)
    return not fields or is_dead(fields) or (int(fields[17]) <= 1 and bool(int(fields[6]) & _EXITING))


def open_to_look(pid: int) -> str:
    """Where /proc shows what a process has: its memory, descriptors and environment go with its first thread."""
    if stat_fields(pid)[:1] == [b"Z"]:
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/task"):
                if name != str(pid):
                    return f"/proc/{pid}/task/{name}"
    return f"/proc/{pid}"


def descendants(root: int) -> set[int]:
    """All processes below `root` that can still run.

    Children of a process that has died are found too if `root` adopts orphans (PR_SET_CHILD_SUBREAPER).
    """
    children: dict[int, list[int]] = {}
    dead: set[int] = set()
    for pid in pids():
        fields = stat_fields(pid)
        if len(fields) > 1:
            children.setdefault(int(fields[1]), []).append(pid)
            if is_dead(fields):
                dead.add(pid)
    found: set[int] = set()
    queue = [root]
    while queue:
        for child in children.get(queue.pop(), ()):
            if child not in found:
                found.add(child)
                queue.append(child)
    return found - dead


def marked(marks: Iterable[bytes], spare: Iterable[int] = ()) -> set[int]:
    """Processes of this user whose environment holds all of `marks` (`NAME=value`), `spare` and this one left out."""
    wanted = set(marks)
    left_out = {os.getpid(), *spare}
    found = set()
    for pid in pids():
        if pid in left_out:
            continue
        try:
            if os.stat(f"/proc/{pid}").st_uid != os.getuid():
                continue
        except OSError:
            continue
        if wanted <= set(read_bytes(f"{open_to_look(pid)}/environ", 1 << 20).split(b"\0")):
            found.add(pid)
    return found


def kill(members: Iterable[int]) -> None:
    """SIGKILL to each that is still there."""
    for pid in members:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def kill_marked(marks: Iterable[bytes], spare: Iterable[int] = ()) -> None:
    """Kill what `marked` finds, and what it forks meanwhile; return when nothing of it is left."""
    marks, spare = tuple(marks), tuple(spare)
    while leftovers := marked(marks, spare):
        for pid in leftovers:
            with contextlib.suppress(ProcessLookupError):
                handle = os.pidfd_open(pid)
                try:
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    gone = select.poll()
                    gone.register(handle, select.POLLIN)
                    gone.poll()
                finally:
                    os.close(handle)


def work(root: int) -> Work:
    """What everything below `root` has done; a child's share stays in its parent's once it is reaped.

    What a process has read and written is told to its own user only.
    """
    ticks = transferred = 0
    for pid in descendants(root):
        fields = stat_fields(pid)
        if len(fields) > 14:
            ticks += sum(int(value) for value in fields[11:15])
        for line in read_bytes(f"/proc/{pid}/io").splitlines()[:2]:
            transferred += int(line.rpartition(b" ")[2])
    return Work(ticks, transferred)


def out_of_memory_kills() -> int:
    """How often the memory limit of this control group has killed a process; 0 where nothing says so."""
    path = ""
    for line in read_bytes("/proc/self/cgroup").decode("ascii", "replace").splitlines():
        _, controllers, name = line.split(":", 2)
        if controllers == "":
            path = path or f"/sys/fs/cgroup{name}/memory.events"
        elif "memory" in controllers.split(","):
            path = f"/sys/fs/cgroup/memory{name}/memory.oom_control"
    for candidate in (path, "/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        for counter in read_bytes(candidate).splitlines() if candidate else ():
            key, _, value = counter.partition(b" ")
            if key == b"oom_kill" and value.isdigit():
                return int(value)
    return 0
