"""What one session uses of what all share, as Linux tells it: files, memory, terminals. Standard library only."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__:
    from . import processes, sockets
    from .sandbox.identity import Identity
else:
    # A part of the guardian's program, which finds them beside itself.
    import processes
    import sockets
    from sandbox.identity import Identity

#: Where multiprocessing has its locks; a session's files there belong to its user.
SHARED_MEMORY = "/dev/shm"  # noqa: S108  # the one place that POSIX shared memory has; no name in it is guessed or made
#: Directories within directories that are looked into; each is a descriptor for as long.
_DEPTH = 200
_BLOCK = 512
#: Bytes that one pipe can hold, that all of a user's can at that size, and one of those beyond: Linux's own limits.
_PIPE, _PIPES, _SMALL_PIPE = 1024**2, 64 * 1024**2, 8192
#: Of both versions of control groups: limit, what there is, and of that the cache, and the shared memory in there.
_V2, _V1 = "/sys/fs/cgroup/memory", "/sys/fs/cgroup/memory/memory"
_MEMORY_OF_GROUP = (
    (f"{_V2}.max", f"{_V2}.current", f"{_V2}.stat", b"file", b"shmem"),
    (f"{_V1}.limit_in_bytes", f"{_V1}.usage_in_bytes", f"{_V1}.stat", b"total_cache", b"total_shmem"),
)
#: Where a process's own memory is told, the better place first, which is not open to all.
_RESIDENT = {"smaps_rollup": (b"Pss_Anon:", b"Pss_Shmem:"), "status": (b"RssAnon:", b"RssShmem:")}


@dataclass(frozen=True)
class Use:
    """What there is of each. `hidden` says what of it cannot be counted."""

    bytes: int = 0
    files: int = 0
    shared: int = 0
    shared_files: int = 0
    terminals: int = 0
    hidden: str = ""


def used(root: str, identity: Identity | None, most: int = 0) -> Use:
    """What lies below `root`, as the disk counts it, and what else of the session's is in no directory of its own.

    It stops counting at `most` files, if that is not 0, and opens directories that are closed to their owner.
    """
    total = files = 0
    hidden = ""
    # Where it is in each of the directories that lead to where it is: not a list of all that is still to be seen.
    way = [_entries(root)]
    while way and (not most or files <= most):
        try:
            entry = next(way[-1], None)
            if entry is None:
                way.pop().close()
                continue
            facts = entry.stat(follow_symlinks=False)
            files += 1
            total += facts.st_blocks * _BLOCK
            if stat.S_ISDIR(facts.st_mode):
                if len(way) > _DEPTH:
                    hidden = "directories are nested so deep that their contents cannot be counted"
                else:
                    way.append(_entries(entry.path))
        except OSError as error:
            # Or the path is longer than the system takes: whoever made it changed into it step by step.
            if error.errno in (errno.ENAMETOOLONG, errno.EACCES):
                hidden = "there are directories whose contents cannot be counted"
    for entries in way:
        entries.close()
    nameless = held(processes.descendants(os.getpid()))
    if nameless.hides:
        hidden = "one of its programs does not show what files it has open"
    shared = list(owned(SHARED_MEMORY, identity))
    total += size_of(shared) + nameless.files
    return Use(total, files, size_of(shared), len(shared), len(list(owned("/dev/pts", identity))), hidden)


def size_of(files: Iterable[os.stat_result]) -> int:
    """Bytes that they take, holes left out."""
    return sum(facts.st_blocks * _BLOCK for facts in files)


def _entries(path: str) -> os._ScandirIterator[str]:
    try:
        return os.scandir(path)
    except PermissionError:
        os.chmod(path, stat.S_IRWXU)
        return os.scandir(path)


def owned(directory: str, identity: Identity | None) -> Iterator[os.stat_result]:
    """What there is the session's, if it has a user of its own."""
    if identity is None:
        return
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            with suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                if facts.st_uid == identity.uid:
                    yield facts


@dataclass(frozen=True)
class Held:
    """What processes have open and no directory names: files, and pipes. `hides`: one of them does not show it."""

    files: int = 0
    pipes: int = 0
    hides: bool = False


def held(pids: Iterable[int]) -> Held:
    """Bytes of files without a name, and the most bytes that the pipes can have in them."""
    files: dict[tuple[int, int], int] = {}
    pipes = set()
    hides = False
    for pid in pids:
        directory = f"{processes.open_to_look(pid)}/fd"
        try:
            for name in os.listdir(directory):
                with suppress(OSError):
                    facts = os.stat(f"{directory}/{name}")
                    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 0:
                        files[facts.st_dev, facts.st_ino] = facts.st_blocks * _BLOCK
                    elif stat.S_ISFIFO(facts.st_mode):
                        pipes.add(facts.st_ino)
        except PermissionError:
            hides = hides or not processes.has_ended(pid)
        except OSError:
            continue
    in_pipes = min(len(pipes) * _PIPE, _PIPES) + len(pipes) * _SMALL_PIPE
    return Held(sum(files.values()), in_pipes, hides)


def in_sockets(identity: Identity | None) -> int:
    """Bytes in the buffers of the session's sockets, where it has a user of its own and Linux tells."""
    if identity is not None:
        with suppress(OSError):
            return sockets.buffered(identity.uid)
    return 0


def resident(pid: int) -> int:
    """Bytes of memory that a process has; what several have mapped counts in parts, where it shows that."""
    place = processes.open_to_look(pid)
    for file, names in _RESIDENT.items():
        lines = processes.read_bytes(f"{place}/{file}").splitlines()
        if found := [1024 * int(line.split()[1]) for line in lines if line.startswith(names)]:
            return sum(found)
    return 0


def of_control_group() -> tuple[int, int]:
    """The most memory that this control group may have, and what it has that Linux cannot take back by itself.

    (1, 1) where it is not limited: then shares count, and nothing is full.
    """
    for most, now, details, cache, shared in _MEMORY_OF_GROUP:
        values = [processes.read_bytes(path).strip() for path in (most, now)]
        if all(value.isdigit() for value in values):
            parts = dict(line.split(b" ", 1) for line in processes.read_bytes(details).splitlines() if b" " in line)
            files = int(parts.get(cache, 0)) - int(parts.get(shared, 0))
            return int(values[0]), int(values[1]) - files
    return 1, 1
