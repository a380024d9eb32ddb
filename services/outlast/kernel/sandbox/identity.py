"""The user that a session is: a user and group id of its own for its processes and files. Standard library only.

Theory of operation. The worker is root in its container, without any right of root but to become another user
(SETUID, SETGID) and to end other users' processes (KILL). A session's kernel is that user for good; what the worker
reads or writes among a session's files, it does as that user too, one thread for one moment (`acting_as`): a link
that a cell has laid leads nowhere that the cell could not go itself. That moment is Linux's "file system user id",
which was made for this: no process of the session may signal or trace the worker meanwhile. Where there is none, as in
gVisor, the thread's effective ids change, by Linux's own calls, for the C library's would change all threads. The real
and the saved ones stay, which whoever signals or traces has to match.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache

from . import system

_libc = ctypes.CDLL(None)
for _name in ("setfsuid", "setfsgid"):
    getattr(_libc, _name).argtypes = [ctypes.c_uint]
#: No id: asks for the present one, or leaves it.
_NONE = 0xFFFFFFFF
_SETRESUID, _SETRESGID = (147, 149) if os.uname().machine == "aarch64" else (117, 119)
_CAPSET = 91 if os.uname().machine == "aarch64" else 126
_PR_SET_PDEATHSIG, _PR_GET_PDEATHSIG = 1, 2

#: Sessions' user ids are in the lower half of all.
_OTHER_HALF = 0x8000_0000

#: Linux's numbers of the capabilities that the worker needs to be several users.
NEEDED = {"SETGID": 6, "SETUID": 7, "KILL": 5}


@dataclass(frozen=True, slots=True)
class Identity:
    """One session's user; the group has the same number and no other member."""

    uid: int

    @property
    def gid(self) -> int:
        """Its group."""
        return self.uid


@contextmanager
def acting_as(identity: Identity | None) -> Iterator[None]:
    """Reach files and sockets with this user's rights and no others, in this thread, and make files that are its own.

    None is no change. Do not start a thread or a process within: it would keep the rights. PermissionError.
    """
    if identity is None:
        yield
        return
    before = _ids()
    try:
        _take(identity.uid, identity.gid)
        yield
    finally:
        _take(*before)


@contextmanager
def sharing_with(identity: Identity | None) -> Iterator[None]:
    """Make files that are this process's own and the session's group's, in this thread. None is no change."""
    if identity is None:
        yield
        return
    uid, gid = _ids()
    try:
        _take(uid, identity.gid)
        yield
    finally:
        _take(uid, gid)


def _ids() -> tuple[int, int]:
    """The user and group that this thread reaches files as."""
    if has_ids_for_files():
        return _libc.setfsuid(_NONE), _libc.setfsgid(_NONE)
    return os.geteuid(), os.getegid()


def _take(uid: int, gid: int) -> None:
    """Reach files as this user and group, in this thread. PermissionError."""
    parent, if_it_dies = os.getppid(), ctypes.c_int()
    system.prctl(_PR_GET_PDEATHSIG, ctypes.addressof(if_it_dies))
    if has_ids_for_files():
        _libc.setfsgid(gid)
        _libc.setfsuid(uid)
    else:
        # First back to root, the real one: only it may become somebody else.
        system.syscall(_SETRESUID, _NONE, os.getresuid()[0], _NONE)
        system.syscall(_SETRESGID, _NONE, gid, _NONE)
        system.syscall(_SETRESUID, _NONE, uid, _NONE)
    if if_it_dies.value:
        # Linux forgets it with every change of these ids. The parent may have died just now.
        system.prctl(_PR_SET_PDEATHSIG, if_it_dies.value)
        if os.getppid() != parent:
            os.kill(os.getpid(), if_it_dies.value)
    if _ids() != (uid, gid):
        raise PermissionError(f"this process may not act as the user {uid} and the group {gid}")


@cache
def has_ids_for_files() -> bool:
    """Whether this Linux knows a user that only counts for files: setfsuid answers with the present one."""
    return int(_libc.setfsuid(_NONE)) != -1


def become(identity: Identity) -> None:
    """Be this user for good, with no other group and no capability; for a process with one thread. PermissionError."""
    os.setgroups([])
    os.setresgid(identity.gid, identity.gid, identity.gid)
    os.setresuid(identity.uid, identity.uid, identity.uid)
    if capabilities() or os.getresuid() != (identity.uid,) * 3 or os.getgroups():
        raise PermissionError("changing the user left rights behind")


def drop_capabilities() -> None:
    """Have none any more; with `no_new_privs`, for good, root's programs included."""
    # _LINUX_CAPABILITY_VERSION_3, this thread; two words each of effective, permitted and inheritable ones.
    header, none = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0)), ctypes.create_string_buffer(24)
    system.syscall(_CAPSET, ctypes.addressof(header), ctypes.addressof(none))


def capabilities() -> int:
    """The effective capabilities of this process, as bits."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        return next((int(line.split()[1], 16) for line in status if line.startswith("CapEff:")), 0)


def missing_capabilities() -> list[str]:
    """Which of `NEEDED` this process lacks."""
    have = capabilities()
    return [name for name, bit in NEEDED.items() if not have >> bit & 1]


def processes_of(identity: Identity) -> list[int]:
    """Every process that is this user in any of its four ways and can still run."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and _is(int(entry), identity)]


def _is(pid: int, identity: Identity) -> bool:
    kept = ("State:", "Threads:", "Uid:")
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as status:
            fields = {line.partition(":")[0]: line.split()[1:] for line in status if line.startswith(kept)}
    except OSError:
        return False
    # One whose first thread has ended looks like a zombie, and goes on.
    is_dead = fields.get("State", [])[:1] == ["Z"] and int(fields.get("Threads", ["1"])[0]) <= 1
    return str(identity.uid) in fields.get("Uid", []) and not is_dead


def kill_all(identity: Identity) -> None:
    """Kill every process of this user and what it forks meanwhile; return when none is left. Only as root."""
    while True:
        _strike(identity)
        pids = processes_of(identity)
        if not pids:
            return
        for pid in pids:
            with suppress(ProcessLookupError, PermissionError):
                handle = os.pidfd_open(pid)
                try:
                    if not _is(pid, identity):
                        continue  # The number has passed on to somebody else.
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    gone = select.poll()
                    gone.register(handle, select.POLLIN)
                    gone.poll()
                finally:
                    os.close(handle)


def _strike(identity: Identity) -> None:
    """SIGKILL to all of a user's processes at the same moment, which no fork outruns; only that user can ask for it.

    The process that asks is that user in nothing but what it may signal: its other ids are a number that nobody has, so
    that no process of the session may stop it first.
    """
    killer = os.fork()
    if killer == 0:
        with suppress(BaseException):
            nobody = identity.uid ^ _OTHER_HALF
            os.setgroups([])
            os.setresgid(nobody, nobody, nobody)
            os.setresuid(nobody, identity.uid, nobody)
            os.kill(-1, signal.SIGKILL)
        os._exit(0)
    os.waitpid(killer, 0)
