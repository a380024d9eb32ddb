"""Attacks that use up memory and the disk, a part of the group `resources`.

Each is bounded by what the container may have and a little more. Where memory runs out, Linux ends processes: they have
to be the attacker's.
"""

from __future__ import annotations

from ..case import Attack, Group
from .toolkit import python

_MOST = r"""
def limit():
    "Bytes that this container may have; a guess where it has no limit."
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            if int(read(path)) < 16 << 30:
                return int(read(path))
    return 3 << 30
MOST = limit() + (512 << 20)
MIB = bytes(1 << 20)
def children(count, bytes_each, seconds=12):
    "So many processes with so much memory each, which they touch."
    started = 0
    for _ in range(count):
        try:
            child = os.fork()
        except OSError as error:
            refused.append(str(error))
            break
        started += 1
        if child == 0:
            signal.alarm(seconds)
            try:
                held = bytearray(b"x") * bytes_each
            finally:
                time.sleep(seconds)
                os._exit(0)
    return started
"""

ATTACKS: tuple[Attack, ...] = (
    python(
        Group.RESOURCES,
        "an array larger than the session's share",
        _MOST
        + r"""
import numpy
try:
    keep("bytes", numpy.ones(MOST - (512 << 20), dtype="u1").nbytes)
except MemoryError as error:
    refused.append(str(error))
verdict()
""",
        may_end=True,
        timeout=30,
    ),
    python(
        Group.RESOURCES,
        "memory without end, with its own limits raised as far as they go",
        _MOST
        + r"""
for kind in (resource.RLIMIT_DATA, resource.RLIMIT_AS, resource.RLIMIT_RSS, resource.RLIMIT_STACK):
    attempt(resource.setrlimit, kind, (resource.getrlimit(kind)[1],) * 2)
held = []
try:
    while len(held) << 24 < MOST:
        held.append(bytearray(b"x") * (1 << 24))
except MemoryError as error:
    refused.append(f"at {len(held) << 4} MiB")
keep("MiB", len(held) << 24 >= MOST and len(held) << 4)
del held
verdict()
""",
        may_end=True,
        timeout=30,
    ),
    python(
        Group.RESOURCES,
        "memory in many processes, each of them small",
        _MOST + "print(children(MOST >> 26, 64 << 20), 'processes')\ntime.sleep(14)\nprint('HELD: it is over')\n",
        may_end=True,
        timeout=40,
    ),
    Attack(
        Group.RESOURCES,
        "memory in hundreds of processes, each smaller than the worker and than every other kernel",
        """
limit=$(cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null | head -n 1)
[ "${#limit}" -le 10 ] 2>/dev/null || limit=3221225472
for i in $(seq $((limit / 8000000 + 1))); do
    perl -e '$x = "x" x 4000000; $y = $x . "y"; sleep 15' &
done 2>/dev/null
sleep 16
echo HELD: it is over
""",
        language="shell",
        may_end=True,
        timeout=40,
    ),
    python(
        Group.RESOURCES,
        "memory that no process has mapped: nameless files in memory",
        _MOST
        + r"""
written = 0
files = []
while written < MOST:
    if written % (256 << 20) == 0:
        files.append(os.memfd_create("held"))
    written += os.write(files[-1], MIB)
print("HELD: it got", written >> 20, "MiB, and the others live")
""",
        may_end=True,
        timeout=40,
    ),
    python(
        Group.RESOURCES,
        "memory that no directory shows: deleted files in shared memory, in several processes",
        _MOST
        + r"""
for _ in range(4):
    if os.fork() == 0:
        signal.alarm(12)
        held = []
        with contextlib.suppress(OSError):
            for number in range(MOST >> 28):
                path = f"/dev/shm/held-{os.getpid()}-{number}"
                held.append(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
                os.unlink(path)
                for _ in range(64):
                    os.write(held[-1], MIB)
        time.sleep(12)
        os._exit(0)
time.sleep(14)
print("HELD: it is over")
""",
        may_end=True,
        timeout=40,
    ),
    python(
        Group.RESOURCES,
        "memory in the buffers of pipes and sockets",
        _MOST
        + r"""
total, ends = 0, []
def fill(descriptor):
    global total
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        while total < MOST and time.monotonic() < end:
            total += os.write(descriptor, MIB)
import fcntl
end = time.monotonic() + 15
with contextlib.suppress(OSError):
    for _ in range(800):
        ends += os.pipe()
        attempt(fcntl.fcntl, ends[-1], 1031, 1 << 20)  # F_SETPIPE_SZ
        fill(ends[-1])
with contextlib.suppress(OSError):
    for _ in range(800):
        pair = socket.socketpair()
        for each in pair:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 26)
            fill(each.fileno())
        ends += [each.detach() for each in pair]
for each in ends:
    os.close(each)
print("HELD: it got", total >> 20, "MiB, and the others live")
""",
        may_end=True,
        timeout=40,
    ),
    python(
        Group.RESOURCES,
        "memory that is shared or mapped read-only, which no limit of a process counts",
        _MOST
        + r"""
areas = []
for _ in range(MOST >> 28):
    area = mmap.mmap(-1, 1 << 28)  # shared
    for at in range(0, 1 << 28, 4096):
        area[at] = 1
    areas.append(area)
print("HELD: it got", len(areas) << 8, "MiB, and the others live")
""",
        may_end=True,
        timeout=40,
    ),
    python(
        Group.RESOURCES,
        "shared memory that stays full after the kernel's end",
        _MOST
        + r"""
total = 0
with contextlib.suppress(OSError):
    for number in range(64):
        with open(f"/dev/shm/full-{number}", "wb", buffering=0) as file:
            for _ in range(64):
                total += file.write(MIB) if total < MOST else 0
print("made", total >> 20, "MiB")
""",
        then=r"""
volume = os.statvfs("/dev/shm")
left = [name for name in (f"full-{number}" for number in range(64)) if os.path.lexists(f"/dev/shm/{name}")]
keep("files", len(left))
keep("full", volume.f_bavail < volume.f_blocks // 2 and f"{volume.f_bavail * volume.f_frsize >> 20} MiB are left")
for name in left:
    os.unlink(f"/dev/shm/{name}")
verdict()
""",
        timeout=40,
    ),
    python(
        Group.RESOURCES,
        "the disk, filled by files, deleted files and files of others' names",
        _MOST
        + r"""
open("made", "w").close()
total = 0
places = [".", os.environ["HOME"], os.environ["TMPDIR"], "../checkpoints"]
held = []
for number in range(40):
    with contextlib.suppress(OSError):
        file = open(f"{places[number % 4]}/full-{number}", "wb", buffering=0)
        held.append(file)
        for _ in range(64):
            total += file.write(MIB) if total < 2 << 30 else 0
    if number % 3 == 0:
        os.unlink(file.name)
time.sleep(5)
print("HELD: it got", total >> 20, "MiB")
""",
        then=r"""
assert os.path.exists("made")
volume = os.statvfs(".")
keep("full", volume.f_bavail < volume.f_blocks // 50 and f"{volume.f_bavail * volume.f_frsize >> 20} MiB are left")
for name in glob.glob("../*/full-*"):
    os.unlink(name)
verdict()
""",
        timeout=40,
    ),
    python(
        Group.RESOURCES,
        "the disk, filled by one file: written, reserved, and by a program that ignores its limit",
        _MOST
        + r"""
open("made", "w").close()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for value in (resource.getrlimit(resource.RLIMIT_FSIZE)[1], resource.RLIM_INFINITY):
    with contextlib.suppress(ValueError):  # that is how it says that this is not allowed
        resource.setrlimit(resource.RLIMIT_FSIZE, (value, value))
descriptor = os.open("reserved", os.O_CREAT | os.O_RDWR)
volume = os.statvfs(".")
for part in (1, 2, 3, 4, 8, 16):
    attempt(os.posix_fallocate, descriptor, 0, min(volume.f_bavail * volume.f_frsize // part, 2 << 30))
subprocess.run(["bash", "-c", "trap '' XFSZ; head -c 2G /dev/zero >written"], capture_output=True, timeout=30)
time.sleep(3)
print("HELD: it got", sum(os.stat(name).st_blocks >> 11 for name in ("reserved", "written")), "MiB")
""",
        then=r"""
volume = os.statvfs(".")
keep("full", volume.f_bavail < volume.f_blocks // 50 and f"{volume.f_bavail * volume.f_frsize >> 20} MiB are left")
assert os.path.exists("made")
for name in ("reserved", "written"):
    attempt(os.unlink, name)
verdict()
""",
        timeout=60,
    ),
    python(
        Group.RESOURCES,
        "files of no length or of a length that no disk has, as many as there is time for",
        r"""
descriptor = os.open("sparse", os.O_CREAT | os.O_RDWR)
for power in (28, 30, 34, 40, 43, 62):
    attempt(os.truncate, descriptor, 1 << power)
with contextlib.suppress(OSError):
    area = mmap.mmap(descriptor, 1 << 28)
    for at in range(0, 1 << 28, 1 << 22):
        area[at] = 1
end, made = time.monotonic() + 8, 0
os.makedirs(f"{os.environ['HOME']}/many")
while time.monotonic() < end and made < 100_000:
    place = f"{os.environ['HOME']}/many" if made % 2 else "."
    try:
        os.close(os.open(f"{place}/{made}", os.O_CREAT))
    except OSError as error:
        refused.append(str(error))
        break
    made += 1
print("HELD: made", made)
""",
        then="""
subprocess.run("find . -type f -delete", shell=True)
print("HELD: another kernel has started")
""",
        timeout=60,
    ),
)
