"""Attacks that use up what all sessions share: processes, processors, descriptors.

Parts of this group are `memory` (and the disk), `loops` (time) and `limits`. Each attack is bounded in number and time.
After it the worker lives, another session's kernel has what it had, and the session's next cell works.
"""

from __future__ import annotations

from ..case import Allowed, Attack, Group
from . import limits, loops, memory
from .toolkit import python

#: More of one kind than any session should have; the limits of a session are far below.
_MANY = 1200

_ATTACKS = (
    python(
        Group.RESOURCES,
        "processes without end, one after the other",
        f"most = {_MANY}\n"
        + r"""
children = []
with contextlib.suppress(OSError):
    while len(children) < most:
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            signal.pause()
        children.append(child)
keep("processes", len(children) >= most and len(children))
for child in children:
    os.kill(child, signal.SIGKILL)
for child in children:
    os.waitpid(child, 0)
verdict()
""",
    ),
    python(
        Group.RESOURCES,
        "processes that all fork, again and again",
        r"""
first, end = os.getpid(), time.time() + 6
while time.time() < end:
    with contextlib.suppress(OSError):
        if os.fork() == 0:
            signal.alarm(12)
            with contextlib.suppress(OSError):
                os.setsid()
if os.getpid() != first:
    os._exit(0)
print("HELD: it is over")
""",
        may_end=True,
        timeout=20,
    ),
    Attack(
        Group.RESOURCES,
        "a fork bomb of a shell",
        """
bomb() { [ $1 = 0 ] && { sleep 6; return; }; bomb $(($1 - 1)) & bomb $(($1 - 1)) & wait; }
bomb 11 2>/dev/null
echo HELD: it is over
""",
        language="shell",
        may_end=True,
        timeout=20,
    ),
    python(
        Group.RESOURCES,
        "threads without end",
        f"most = {_MANY}\n"
        + r"""
threading.stack_size(65536)
over, started = threading.Event(), []
with contextlib.suppress(RuntimeError):
    while len(started) < most:
        thread = threading.Thread(target=over.wait, args=(20,))
        thread.start()
        started.append(thread)
keep("threads", len(started) >= most and len(started))
over.set()
for thread in started:
    thread.join()
verdict()
""",
    ),
    python(
        Group.RESOURCES,
        "dead processes that nobody buries, and orphans for others to bury",
        r"""
end, orphans = time.monotonic() + 6, 0
dead = []
while time.monotonic() < end:
    with contextlib.suppress(OSError):
        if len(dead) < 300:
            child = os.fork()
            if child == 0:
                os._exit(0)
            dead.append(child)
        middle = os.fork()
        if middle == 0:
            with contextlib.suppress(OSError):
                for _ in range(10):
                    if os.fork() == 0:
                        break
            os._exit(0)
        os.waitpid(middle, 0)
        orphans += 10
print(f"HELD: {len(dead)} dead, {orphans} orphans")
""",
    ),
    python(
        Group.RESOURCES,
        "descriptors without end, in several processes, and kept",
        r"""
held = []
with contextlib.suppress(OSError):
    while len(held) < 100_000:
        held.append(os.open("/dev/null", os.O_RDONLY))
keep("descriptors", len(held) > 10_000 and len(held))
for _ in range(100):
    with contextlib.suppress(OSError):
        if os.fork() == 0:
            signal.alarm(6)
            with contextlib.suppress(OSError):
                for each in held:
                    os.close(each)
                while True:
                    os.pipe()
            signal.pause()
time.sleep(3)
for each in held[:20]:
    os.close(each)
verdict()
""",
    ),
    python(
        Group.RESOURCES,
        "every processor, in hundreds of processes, when others have to keep their time",
        r"""
for _ in range(240):
    with contextlib.suppress(OSError):
        if os.fork() == 0:
            os.setsid()
            signal.alarm(8)
            while True:
                pass
time.sleep(6)
print("HELD: it is over")
""",
        may_end=True,
        timeout=40,
    ),
    python(
        Group.RESOURCES,
        "an environment and arguments that no program can be started with",
        r"""
for number in range(60):
    os.environ[f"LARGE_{number}"] = "x" * 100_000
attempt(subprocess.run, ["true"])
attempt(subprocess.run, ["true", *["x" * 100_000] * 60])
for name in ("HOME", "TMPDIR", "PATH", "OUTLAST_KERNEL_OF", "OUTLAST_KERNEL_ROOT"):
    os.environ.pop(name)
large = {f"LARGE_{number}": "x" * 100_000 for number in range(12)}
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], env=large)
print("HELD: it only harms itself")
""",
    ),
)

ATTACKS: tuple[Attack, ...] = (*_ATTACKS, *limits.ATTACKS, *loops.ATTACKS, *memory.ATTACKS)
ALLOWED: tuple[Allowed, ...] = (
    Allowed(
        "an array of 200 MB",
        "import numpy\nx = numpy.ones(25_000_000)\nassert x.sum() == 25_000_000\nprint('WORKS')",
        Group.RESOURCES,
    ),
    Allowed(
        "twenty processes and fifty threads",
        r"""
import threading
from multiprocessing import get_context
with get_context("fork").Pool(20) as pool:
    assert pool.map(abs, range(-100, 0), chunksize=1) == list(range(100, 0, -1))
over = threading.Event()
threads = [threading.Thread(target=over.wait) for _ in range(50)]
for thread in threads: thread.start()
over.set()
for thread in threads: thread.join()
print("WORKS")
""",
        Group.RESOURCES,
    ),
    Allowed(
        "a mistake in memory is an error that a cell can go on from",
        r"""
import numpy
try:
    numpy.ones(1 << 40)
except MemoryError:
    pass
try:
    def f(n): return f(n + 1)
    f(0)
except RecursionError:
    print("WORKS")
""",
        Group.RESOURCES,
    ),
    Allowed(
        "a file of 100 MB, a thousand files, a thousand descriptors",
        r"""
import os
with open("large", "wb") as file:
    for _ in range(100): file.write(bytes(1 << 20))
for number in range(1000): open(f"small-{number}", "w").close()
held = [os.open(f"small-{number}", os.O_RDONLY) for number in range(1000)]
for each in held: os.close(each)
print("WORKS")
""",
        Group.RESOURCES,
    ),
    Allowed(
        "both processors for a while, and a pipe of programs",
        "timeout 3 sh -c 'while :; do :; done' & timeout 3 sh -c 'while :; do :; done' & wait\n"
        "seq 1000000 | sort -rn | head -n 1 | grep -q 1000000 && echo WORKS",
        Group.RESOURCES,
        language="shell",
    ),
)
