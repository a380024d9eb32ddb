"""Attacks on what all sessions share: memory by name, queues, places for anybody, room, what Linux counts for all.

A part of the group `other sessions`.
"""

from __future__ import annotations

from ..case import Attack, Group
from .neighbours import THERE
from .toolkit import python

_SESSIONS = Group.SESSIONS

_SHARED_MEMORY = r"""
from multiprocessing import shared_memory
try:
    area = shared_memory.SharedMemory("bystander-memory")
    keep("its shared memory", secret(bytes(area.buf[:64])))
except (OSError, ValueError) as error:
    refused.append(str(error))
for name in {"bystander-memory", *(attempt(os.listdir, "/dev/shm") or [])}:
    path = f"/dev/shm/{name}"
    if os.path.exists(path) and os.stat(path).st_uid == os.getuid() != 0:
        continue
    keep(f"{path} read", secret(attempt(read, path)))
    keep(f"{path} opened to write", attempt(os.open, path, os.O_RDWR))
    passed(f"{path} moved", os.rename, path, path + "-moved")
    passed(f"{path} removed", os.remove, path)
    passed(f"{path} opened to all", os.chmod, path, 0o666)
verdict()
"""

_SHARED_NAMES = r"""
found = attempt(os.listdir, "/dev/shm") or []
keep("what others share, by name",
     [name for name in found if os.stat(f"/dev/shm/{name}").st_uid != os.getuid() or "bystander" in name])
verdict()
"""

_QUEUES = r"""
IPC_INFO, MSG_STAT, SHM_STAT, SEM_STAT, RMID = 3, 11, 13, 18, 0
room = ctypes.create_string_buffer(256)
for name, info, status in (("msgctl", 12, MSG_STAT), ("shmctl", 14, SHM_STAT)):
    keep(f"{name} tells of all", attempt(lambda: call(name, 0, info, room) + 1))
    for number in range(16):
        keep(f"{name} of {number}", attempt(lambda: call(name, number, status, room) + 1))
keep("semctl tells of all", attempt(lambda: call("semctl", 0, 0, 19, room) + 1))
for key in (0, 0x51C0, 0x7D1F):
    keep(f"memory {key:x}", attempt(lambda: call("shmget", key, 4096, 0o1666) + 1))
    keep(f"semaphores {key:x}", attempt(lambda: call("semget", key, 1, 0o1666) + 1))
    keep(f"messages {key:x}", attempt(lambda: call("msgget", key, 0o1666) + 1))
for name in (b"bystander", b"queue", b"own"):
    keep(f"POSIX queue {name}", attempt(call, "mq_open", name, os.O_RDWR | os.O_CREAT, 0o666, 0))
keep("names of POSIX queues", attempt(os.listdir, "/dev/mqueue"))
keep("a queue made as a file", attempt(os.open, "/dev/mqueue/own", os.O_RDWR | os.O_CREAT))
for kind in ("msg", "shm", "sem"):
    keep(f"all of {kind}", (attempt(read, f"/proc/sysvipc/{kind}") or b"").splitlines()[1:])
keep("ipcmk(1)", subprocess.run(["ipcmk", "-M", "4096"], capture_output=True).stdout)
verdict()
"""

_COMMON_PLACES = r"""
# Where any program of any session might look for something of its own.
for place in ("/tmp", "/var/tmp", "/run/lock", "/run", "/dev", "/dev/mqueue", "/var/lib/outlast/sessions",
              "/run/outlast", "/data", "/mnt", "/home"):
    for name in ("joblib_memmapping_folder", "own", ".X11-unix"):
        path = f"{place}/{name}"
        keep(path, passes(os.mkdir, path, 0o777))
        keep(path, attempt(os.open, f"{path}.txt", os.O_CREAT | os.O_WRONLY, 0o666))
open("own-memory", "w").write("instead")
open("/dev/shm/own-memory", "w").write("instead")
for own in ("own-memory", "/dev/shm/own-memory"):
    passed("its shared memory replaced", os.replace, own, "/dev/shm/bystander-memory")
attempt(os.remove, "/dev/shm/own-memory")
verdict()
"""

_ROOM = r"""
# All kernels' sockets lie in one small place: without room there, nobody else's kernel starts.
mine = own_sockets()
above = os.path.dirname(mine)
before = os.statvfs(above)
large = attempt(os.open, f"{mine}/large", os.O_CREAT | os.O_WRONLY)
for _ in range(256) if large is not None else ():
    if attempt(os.write, large, bytes(1 << 20)) is None:
        break
left = os.statvfs(above)
keep("all room for sockets",
     left.f_bavail * left.f_frsize < 1 << 20 and f"{before.f_bavail} blocks before, {left.f_bavail} now")
attempt(os.remove, f"{mine}/large")
names = 0
while names < 300_000 and passes(os.mknod, f"{mine}/n{names}"):
    names += 1
left = os.statvfs(above)
keep("all names for sockets", left.f_ffree < 16 and f"{before.f_ffree} before, {left.f_ffree} now")
for name in glob.glob(f"{mine}/n*"):
    os.remove(name)
verdict()
"""

#: The directory of sockets goes with its kernel; what the worker may not remove would stay, and add up.
_ROOM_KEPT = r"""
mine = own_sockets()
before = os.statvfs(os.path.dirname(mine)).f_bfree
attempt(os.makedirs, f"{mine}/closed/inner", 0o700)
def fill():
    with open(f"{mine}/closed/inner/file", "wb") as file:
        return file.write(bytes(4 << 20))
attempt(fill)
attempt(os.chmod, f"{mine}/closed/inner", 0)
attempt(os.chmod, f"{mine}/closed", 0)
open("before", "w").write(f"{before} {mine}")
print("filled", before - os.statvfs(os.path.dirname(mine)).f_bfree)
"""

_ROOM_LOST = r"""
before, last = open("before").read().split()
now = os.statvfs(os.path.dirname(last)).f_bfree
keep("room for sockets that nobody frees", os.path.lexists(last) and f"{before} blocks were free, {now} are")
verdict()
"""

#: They cannot be kept from it for the moment that the watch over a session needs; a quarter of a minute is none.
_TERMINALS = r"""
held = []
signal.signal(signal.SIGINT, signal.SIG_IGN)
most, reserved = (int(read(f"/proc/sys/kernel/pty/{name}")) for name in ("max", "reserve"))
while len(held) < 4000:
    one = attempt(os.open, "/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    if one is None:
        break
    held.append(one)
time.sleep(15)
now = int(read("/proc/sys/kernel/pty/nr"))
keep("all terminals that containers may have", now >= most - reserved - 8 and f"{now} of {most}, {len(held)} are ours")
for one in held:
    os.close(one)
verdict()
"""

_READS_AHEAD = r"""
# Contexts for reading in the background are counted for the whole machine, not for a container.
NUMBERS |= {"io_setup": (206, 0), "io_destroy": (207, 1)}
held = []
most = int(read("/proc/sys/fs/aio-max-nr"))
for size in (4096, 256, 16, 1):
    while len(held) < 500:
        context = ctypes.c_ulong(0)
        if attempt(call, "io_setup", size, ctypes.byref(context)) is None:
            break
        held.append(context)
now = int(read("/proc/sys/fs/aio-nr"))
keep("all requests that this machine may have at once", now >= most - 16 and f"{now} of {most}")
for context in held:
    attempt(call, "io_destroy", context)
verdict()
"""

ATTACKS: tuple[Attack, ...] = (
    python(_SESSIONS, "to use its shared memory", THERE + _SHARED_MEMORY),
    python(_SESSIONS, "to see what it shares", _SHARED_NAMES),
    python(_SESSIONS, "to meet it in queues, semaphores and memory without a directory", _QUEUES),
    python(_SESSIONS, "to leave no room for its sockets", _ROOM),
    python(_SESSIONS, "to leave less and less room for sockets", _ROOM_KEPT, then=_ROOM_LOST),
    python(_SESSIONS, "to lay something in places that all share", _COMMON_PLACES),
    python(_SESSIONS, "to leave no terminal for it", _TERMINALS, may_end=True, terminals=True),
    python(_SESSIONS, "to leave it no reading in the background", _READS_AHEAD),
)
