"""The system calls that are closed to a kernel, as a seccomp filter. Standard library only.

Theory of operation. The filter is a program of classic BPF that Linux runs before each system call of this process
and of all its descendants; it can be added to, never removed. It ends the process at a call of a foreign
architecture or of the x32 table (whose numbers mean something else), answers the calls of `CLOSED` with EPERM,
and looks at the arguments of six more:

| call | answer |
| --- | --- |
| `socket`, `socketpair` | EOPNOTSUPP but for AF_UNIX: libzmq aborts at EACCES and copes with this |
| `clone` | EPERM if it asks for a namespace of its own |
| `clone3` | ENOSYS: its flags lie in memory, where a filter cannot look; the C library then uses `clone` |
| `ioctl` | EPERM for what writes into a terminal's input (TIOCSTI, TIOCLINUX) |
| `prctl` | EPERM for what keeps others off a processor's second half (PR_SCHED_CORE) |

It is a list of what is closed, on top of Docker's own list of what is open: a call that Linux does not know
yet is closed by that one in a container. Numbers: <asm/unistd_64.h> and <asm-generic/unistd.h> of Linux 6.1.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator

from . import system

#: System call → its number on x86-64 and on arm64; None where there is none.
_NUMBERS: dict[str, tuple[int | None, int | None]] = {
    # Other processes' memory and descriptors.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # Mounts and file systems.
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "fanotify_init": (300, 262),
    # Namespaces; `clone` is below.
    "unshare": (272, 97),
    "setns": (308, 268),
    # Large parts of Linux that few programs use and many attacks begin with.
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Requests of which the whole machine has one fixed number (fs.aio-max-nr).
    "io_setup": (206, 0),
    "memfd_secret": (447, 447),
    # Keyrings, which belong to a user or a session and not to a container.
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # The machine itself.
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "syslog": (103, 116),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "personality": (135, 92),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
    "create_module": (174, None),
    # System V's and POSIX's queues and memory, which have no owner's directory and outlive their makers.
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "shmdt": (67, 197),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "mq_timedsend": (242, 182),
    "mq_timedreceive": (243, 183),
    "mq_notify": (244, 184),
    "mq_getsetattr": (245, 185),
    # Looked at more closely.
    "socket": (41, 198),
    "socketpair": (53, 199),
    "clone": (56, 220),
    "clone3": (435, 435),
    "ioctl": (16, 29),
    "prctl": (157, 167),
}
#: Those whose arguments count, or whose answer is another.
_SPECIAL = ("socket", "socketpair", "clone", "clone3", "ioctl", "prctl")
#: Answered with EPERM, whatever their arguments.
CLOSED = tuple(name for name in _NUMBERS if name not in _SPECIAL)

#: What `os.uname().machine` says → column of `_NUMBERS`, AUDIT_ARCH_…, first number of a table that is not ours.
_ARCHITECTURES = {"x86_64": (0, 0xC000003E, 0x40000000), "aarch64": (1, 0xC00000B7, None)}

_NAMESPACES = 0x7E020000  # CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET
_AF_UNIX = 1
_TERMINAL_INPUT = (0x5412, 0x541C)  # TIOCSTI, TIOCLINUX

_PR_SCHED_CORE = 62

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _IS, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
#: Offsets in `struct seccomp_data`. Arguments have 64 bits, of which the low half comes first on both machines.
_NR, _ARCH, _ARGUMENTS = 0, 4, 16

_PR_SET_SECCOMP, _MODE_FILTER = 22, 2


def number(name: str, machine: str = "") -> int | None:
    """The number of a system call of the table above on this machine; None if the machine has none of that name."""
    return _NUMBERS[name][_architecture(machine)[0]]


def program(machine: str = "") -> bytes:
    """The filter for `machine` (as `os.uname` names it; this one if empty). OSError on a machine without a table."""
    return b"".join(_program(machine))


def install() -> None:
    """Close the calls to this process for good; needs `no_new_privs`. OSError if that cannot be done."""
    code = program()
    instructions = ctypes.create_string_buffer(code, len(code))
    # struct sock_fprog: the number of instructions of eight bytes, and where they are.
    filter_ = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(instructions)))
    system.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.addressof(filter_))


def _architecture(machine: str) -> tuple[int, int, int | None]:
    name = machine or os.uname().machine
    if name not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"there is no table of system calls for {name}")
    return _ARCHITECTURES[name]


def _program(machine: str) -> Iterator[bytes]:
    column, architecture, foreign = _architecture(machine)

    def op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
        return struct.pack("=HBBI", code, if_true, if_false, value)

    def fail(error: int) -> bytes:
        return op(_RETURN, _ERRNO | error)

    def argument(index: int) -> bytes:
        return op(_LOAD, _ARGUMENTS + 8 * index)

    def call(name: str, *then: bytes) -> Iterator[bytes]:
        """Run `then`, which returns, if this is the call."""
        nr = _NUMBERS[name][column]
        if nr is not None:
            yield op(_IS, nr, 0, len(then))
            yield from then

    yield op(_LOAD, _ARCH)
    yield op(_IS, architecture, 1, 0)
    yield op(_RETURN, _KILL)
    yield op(_LOAD, _NR)
    if foreign is not None:
        yield op(_AT_LEAST, foreign, 0, 1)
        yield op(_RETURN, _KILL)
    for name in ("socket", "socketpair"):
        not_unix = (op(_IS, _AF_UNIX, 1, 0), fail(errno.EOPNOTSUPP))
        yield from call(name, argument(0), *not_unix, op(_RETURN, _ALLOW))
    namespace = (op(_ANY_BIT, _NAMESPACES, 0, 1), fail(errno.EPERM))
    yield from call("clone", argument(0), *namespace, op(_RETURN, _ALLOW))
    yield from call("clone3", fail(errno.ENOSYS))
    typed = tuple(part for request in _TERMINAL_INPUT for part in (op(_IS, request, 0, 1), fail(errno.EPERM)))
    yield from call("ioctl", argument(1), *typed, op(_RETURN, _ALLOW))
    alone = (op(_IS, _PR_SCHED_CORE, 0, 1), fail(errno.EPERM))
    yield from call("prctl", argument(0), *alone, op(_RETURN, _ALLOW))
    for name in CLOSED:
        yield from call(name, fail(errno.EPERM))
    yield op(_RETURN, _ALLOW)
