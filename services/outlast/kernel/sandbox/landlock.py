"""Which files a kernel can reach, as a Landlock ruleset. Standard library only.

Theory of operation. A process that has restricted itself, and all its descendants, can open only what lies below the
directories that its rules name, with the rights that they give; nothing takes a restriction back. It needs no
privilege. What Linux has of it depends on its version (the "ABI"): files from 5.13 (1), moving files between
directories from 5.19 (2), truncation from 6.2 (3), TCP ports from 6.7 (4), device calls from 6.10 (5), and signals and
abstract sockets outside of the sandbox from 6.12 (6). What the running kernel does not have is left out by `restrict`
and named by `uncovered`.

Looking at a path (`stat`), changing its mode or owner and walking through it are not covered by Landlock at all:
those are the user id's.

Source: <linux/landlock.h>, https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from . import system

# The rights, as bits. Those after MAKE_SYM came with later ABIs.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REMOVE_DIR, _REMOVE_FILE, _MAKE_CHAR, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 6, 1 << 7, 1 << 8
_MAKE_SOCK, _MAKE_FIFO, _MAKE_BLOCK, _MAKE_SYM = 1 << 9, 1 << 10, 1 << 11, 1 << 12
_REFER, _TRUNCATE, _IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
_BY_ABI = {1: (1 << 13) - 1, 2: _REFER, 3: _TRUNCATE, 5: _IOCTL_DEV}

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = (
    _READ | _WRITE_FILE | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _MAKE_SOCK | _MAKE_FIFO | _MAKE_SYM
    | _REFER | _TRUNCATE
)  # fmt: skip
# What lies there by a name that the session knows, and no list of the others' names.
_SHARED = _READ_FILE | _WRITE_FILE | _REMOVE_FILE | _MAKE_REG | _TRUNCATE
_SOCKETS = _READ_FILE | _READ_DIR | _MAKE_SOCK
_DEVICE = _READ_FILE | _WRITE_FILE | _READ_DIR | _IOCTL_DEV | _TRUNCATE
#: What a rule for something that is no directory may give.
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV

_ALL_TCP = 0b11  # bind, connect
_ALL_SCOPES = 0b11  # abstract sockets, signals
_PATH_BENEATH = 1
_VERSION = 1  # flag of landlock_create_ruleset

#: First ABI with it → what is open without it.
_SINCE = {
    3: "truncating files that may only be read",
    4: "TCP ports, if the filter of system calls did not close them",
    5: "device calls on files that may be opened",
    6: "signals to other processes of the same user, and abstract sockets",
}


@dataclass(frozen=True)
class Rules:
    """Directories and files by what may be done below them. What is not there is not missed."""

    write: tuple[str, ...]
    read: tuple[str, ...]
    devices: tuple[str, ...]
    sockets: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()


def abi() -> int:
    """The version of Landlock that runs here; 0 where there is none, it is switched off, or a filter closes it."""
    try:
        return system.syscall(system.LANDLOCK_CREATE_RULESET, 0, 0, _VERSION)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
            return 0
        raise


def uncovered(version: int) -> list[str]:
    """What this version cannot close."""
    return [what for since, what in _SINCE.items() if version < since]


def restrict(rules: Rules) -> None:
    """Restrict this process for good; needs `no_new_privs`. OSError if that cannot be done."""
    version = abi()
    if version == 0:
        raise OSError(errno.ENOSYS, "this Linux has no Landlock, or it is switched off")
    handled = sum(rights for since, rights in _BY_ABI.items() if since <= version)
    tcp = _ALL_TCP if version >= 4 else 0
    scopes = _ALL_SCOPES if version >= 6 else 0
    # struct landlock_ruleset_attr, which has grown: a Linux that does not know a field takes it if it is 0.
    attributes = ctypes.create_string_buffer(struct.pack("=QQQ", handled, tcp, scopes))
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = system.syscall(system.LANDLOCK_CREATE_RULESET, ctypes.addressof(attributes), size, 0)
    try:
        _allow(ruleset, rules.read, _READ & handled)
        # No link that a cell of former times has laid there is followed.
        _allow(ruleset, rules.write, _WRITE & handled, os.O_NOFOLLOW)
        _allow(ruleset, rules.devices, _DEVICE & handled)
        _allow(ruleset, rules.sockets, _SOCKETS & handled)
        _allow(ruleset, rules.shared, _SHARED & handled)
        system.syscall(system.LANDLOCK_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, paths: Iterable[str], rights: int, flags: int = 0) -> None:
    for path in paths:
        # What this user cannot reach anyway needs no leave.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC | flags)
            try:
                kind = os.fstat(place).st_mode
                if stat.S_ISLNK(kind):
                    continue
                given = rights if stat.S_ISDIR(kind) else rights & _OF_FILES
                # struct landlock_path_beneath_attr, which is packed.
                rule = ctypes.create_string_buffer(struct.pack("=Qi", given, place))
                system.syscall(system.LANDLOCK_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.addressof(rule), 0)
            finally:
                os.close(place)
