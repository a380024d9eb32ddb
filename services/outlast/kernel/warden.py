"""Watches what one session uses of what all share: the disk, which has no quota, and memory. Standard library only.

Theory of operation. It is two threads of the guardian, outside of the sandbox, and looks: it believes nothing that a
session says. A session's time is a row of spans: a cell, what it does between two cells, the next cell.

- Disk. It adds up the session's directory, its files in shared memory, and those that are deleted and still open. Over
  the session's limit, or when the volume is all but full and this span has had a part in that, it says so (`over`): a
  cell is stopped by the worker, and programs that a cell left running are ended with their kernel. What begins over the
  limit may run, for how else could anything be removed: it is over once it adds to that. Between two cells the
  checkpoint comes on top. A look takes its time on many files, so the next one comes after twenty times as long, or
  once the volume has lost an eighth of what was free. What hides from the look is over by itself.
- Pseudo-terminals, of which all containers of a machine share one number, and shared memory, likewise.
- Memory. When the control group is more than half full it adds up what the session's processes have, in their own
  memory, in files that are nowhere else, in sockets, and what their pipes could hold. Over the session's share, they
  become the first that Linux ends when memory runs out; within it they are behind all that are over theirs, and before
  the worker. Hundreds of small processes can fill all memory before one look has ended, so a session that runs a cell,
  and what cells have left running, comes before a kernel that waits, whatever each has. No cell can change that: its
  view of /proc is read-only. Where the kernels' part of it is full, a session over its share is ended before Linux does
  it (`full`): of shared memory nothing is free soon enough to save the next in the order.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from . import launch, processes
    from .sandbox.identity import Identity, acting_as
    from .usage import SHARED_MEMORY, Use, held, in_sockets, of_control_group, owned, resident, size_of, used
else:
    # A part of the guardian's program, which finds them beside itself.
    import launch
    import processes
    from sandbox.identity import Identity, acting_as
    from usage import SHARED_MEMORY, Use, held, in_sockets, of_control_group, owned, resident, size_of, used

#: How ready a process is to be ended whose session is over its share (of 1,000).
FIRST = 1000
#: Seconds between looks: at memory while a cell runs and while none does, and at the disk at the least.
_BUSY, _IDLE, _DISK = 0.1, 1.0, 1.0
#: A look at the disk is followed by so many times its own length.
_REST = 20
#: Bytes that a cell may add although the session is over its limit: what its removal of files may need.
_SLACK = 16 * 1024**2
#: The volume is all but full with less than this left.
_RESERVE = 512 * 1024**2
#: Part of the control group's memory from which on the shares count.
_HALF = 0.5
#: Part of it that is for kernels (`confine`); the rest is the worker's.
_FULL = 0.9


@dataclass(frozen=True)
class Limits:
    """0 is no limit. Bytes on disk; files and directories; bytes of memory, of a checkpoint, and of shared memory;
    files in shared memory; pseudo-terminals.
    """

    disk: int
    files: int
    memory: int
    state: int = 0
    shared: int = 0
    shared_files: int = 0
    terminals: int = 0


def begun(span: int) -> int:
    """The span once a cell has begun. Spans are counted from 0, in which none has; those of cells are odd."""
    return span | 1


def ended(span: int) -> int:
    """The span once no cell runs."""
    return span + (span & 1)


class Warden:
    """One session's. `over(reason, span)` is called from a thread, once a span at most; `full()` from another."""

    def __init__(
        self,
        root: str,
        identity: Identity | None,
        limits: Limits,
        over: Callable[[str, int], None],
        full: Callable[[], None],
        kernel: int = 0,
    ) -> None:
        self._root, self._identity, self._limits, self._over, self._full = root, identity, limits, over, full
        self._kernel = kernel
        self._span = 0
        self._is_ended = False
        self._is_first = False
        loops = self._watch_disk, self._watch_memory
        #: Cuts the pause short that each of them makes.
        self._wakes = [threading.Event() for _ in loops]
        self._threads = [
            threading.Thread(target=loop, args=(wake,), name="warden", daemon=True)
            for loop, wake in zip(loops, self._wakes, strict=True)
        ]

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def cell_begins(self) -> None:
        """A cell runs from now on."""
        self._span = begun(self._span)
        self._place_kernel()
        self._wake()

    def cell_ends(self) -> None:
        """None runs."""
        self._span = ended(self._span)
        self._place_kernel()
        self._wake()

    def end(self) -> None:
        """Look no more; for who outlives the session, as the guardian does not."""
        self._is_ended = True
        self._wake()
        for thread in self._threads:
            thread.join()

    def _wake(self) -> None:
        for wake in self._wakes:
            wake.set()

    def _pause(self, wake: threading.Event) -> None:
        wake.wait(_BUSY if self._span & 1 else _IDLE)
        wake.clear()

    # -- the disk -------------------------------------------------------------------------------------------

    def _watch_disk(self, wake: threading.Event) -> None:
        if not self._limits.disk and not self._limits.files:
            return
        span, told, next_look = -1, False, 0.0
        begun_with, at_first, left = Use(), (0, 0), (0, 0)
        while not self._is_ended:
            if span != self._span:
                span, told = self._span, False
                begun_with, next_look = self._look(), time.monotonic() + _DISK
                at_first = left = self._free()
            now = self._free()
            is_less = any(less < before - before // 8 for before, less in zip(left, now, strict=True))
            if not told and (is_less or time.monotonic() >= next_look):
                began, left = time.monotonic(), now
                reason = self.judge(begun_with, self._look(), in_cell=bool(span & 1), lost=at_first[0] - now[0])
                if reason and span == self._span:
                    told = True
                    self._over(reason, span)
                next_look = time.monotonic() + max(_DISK, _REST * (time.monotonic() - began))
            self._pause(wake)

    def _free(self) -> tuple[int, int]:
        """Bytes and files for which the volume has room."""
        try:
            volume = os.statvfs(self._root)
        except OSError:
            return 0, 0
        return volume.f_bavail * volume.f_frsize, volume.f_favail

    def _look(self) -> Use:
        with acting_as(self._identity):
            return used(self._root, self._identity, 2 * self._limits.files)

    def judge(self, before: Use, now: Use, *, in_cell: bool, lost: int = 0) -> str:
        """Why this is too much, if it is.

        `before` is what there was when the span began, `lost` the bytes that the volume has lost since, to whomever.
        """
        limits, grown = self._limits, now.bytes - before.bytes
        added = _SLACK if in_cell else _SLACK + limits.state
        if now.hidden and lost > _SLACK:
            return now.hidden
        if limits.terminals and now.terminals > limits.terminals:
            return f"it has {now.terminals} pseudo-terminals open, and a session may have {limits.terminals}"
        if limits.shared and now.shared > limits.shared:
            return f"its shared memory is {size(now.shared)}, and a session may have {size(limits.shared)}"
        if limits.shared_files and now.shared_files > limits.shared_files:
            return f"there are {now.shared_files:,} files in its shared memory; {limits.shared_files:,} may be there"
        if limits.disk and now.bytes > max(limits.disk, before.bytes + added):
            return f"its files take {size(now.bytes)}, and a session may have {size(limits.disk)}"
        if limits.files and now.files > max(limits.files, before.files + 100):
            return f"there are {now.files:,} files and directories, and a session may have {limits.files:,}"
        free, _ = self._free()
        if free < min(_RESERVE, limits.disk // 8) and grown > _SLACK:
            return f"the disk is all but full ({size(free)} are left), and it has just written {size(grown)}"
        return ""

    # -- memory ---------------------------------------------------------------------------------------------

    def _watch_memory(self, wake: threading.Event) -> None:
        while not self._is_ended:
            with suppress(OSError):  # The next look is as good.
                self._weigh()
            self._pause(wake)

    def _weigh(self) -> None:
        """Put the session's processes where they belong in the order in which Linux ends processes."""
        share = self._limits.memory
        most, now = of_control_group()
        if not share or (now < _HALF * most and not self._is_first):
            return
        pids = processes.descendants(os.getpid())
        with acting_as(self._identity):
            nameless = held(pids)
            mapped = sum(map(resident, pids))
        # Files may be mapped besides: then they count twice, which costs nothing as long as there is memory.
        in_files = size_of(owned(SHARED_MEMORY, self._identity)) + nameless.files
        is_first, was_first = mapped + in_files + nameless.pipes + in_sockets(self._identity) > share, self._is_first
        self._is_first = is_first
        if is_first:
            self._place(pids, FIRST)
        elif was_first:
            self._place(pids, _after_own(launch.BUSY))
            self._place_kernel()
        if is_first and now > _FULL * most > 1:
            self._full()

    def _place_kernel(self) -> None:
        if self._kernel and self._limits.memory and not self._is_first:
            self._place({self._kernel}, _after_own(launch.BUSY if self._span & 1 else launch.READY))

    def _place(self, pids: set[int], place: int) -> None:
        # A process that hides from its own user belongs to root, as its files in /proc do.
        for identity in (self._identity, None):
            with acting_as(identity):
                pids = {pid for pid in pids if not _put(pid, place)}


def _put(pid: int, place: int) -> bool:
    """Whether the process is in that place now, or gone."""
    try:
        with open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(place))
    except PermissionError:
        return False
    except OSError:
        pass
    return True


def _after_own(distance: int) -> int:
    return min(FIRST - 1, int(processes.read_bytes("/proc/self/oom_score_adj") or b"0") + distance)


def size(count: int) -> str:
    """Bytes for people and models: `2.7 GiB`."""
    for unit, name in ((1024**3, "GiB"), (1024**2, "MiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:,} bytes"
