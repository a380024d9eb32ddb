"""Attacks on files outside of the session: the system's and those of the kernels' environment.

Two parts of the group are elsewhere: `devices`, and in `workspace` what the worker keeps in the session's directory.
"""

from __future__ import annotations

from ..case import Allowed, Attack, Group
from . import devices, workspace
from .toolkit import python

_MAKE = r"""
open("own", "w").write("own")
def at_path(make):
    "A way to make something that takes a path, as one that says what is there afterwards and removes it."
    def made(path):
        make(path)
        found = os.lstat(path)
        with contextlib.suppress(OSError):
            (os.rmdir if stat.S_ISDIR(found.st_mode) else os.unlink)(path)
        return oct(found.st_mode)
    return made
def bound(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
def moved(path):
    shutil.copy("own", "moving")
    os.rename("moving", path)
def nameless(path):
    descriptor = os.open(os.path.dirname(path), os.O_TMPFILE | os.O_WRONLY)
    os.write(descriptor, b"attack")
    os.link(f"/proc/self/fd/{descriptor}", path)
WAYS = {
    "a file": at_path(lambda path: os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))),
    "a nameless file": at_path(nameless),
    "a directory": at_path(os.mkdir),
    "a link": at_path(lambda path: os.symlink("/etc/passwd", path)),
    "another name": at_path(lambda path: os.link("own", path)),
    "a pipe": at_path(os.mkfifo),
    "a socket": at_path(bound),
    "a moved file": at_path(moved),
}
"""

_PLACES = (
    "/ /boot /data /dev /dev/mqueue /dev/pts /etc /etc/cron.d /etc/profile.d /home /media /mnt /opt /opt/kernel "
    "/opt/outlast /proc /root /run /run/lock /run/outlast /run/secrets /srv /sys /sys/fs/cgroup /tmp /usr/bin "
    "/usr/lib /usr/local/bin /usr/local/lib /usr/sbin /var /var/lib /var/lib/outlast /var/lib/outlast/sessions "
    "/var/log /var/spool /var/tmp /proc/1/cwd "
    # The same file system, by other ways.
    + " ".join(f"{way}/tmp" for way in ("/proc/self/root", "/proc/1/root"))
)

_ATTACKS = (
    python(
        Group.FILES,
        "making files of every kind outside of the session",
        _MAKE
        + f"for place in {_PLACES!r}.split():"
        + r"""
    for kind, way in WAYS.items():
        keep(f"{kind} in {place}", attempt(way, f"{place}/outlast-attack"))
verdict()
""",
    ),
    Attack(
        Group.FILES,
        "making files outside of the session with the system's programs",
        f"""
got=
echo own >own
for place in {_PLACES}; do
    path=$place/outlast-attack
    {{
        echo attack >"$path" || cp own "$path" || mv own "$path" || install -m 755 own "$path" ||
            echo attack | tee "$path" || ln -s /etc/passwd "$path" || ln own "$path" || mkdir "$path" ||
            mkfifo "$path" || touch "$path" || dd if=own of="$path" ||
            tar -cf- own | tar -xf- -C "$place" --transform s/own/outlast-attack/
    }} >/dev/null 2>&1
    if [ -e "$path" ] || [ -L "$path" ]; then got="$got $path"; rm -rf "$path"; fi
done
if [ "$got" ]; then echo "BREACH: made $got"; else echo HELD; fi
""",
        language="shell",
    ),
    Attack(
        Group.FILES,
        "making and changing files outside of the session from JavaScript",
        f"""
const fs = require("fs"), got = []
fs.writeFileSync("own", "own")
const ways = [p => fs.writeFileSync(p, "attack"), p => fs.appendFileSync(p, ""), p => fs.mkdirSync(p),
    p => fs.symlinkSync("own", p), p => fs.copyFileSync("own", p), p => fs.linkSync("own", p),
    p => fs.renameSync("own", p), p => fs.mkdtempSync(p)]
for (const place of "{_PLACES}".split(" "))
    for (const way of ways) {{
        try {{ const made = way(place + "/outlast-attack"); got.push(made || place) }} catch {{}}
        try {{ fs.rmSync(place + "/outlast-attack", {{recursive: true}}) }} catch {{}}
    }}
for (const path of ["/etc/passwd", "/etc/hosts", "/opt/kernel/pyvenv.cfg", process.execPath]) {{
    try {{ fs.appendFileSync(path, ""); got.push(path) }} catch {{}}
    try {{ fs.chmodSync(path, fs.statSync(path).mode); got.push(path) }} catch {{}}
}}
console.log(got.length ? "BREACH " + got.slice(0, 5) : "HELD")
""",
        language="javascript",
    ),
    python(
        Group.FILES,
        "changing the system's, the worker's and the kernel's own files where they are",
        r"""
import ipykernel, numpy
inside = os.path.dirname(sys.modules["outlast_inside"].__file__)
PATHS = [
    "/etc/passwd", "/etc/shadow", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/bash.bashrc",
    "/etc/ld.so.cache", "/usr/bin/bash", "/usr/bin/cat", os.path.realpath(sys.executable), shutil.which("node"),
    f"{sys.prefix}/pyvenv.cfg", numpy.__file__, ipykernel.__file__, os.__file__, f"{inside}/boot.py",
    f"{inside}/../guardian.py", f"{inside}/../launch.py", f"{inside}/../sandbox/seccomp.py", "/sbin/docker-init",
    *glob.glob("/data/*")[:3], *glob.glob("/usr/lib/*/libc.so.6"),
]
def same_byte(path, flags=os.O_RDWR):
    "Write what is there already: what has changed is the answer."
    descriptor = os.open(path, flags)
    return os.pwrite(descriptor, os.pread(descriptor, 1, 0) if flags == os.O_RDWR else b"", 0) or "opened"
def reopened(path):
    return same_byte(f"/proc/self/fd/{os.open(path, os.O_RDONLY)}")
def marked_only(path):
    return same_byte(f"/proc/self/fd/{os.open(path, os.O_PATH)}")
def mapped(path):
    with open(path, "rb") as file:
        area = mmap.mmap(file.fileno(), 1, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        area[0] = area[0]
    return "mapped"
def linked(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink("link")
    os.symlink(path, "link")
    return same_byte("link")
def named(path):
    os.link(path, "name")
    return same_byte("name")
def moved(path):
    os.rename(path, path + ".outlast-attack")
    os.rename(path + ".outlast-attack", path)
    return "moved there and back"
def moded(path):
    os.chmod(path, stat.S_IMODE(os.stat(path).st_mode))
    return "mode set"
def owned(path):
    os.chown(path, os.getuid(), -1) if os.getuid() else os.chown(path, 0, 0)
    return "owner set"
def dated(path):
    facts = os.stat(path)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    return "dated"
def noted(path):
    os.setxattr(path, "user.outlast-attack", b"1")
    os.removexattr(path, "user.outlast-attack")
    return "attribute set"
for path in PATHS:
    for way in (same_byte, reopened, marked_only, mapped, linked, named, moved, moded, owned, dated, noted):
        keep(f"{way.__name__} {path}", attempt(way, path))
    keep(f"appended {path}", attempt(same_byte, path, os.O_WRONLY | os.O_APPEND))
    for root in ("/proc/self/root", "/proc/1/root"):
        keep(f"{root} {path}", attempt(same_byte, root + path))
verdict()
""",
    ),
    python(
        Group.FILES,
        "truncating files that may only be read",
        r"""
inside = os.path.dirname(sys.modules["outlast_inside"].__file__)
open("own", "w").write("own")
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
def punched(path):
    if libc.fallocate(os.open(path, os.O_RDONLY), 3, 0, 1) == -1:
        raise OSError(ctypes.get_errno(), "fallocate")
ways = {
    "opened": lambda path: os.open(path, os.O_RDONLY | os.O_TRUNC),
    "made": lambda path: os.open(path, os.O_RDONLY | os.O_TRUNC | os.O_CREAT),
    "by path": lambda path: os.truncate(path, 0),
    "by descriptor": lambda path: os.ftruncate(os.open(path, os.O_RDONLY), 0),
    "by a link to the descriptor": lambda path: os.truncate(f"/proc/self/fd/{os.open(path, os.O_RDONLY)}", 0),
    "punched": punched,
    "copied into": lambda path: os.copy_file_range(os.open("own", os.O_RDONLY), os.open(path, os.O_RDONLY), 1),
    "sent into": lambda path: os.sendfile(os.open(path, os.O_RDONLY), os.open("own", os.O_RDONLY), 0, 1),
}
connection = get_ipython().kernel.parent.connection_file
for path in [f"{inside}/boot.py", f"{sys.prefix}/pyvenv.cfg", "/etc/hosts", "/etc/debian_version", connection,
             *glob.glob("/data/*")[:3]]:
    for way, step in ways.items():
        before = attempt(read, path, 1 << 20) if os.path.isfile(path) else None
        if before:
            attempt(step, path)
            if read(path, 1 << 20) != before:
                keep(f"{way} {path}", os.path.getsize(path) or "it is empty")
                open(path, "wb").write(before)
verdict()
""",
    ),
    python(
        Group.FILES,
        "planting modules where Python and kernels import from",
        r"""
import importlib, site
inside = os.path.dirname(sys.modules["outlast_inside"].__file__)
packages = [*site.getsitepackages(), "/usr/lib/python3/dist-packages", "/usr/local/lib/python3.11/dist-packages"]
places = {*packages, *sys.path[1:], os.path.dirname(os.__file__), inside, f"{inside}/__pycache__", f"{inside}/../state"}
for place in places:
    for name in ("outlast_attack.py", "outlast_attack.pth", "sitecustomize.py", "usercustomize.py"):
        def plant():
            with open(f"{place}/{name}", "x") as file:
                file.write("pass\n")
            os.unlink(f"{place}/{name}")
            return "planted"
        keep(f"{place}/{name}", attempt(plant))
    def exchange():
        os.rename(place, place + "-outlast")
        os.rename(place + "-outlast", place)
        return "moved there and back"
    keep(place, attempt(exchange))
verdict()
""",
    ),
    python(
        Group.FILES,
        "writing to a program through the process that runs it",
        r"""
def through(path):
    descriptor = os.open(path, os.O_RDWR)
    return os.pwrite(descriptor, os.pread(descriptor, 1, 0), 0)
keep("itself", attempt(through, "/proc/self/exe"))
for mapped in glob.glob("/proc/self/map_files/*")[:50]:
    keep(mapped, attempt(through, mapped))
# A program that runs cannot be written to; what is held of it still names it once it has ended.
for program in (["sleep", "0.2"], [shutil.which("node"), "-e", "setTimeout(() => 0, 200)"]):
    process = subprocess.Popen(program)
    time.sleep(0.1)
    held = attempt(os.open, f"/proc/{process.pid}/exe", os.O_PATH)
    process.wait()
    if held is not None:
        keep(program[0], attempt(through, f"/proc/self/fd/{held}"))
        keep(program[0], attempt(through, os.readlink(f"/proc/self/fd/{held}")))
verdict()
""",
    ),
    python(
        Group.FILES,
        "running programs that lie in memory only, in no directory that a rule could name",
        r"""
def run(program, *words):
    memory = os.memfd_create("attack", 0)
    os.write(memory, read(shutil.which(program), 1 << 24))
    with contextlib.suppress(OSError):
        os.fchmod(memory, 0o6755)
    done = subprocess.run([f"/proc/self/fd/{memory}", *words], pass_fds=[memory], capture_output=True, timeout=20)
    return done.stdout
assert attempt(run, "id", "-u") == f"{os.getuid()}\n".encode() or got
for place in ("/tmp", "/etc", "/opt/kernel", "/run", "/var/lib/outlast/sessions"):
    attempt(run, "touch", f"{place}/outlast-attack")
    keep(place, os.path.exists(f"{place}/outlast-attack"))
keep("a secret", attempt(run, "cat", "/run/secrets/redis_worker"))
keep("the password file", attempt(run, "cat", "/etc/shadow"))
verdict()
""",
    ),
    python(
        Group.FILES,
        "programs that run as another user: made here, and those of the system",
        r"""
def effective(pid):
    found = re.search(r"Uid:\s+\d+\s+(\d+)", read(f"/proc/{pid}/status").decode())
    return int(found[1])
def other(process, wait=0.5):
    "The user that it is, if that is not this one."
    time.sleep(wait)
    user = effective(process.pid) if process.poll() is None else os.getuid()
    process.kill()
    process.wait()
    return f"user {user}" if user != os.getuid() else None
for place in (".", os.environ["TMPDIR"], "/dev/shm"):
    program = f"{place}/sleeper"
    shutil.copy(shutil.which("sleep"), program)
    for owner in (0, 1, 65534):
        attempt(os.chown, program, owner, owner)
        attempt(os.chmod, program, 0o6755)
        # Of the file's capabilities all, effective: version 2 of the attribute.
        attempt(os.setxattr, program, "security.capability", struct.pack("<5I", 0x02000001, *[0xFFFFFFFF] * 4))
        started = attempt(subprocess.Popen, [program, "3"])
        if started:
            keep(f"{program} of {owner}", other(started))
pipes = {name: subprocess.PIPE for name in ("stdin", "stdout", "stderr")}
for words in (["su"], ["su", "root", "-c", "id"], ["passwd"], ["newgrp", "root"], ["chsh"], ["gpasswd", "root"]):
    program = shutil.which(words[0])
    if program and os.stat(program).st_mode & 0o6000:
        keep(words[0], other(subprocess.Popen([program, *words[1:]], start_new_session=True, **pipes)))
verdict()
""",
    ),
)

ATTACKS: tuple[Attack, ...] = (*_ATTACKS, *devices.ATTACKS, *workspace.ATTACKS)
ALLOWED: tuple[Allowed, ...] = workspace.ALLOWED
