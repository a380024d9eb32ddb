"""Attacks on the limits themselves: a session's own, those of others, and what Linux limits for a user or not at all.

A part of the group `resources`.
"""

from __future__ import annotations

from ..case import Attack, Group
from .toolkit import python

ATTACKS: tuple[Attack, ...] = (
    python(
        Group.RESOURCES,
        "what Linux keeps for a process: timers, signals, watches, events, locks",
        r"""
libc.timer_create.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
def count(make, most):
    "How many can be made; what is a descriptor is given back."
    made = []
    with contextlib.suppress(OSError):
        while len(made) < most:
            made.append(make(len(made)))
    for each in made:
        if isinstance(each, int):
            os.close(each)
    return len(made)
def timer(_):
    # It says nothing when it is over: SIGEV_NONE.
    if libc.timer_create(1, struct.pack("qii48x", 0, 0, 1), ctypes.byref(ctypes.c_long())):
        raise OSError("no more timers")
def instance(_):
    return call("inotify_init1", 0)
watcher = attempt(call, "inotify_init1", 0)
os.makedirs("watched", exist_ok=True)
def watch(number):
    path = f"watched/{number}"
    os.mkdir(path)
    call("inotify_add_watch", watcher, ctypes.c_char_p(path.encode()), 0xFFF)
def epoll(_):
    outer, inner = select.epoll(), select.epoll()
    outer.register(inner)
    return outer, inner
import fcntl
file = os.open("locked", os.O_CREAT | os.O_RDWR)
def lock(number):
    fcntl.lockf(file, fcntl.LOCK_EX, 1, 2 * number)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN])
def queued(_):
    number = int(signal.SIGRTMIN)
    information = struct.pack("iii", number, 0, -1) + bytes(116)
    call("rt_tgsigqueueinfo", os.getpid(), threading.get_native_id(), number, information)
made = {
    "timers": count(timer, 50_000), "instances of inotify": count(instance, 3000), "watches": count(watch, 20_000),
    "epolls": count(epoll, 5000), "locks": count(lock, 3000), "signals": count(queued, 50_000),
    "eventfds": count(lambda _: os.eventfd(1), 10_000), "memory maps": count(lambda _: mmap.mmap(-1, 4096), 40_000),
}
subprocess.run("rm -rf watched", shell=True)
print(f"HELD: {made}")
""",
        may_end=True,
    ),
    python(
        Group.RESOURCES,
        "memory that cannot be swapped or moved",
        r"""
def locked():
    return int(re.search(r"VmLck:\s+(\d+)", read("/proc/self/status").decode())[1]) >> 10
area = mmap.mmap(-1, 1 << 29)
libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
start = ctypes.addressof(ctypes.c_char.from_buffer(area))
for step in (lambda: libc.mlock(start, 1 << 29), lambda: libc.mlockall(7), lambda: libc.mlock2(start, 1 << 29, 1)):
    step()
    keep("MiB locked", locked() > 64 and locked())
for flags in (0x40000, 0x40000 | 21 << 26, 0x40000 | 30 << 26):  # huge pages
    with contextlib.suppress(OSError):
        pages = mmap.mmap(-1, 1 << 30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | flags)
        pages[0] = 1
        keep("huge pages", True)
NUMBERS["memfd_secret"] = (447, 447)
keep("secret memory", attempt(call, "memfd_secret", 0))
verdict()
""",
    ),
    python(
        Group.RESOURCES,
        "raising its own limits, and setting those of others",
        r"""
kinds = [name for name in dir(resource) if name.startswith("RLIMIT_")]
first = {name: resource.getrlimit(getattr(resource, name)) for name in kinds}
for name in kinds:
    kind, (_, hard) = getattr(resource, name), first[name]
    if hard == resource.RLIM_INFINITY:
        continue
    for value in (resource.RLIM_INFINITY, 2**40, hard * 2, hard + 1):
        with contextlib.suppress(OSError, ValueError, OverflowError):
            resource.setrlimit(kind, (hard, value))
        with contextlib.suppress(OSError, ValueError, OverflowError):
            resource.prlimit(0, kind, (value, value))
    now = resource.getrlimit(kind)[1]
    keep(name, (now == resource.RLIM_INFINITY or now > hard) and now)
    subprocess.run(["prlimit", f"--pid={os.getpid()}", f"--{name[7:].lower()}=unlimited"], capture_output=True)
    keep(name, resource.getrlimit(kind)[1] == resource.RLIM_INFINITY)
for pid in others():
    for name in kinds:
        before = attempt(resource.prlimit, pid, getattr(resource, name))
        if before is not None:
            keep(f"{name} of {pid}", before)
            keep(f"{name} of {pid}", attempt(resource.prlimit, pid, getattr(resource, name), before))
verdict()
""",
    ),
    python(
        Group.RESOURCES,
        "being the last one to be ended when memory runs out",
        r"""
def place(pid="self"):
    return int(read(f"/proc/{pid}/oom_score_adj"))
own, guardian = place(), place(os.getppid())
keep("no sooner than the worker", own <= guardian and (own, guardian))
around = {pid: attempt(place, pid) for pid in others()}
processes = ("self", "thread-self", os.getpid(), f"self/task/{os.getpid()}")
paths = [f"/proc/{each}/{name}" for each in processes for name in ("oom_score_adj", "oom_adj")]
for path in paths + [f"/proc/{pid}/oom_score_adj" for pid in around]:
    for value in (-1000, -17, 0, guardian, own - 1, 1000):
        data = str(value).encode()
        for flags in (os.O_WRONLY, os.O_RDWR):
            attempt(lambda: os.write(os.open(path, flags), data))
        held = attempt(os.open, path, os.O_PATH)
        attempt(lambda: os.write(os.open(f"/proc/self/fd/{held}", os.O_WRONLY), data))
    subprocess.run(["sh", "-c", f"echo 0 >{path}; choom -n 0 -p {os.getpid()}"], capture_output=True)
    keep("itself", place() < own and place())
of_a_child = "f=/proc/self/oom_score_adj; echo 0 >$f; choom -n 0 cat $f; cat $f"
values = subprocess.run(["sh", "-c", of_a_child], capture_output=True, text=True).stdout.split()
keep("a child", [value for value in values if int(value) < own])
keep("others", {pid: attempt(place, pid) for pid in around if attempt(place, pid) not in (around[pid], None)})
verdict()
""",
    ),
    python(
        Group.RESOURCES,
        "priority over all others",
        r"""
before = os.getpriority(os.PRIO_PROCESS, 0)
keep("nice", attempt(lambda: os.nice(-10)) is not None and os.getpriority(os.PRIO_PROCESS, 0) < before)
targets = [(which, 0) for which in (os.PRIO_PROCESS, os.PRIO_USER, os.PRIO_PGRP)]
for which, who in [*targets, (os.PRIO_PROCESS, os.getppid()), (os.PRIO_PROCESS, 1)]:
    for value in (-20, 19):
        if value < 0 or who:
            keep((which, who, value), attempt(lambda: os.setpriority(which, who, value) is None))
for policy in (os.SCHED_FIFO, os.SCHED_RR):
    keep(policy, attempt(lambda: os.sched_setscheduler(0, policy, os.sched_param(50)) is None))
deadline = struct.pack("IIQiIQQQ", 48, 6, 0, 0, 0, 10**7, 10**8, 10**8)
keep("deadline", attempt(lambda: call("sched_setattr", 0, deadline, 0) == 0))
REAL_TIME = 1 << 13
keep("disk", attempt(lambda: call("ioprio_set", 1, 0, REAL_TIME) == 0))
for pid in others():
    keep(f"affinity of {pid}", attempt(lambda: os.sched_setaffinity(pid, os.sched_getaffinity(pid)) is None))
    keep(f"scheduler of {pid}", attempt(lambda: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)) is None))
for words in ("chrt -f 50 true", "nice -n -5 sh -c 'test $(nice) -lt 0'", "ionice -c 1 true"):
    keep(words, subprocess.run(words, shell=True, capture_output=True).returncode == 0)
verdict()
""",
    ),
)
