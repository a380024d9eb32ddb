"""Attacks that hide from whoever looks: from the watch over disk and memory, and from the end of the kernel."""

from __future__ import annotations

from ..case import Attack, Group
from .toolkit import python

#: Writes up to 1 GiB into files below `place`, by their names, and says how much is on the volume less than before.
_FILL = r"""
def lost(place, seconds=20):
    "MiB that the volume has lost, after as long as the watch needs at most."
    before, end, number = os.statvfs("."), time.monotonic() + seconds, 0
    with contextlib.suppress(OSError):
        while time.monotonic() < end and number < 256:
            with open(f"{place}/{number}", "wb", buffering=0) as file:
                file.write(bytes(4 << 20))
            number += 1
        os.unlink(f"{place}/0")
    time.sleep(max(0, end - time.monotonic()))
    now = os.statvfs(".")
    return now.f_bavail < now.f_blocks // 50 and (before.f_bavail - now.f_bavail) * now.f_frsize >> 20
"""

ATTACKS: tuple[Attack, ...] = (
    python(
        Group.PERSISTENCE,
        "a process whose first thread has ended: a zombie for whoever only looks at that",
        r"""
code = '''
import ctypes, os, threading, time
def stay():
    while True:
        time.sleep(0.1)
        with open("beat", "a") as file:
            file.write(".")
threading.Thread(target=stay).start()
ctypes.CDLL(None).syscall(93 if os.uname().machine == "aarch64" else 60, 0)
'''
left = subprocess.Popen([sys.executable, "-c", code], start_new_session=True, env={"PATH": os.environ["PATH"]})
while not os.path.exists("beat"):
    time.sleep(0.1)
open("planted", "w").write(str(left.pid))
""",
        then=r"""
pid = int(read("planted"))
keep("the process", os.path.exists(f"/proc/{pid}") and pid)
size = os.path.getsize("beat")
time.sleep(1)
keep("what it writes", os.path.getsize("beat") > size)
verdict()
""",
    ),
    python(
        Group.PERSISTENCE,
        "a chain of processes that fork and end faster than they can be listed, and one that stops whoever comes",
        r"""
chain = '''
import os, time
os.setsid()
end = time.monotonic() + 60
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    with open("beat", "a") as file:
        file.write(".")
'''
stopper = '''
import os, signal, time
os.setsid()
known, end = set(os.listdir("/proc")), time.monotonic() + 60
while time.monotonic() < end:
    for name in os.listdir("/proc"):
        if name.isdigit() and name not in known:
            try:
                os.kill(int(name), signal.SIGSTOP)
            except OSError:
                pass
'''
for code in (chain, stopper):
    subprocess.Popen([sys.executable, "-c", code], env={"PATH": os.environ["PATH"]})
time.sleep(1)
""",
        then=r"""
size = os.path.getsize("beat")
time.sleep(1)
keep("what it writes", os.path.getsize("beat") > size)
verdict()
""",
        may_end=True,
    ),
    python(
        Group.RESOURCES,
        "the disk, behind directories that are closed to the one who looks",
        _FILL
        + r"""
os.makedirs("closed/below", exist_ok=True)
os.chmod("closed/below", 0o300)
os.chmod("closed", 0o300)
keep("MiB", lost("closed/below"))
verdict()
""",
        may_end=True,
    ),
    python(
        Group.RESOURCES,
        "the disk, in deleted files of a program that hides what it has open",
        r"""
PR_SET_DUMPABLE = 4
before, held = os.statvfs("."), []
libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
with contextlib.suppress(OSError):
    for number in range(256):
        held.append(open(f"hidden-{number}", "wb", buffering=0))
        os.unlink(f"hidden-{number}")
        held[-1].write(bytes(4 << 20))
        time.sleep(0.05)
time.sleep(10)
now = os.statvfs(".")
keep("MiB", now.f_bavail < now.f_blocks // 50 and (before.f_bavail - now.f_bavail) * now.f_frsize >> 20)
verdict()
""",
        may_end=True,
    ),
    python(
        Group.RESOURCES,
        "the disk, by a program that goes on once its cell has ended",
        r"""
code = '''
import time
for number in range(256):
    with open(f"after-{number}", "wb", buffering=0) as file:
        file.write(bytes(4 << 20))
    time.sleep(0.05)
time.sleep(60)
'''
subprocess.Popen([sys.executable, "-c", code])
print("HELD: what it leaves is looked at by the next cell")
""",
    ),
    python(
        Group.RESOURCES,
        "a million files in shared memory, which everybody has to look through",
        r"""
made, end = 0, time.monotonic() + 20
with contextlib.suppress(OSError):
    while time.monotonic() < end and made < 1_000_000:
        os.close(os.open(f"/dev/shm/many-{os.getpid()}-{made}", os.O_WRONLY | os.O_CREAT))
        made += 1
time.sleep(10)
keep("files", made > 900_000 and made)
verdict()
""",
        may_end=True,
        timeout=90,
    ),
    python(
        Group.RESOURCES,
        "a processor whose other half must stay idle",
        r"""
PR_SCHED_CORE, CREATE = 62, 1
libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
keep("a core to itself", libc.prctl(PR_SCHED_CORE, CREATE, 0, 0, 0) == 0)
verdict()
""",
    ),
    python(
        Group.OUTPUT,
        "one message of parts without end, none of which is large",
        r"""
thread = get_ipython().kernel.iopub_thread
done = threading.Event()
def parts():
    with contextlib.suppress(Exception):
        thread.socket.send_multipart([b"x" * 5_900_000] * 500, copy=False)
    done.set()
thread.io_loop.add_callback(parts)
done.wait(30)
time.sleep(5)
verdict()
""",
        may_end=True,
        timeout=60,
    ),
)
