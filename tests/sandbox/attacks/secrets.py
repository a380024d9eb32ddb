"""Attacks on what the worker knows and no cell may: passwords, the model's key, the memory of its processes."""

from __future__ import annotations

from ..case import Allowed, Attack, Group
from . import rights
from .toolkit import python

_SECRETS = Group.SECRETS

_IN_PLACE = r"""
names = ["redis_client", "redis_worker", "redis_admin", "model_key"]
for way in ("", "/var", "/proc/self/root", "/usr/..", "/dev/..", "/proc/thread-self/root"):
    directory = way + "/run/secrets"
    keep(f"list of {directory}", attempt(os.listdir, directory))
    for name in names:
        keep(name, attempt(read, f"{directory}/{name}"))
verdict()
"""

_BY_HANDLE = r"""
for name in ("redis_worker", "redis_client", "model_key"):
    path = f"/run/secrets/{name}"
    place = attempt(os.open, path, os.O_PATH)
    if place is not None:
        keep(f"{name} opened again", attempt(read, f"/proc/self/fd/{place}"))
    how = struct.pack("=QQQ", os.O_RDONLY, 0, 0)
    opened = attempt(call, "openat2", -100, path.encode(), how, len(how))
    if opened is not None:
        keep(f"{name} by openat2", os.read(opened, 100))
    looked = attempt(os.stat, path)
    if looked is not None:
        keep(f"size and times of {name}", (looked.st_size, looked.st_mtime))
verdict()
"""

_SHELL = r"""
got=""
for way in "" /proc/1/root /proc/self/root; do
    for name in redis_client redis_worker model_key; do
        file=$way/run/secrets/$name
        for text in "$(cat "$file")" "$(<"$file")" "$(head -c 99 "$file")" "$(perl -pe1 "$file")" \
            "$(dd if="$file" status=none)" "$(tar -cO "$file" | head -c 2000 | tr -d '\0')" "$(sort "$file")" \
            "$(diff "$file" /dev/null)" "$(bash -c ". $file" 2>&1 | grep -v -e 'No such' -e 'ermission denied')"; do
            [ -n "$text" ] && got="$got $name=$text"
        done
    done
done 2>/dev/null
[ -n "$got" ] && echo "BREACH $got" || echo HELD
"""

_NODE = r"""
const fs = require("fs"), child = require("child_process")
const got = []
for (const name of ["redis_client", "redis_worker", "model_key"])
  for (const path of ["", "/proc/1/root"].map(way => `${way}/run/secrets/${name}`))
    for (const way of [p => fs.readFileSync(p), p => fs.readSync(fs.openSync(p, "r"), Buffer.alloc(99)),
                       p => (fs.copyFileSync(p, name), fs.readFileSync(name)),
                       p => child.execFileSync("cat", [p], {stdio: ["ignore", "pipe", "ignore"]})])
      try { got.push(`${name}: ${way(path)}`) } catch (error) {}
console.log(got.length ? `BREACH ${got.slice(0, 4)}` : "HELD")
"""

_ROOTS = r"""
for pid in [*others(), os.getppid(), os.getpid()]:
    for link in ("root", "cwd"):
        keep(f"list by {link} of {pid}", attempt(os.listdir, f"/proc/{pid}/{link}/run/secrets"))
        keep(f"file by {link} of {pid}", attempt(read, f"/proc/{pid}/{link}/run/secrets/redis_worker"))
        keep(f"file by a thread's {link} of {pid}", attempt(read,
                                                            f"/proc/{pid}/task/{pid}/{link}/run/secrets/model_key"))
verdict()
"""

_ENVIRONMENTS = r"""
for pid in others():
    for path in (f"/proc/{pid}/environ", f"/proc/{pid}/task/{pid}/environ", f"/proc/{pid}/auxv"):
        keep(path, attempt(read, path))
verdict()
"""

_ARGUMENTS = r"""
suspect = re.compile(r"(?i)(password|secret|passwd|api_?key|token)[=:\" ]+\S{4}|://[^/\s@]+:[^/\s@]+@")
for pid, words in others().items():
    for word in words:
        for hit in suspect.finditer(word):
            keep(f"in the command line of {pid}", word[hit.start() : hit.end() + 20])
for pid in [*others(), os.getppid()]:
    text = attempt(read, f"/proc/{pid}/comm")
    keep(f"in the name of {pid}", text and suspect.search(text.decode("utf-8", "replace")))
verdict()
"""

_MEMORY = r"""
for pid in others():
    keep(f"memory of {pid}", attempt(memory, pid))
    keep(f"map of {pid}", attempt(read, f"/proc/{pid}/maps"))
    with contextlib.suppress(OSError):
        keep(f"start of the program of {pid}", os.pread(os.open(f"/proc/{pid}/mem", os.O_RDONLY), 64, 0x400000))
verdict()
"""

_STATE = r"""
for pid in others():
    for name in ("smaps", "numa_maps", "pagemap", "stack", "syscall", "io", "mountstats", "personality", "timers"):
        keep(f"{name} of {pid}", attempt(read, f"/proc/{pid}/{name}", 64))
    for name in ("map_files", "fd", "fdinfo", "ns"):
        for entry in (attempt(os.listdir, f"/proc/{pid}/{name}") or [])[:200]:
            link = attempt(os.readlink, f"/proc/{pid}/{name}/{entry}") if name != "fdinfo" else entry
            keep(f"{name} of {pid}", link)
verdict()
"""

_DESCRIPTORS = r"""
for pid in others():
    for entry in range(24):
        path = f"/proc/{pid}/fd/{entry}"
        opened = attempt(os.open, path, os.O_RDONLY | os.O_NONBLOCK)
        if opened is not None:
            keep(path, os.readlink(f"/proc/self/fd/{opened}"))
    handle = attempt(os.pidfd_open, pid)
    for entry in range(24) if handle is not None else ():
        keep(f"descriptor {entry} of {pid}", attempt(call, "pidfd_getfd", handle, entry, 0))
verdict()
"""

_READV = r"""
class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

room = ctypes.create_string_buffer(64)
here = Piece(ctypes.addressof(room), 64)
for pid in others():
    starts = {0x400000}
    for line in (attempt(read, f"/proc/{pid}/maps", 1 << 16) or b"").splitlines()[:40]:
        starts.add(int(line.split(b"-")[0], 16))
    for start in starts:
        there = Piece(start, 64)
        if attempt(call, "process_vm_readv", pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0):
            keep(f"memory of {pid} at {start:x}", room.raw)
verdict()
"""

_PTRACE = r"""
ATTACH, SEIZE, DETACH, PEEKDATA, INTERRUPT = 16, 0x4206, 17, 2, 0x4207
for pid in others():
    for name, request in (("attached", ATTACH), ("seized", SEIZE)):
        if attempt(call, "ptrace", request, pid, 0, 0) is not None:
            time.sleep(0.1)
            word = ctypes.c_long()
            attempt(call, "ptrace", PEEKDATA, pid, 0x400000, ctypes.byref(word))
            keep(f"{name} {pid}, which holds", hex(word.value))
            attempt(call, "ptrace", DETACH, pid, 0, 0)
verdict()
"""

_LINKS = r"""
for name in ("redis_worker", "redis_client", "model_key"):
    path, own = f"/run/secrets/{name}", f"hard-{name}"
    place = attempt(os.open, path, os.O_PATH)
    ways = [(os.link, path, own), (os.rename, path, own)]
    if place is not None:
        ways += [(libc.linkat, place, b"", -100, own.encode(), 0x1000), (os.link, f"/proc/self/fd/{place}", own)]
    for way in ways:
        attempt(*way)
        keep(f"{name} by a hard link", attempt(read, own))
    attempt(os.symlink, path, f"soft-{name}")
    keep(f"{name} by a link", attempt(read, f"soft-{name}"))
    keep(f"{name} copied", attempt(shutil.copyfile, f"soft-{name}", f"copy-{name}"))
verdict()
"""

#: The next kernel's worker and guardian go through the session's directory: each of its parts is made a link first.
_LAID = r"""
root = os.path.dirname(os.getcwd())
for name in ("home", "tmp", "artifacts", "checkpoints"):
    attempt(os.rename, f"{root}/{name}", f"{root}/{name}.old")
    attempt(os.rename, f"{root}/{name}", f"{root}/files/{name}.old")
    attempt(os.rmdir, f"{root}/{name}")
    attempt(os.symlink, "/run/secrets", f"{root}/{name}")
for place in (f"{root}/files", f"{root}/tmp", f"{root}/home", f"{root}/checkpoints"):
    for name in ("manifests", "parts", "in", ".ipython", ".matplotlib", "cell-1.txt", "cell-1.png"):
        attempt(os.symlink, "/run/secrets", f"{place}/{name}")
for name in ("cell-1.txt", "cell-2.txt", "cell-1.png"):
    attempt(os.symlink, "/run/secrets/redis_worker", f"{root}/artifacts/{name}")
print("laid", refused)
"""

_FOLLOWED = r"""
root = os.path.dirname(os.getcwd())
for place in (".", root, f"{root}/home", f"{root}/tmp", f"{root}/artifacts", f"{root}/checkpoints"):
    for name in ["", *(attempt(os.listdir, place) or [])]:
        path = os.path.join(place, name)
        below = (attempt(os.listdir, path) if os.path.isdir(path) else []) or []
        keep(f"secrets below {path}", [each for each in below if each.startswith("redis_")])
        if name.startswith("cell-"):
            text = (attempt(read, path) or b"").strip()
            keep(f"a secret in {path}", text if text and b"." * 20 not in text else None)
for name in ("redis_worker", "model_key"):
    keep(name, attempt(read, f"/run/secrets/{name}"))
    for place in ("home", "tmp", "artifacts"):
        keep(name, attempt(read, f"{root}/{place}/{name}"))
verdict()
"""

_OWN_ENVIRONMENT = r"""
suspect = re.compile(r"(?i)password|secret|passwd|api_?key|token|redis|model_url|://\S+@")
own = {name: value for name, value in os.environ.items()}
for entry in read("/proc/self/environ", 1 << 16).decode("utf-8", "replace").split("\0"):
    name, _, value = entry.partition("=")
    own[f"{name} at the start"] = value
for name, value in own.items():
    keep(name, value if suspect.search(name) or suspect.search(value) else None)
for place in (os.environ["HOME"], os.environ["TMPDIR"], os.path.dirname(os.getcwd())):
    for base, _, files in os.walk(place):
        keep(f"configuration below {base}", [each for each in files if suspect.search(each)])
for name, module in list(sys.modules.items()):
    keep("the worker's package", getattr(module, "__file__", "") if name.split(".")[0] in ("outlast", "redis",
            "rq") else None)
verdict()
"""

_INHERITED = r"""
own = (os.path.dirname(os.getcwd()), "/dev/null", "pipe:", "anon_inode:[event", "anon_inode:[signalfd]", "/dev/urandom",
       "/proc/", "/memfd:", "anon_inode:[pidfd]", "/opt/kernel/", "/usr/", "/dev/pts/", "/dev/shm/")
for entry in os.listdir("/proc/self/fd"):
    target = attempt(os.readlink, f"/proc/self/fd/{entry}") or "/dev/null"
    if target.startswith("socket:"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(entry))) as found:
            keep(f"descriptor {entry}, a socket", str(found.family) if found.family != socket.AF_UNIX else None)
            with contextlib.suppress(OSError):
                peer = struct.unpack("=3i", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                held = found.getpeername() or found.getsockname()
                outside = peer[0] and fields(peer[0])[3] not in (b"0", str(os.getsid(0)).encode())
                keep(f"descriptor {entry}, to {peer}",
                     held if outside and not str(found.getsockname()).startswith(own_sockets()) else None)
    elif not target.startswith(own):
        keep(f"descriptor {entry}", target)
verdict()
"""

_SOCKETS = r"""
found = {words[7] for words in (line.split() for line in open("/proc/self/net/unix")) if len(words) > 7}
places = {"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/redis/redis.sock",
          "/run/systemd/private", "/run/dbus/system_bus_socket", "/run/crio/crio.sock", "/run/podman/podman.sock",
          *found}
for place in sorted(places):
    if place.startswith(own_sockets()):
        continue
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as one:
            one.settimeout(2)
            address = "\0" + place[1:] if place.startswith("@") else place
            if passes(one.connect, address):
                attempt(one.sendall, b"GET /info HTTP/1.0\r\n\r\n")
                keep(f"connected to {place}", attempt(one.recv, 60) or "and no answer")
verdict()
"""

_SYSTEM_FILES = r"""
import pwd
home = pwd.getpwuid(0).pw_dir
for path in ("/etc/shadow", "/etc/gshadow", "/etc/shadow-", "/etc/sudoers", "/etc/security/opasswd", f"{home}/.bashrc",
             f"{home}/.profile", f"{home}/.ssh/id_rsa", "/var/log/btmp", "/var/lib/outlast/sessions/lock",
             "/etc/.pwd.lock", os.path.dirname(os.getcwd()) + "/lock", "/run/outlast/workers/1"):
    keep(path, attempt(read, path))
for path in (home, "/run/outlast", "/run/outlast/workers", "/var/lib/outlast", "/var/lib/outlast/sessions", "/tmp"):
    keep(f"list of {path}", attempt(os.listdir, path))
verdict()
"""

_ALLOWED_READING = r"""
import os
os.environ["MY_TOKEN"] = "mine"
assert "status" in os.listdir("/proc/self") and b"python" in open("/proc/self/cmdline", "rb").read()
with open("/proc/self/maps") as maps:
    start = int(next(line for line in maps if "[heap]" in line).split("-")[0], 16)
with open("/proc/self/mem", "rb", buffering=0) as memory:
    memory.seek(start)
    assert len(memory.read(64)) == 64
assert open("/etc/passwd").read()
print("WORKS")
"""

_ALLOWED_LINKS = r"""
import os, pathlib, subprocess
pathlib.Path("own-secret").write_text("mine")
os.symlink("own-secret", "own-link")
os.link("own-secret", "own-hard-link")
place = os.open("own-secret", os.O_PATH)
assert open("own-link").read() == open("own-hard-link").read() == open(f"/proc/self/fd/{place}").read() == "mine"
assert subprocess.run(["cat", "own-link"], capture_output=True, text=True).stdout == "mine"
for name in ("own-secret", "own-link", "own-hard-link"):
    os.remove(name)
print("WORKS")
"""

_ALLOWED_SHELL = r"""
set -e
umask 077
echo mine >own-password
[ "$(cat own-password)" = mine ] && [ "$(perl -pe1 own-password)" = mine ]
[ "$(id -u)" = "$(stat -c %u own-password)" ]
[ "$(tar -cO own-password | tar -xO)" = mine ]
rm own-password
echo WORKS
"""

_ATTACKS = (
    python(_SECRETS, "the secrets' files, by every name that their directory has", _IN_PLACE),
    python(_SECRETS, "the secrets' files, by handles without rights that are opened again", _BY_HANDLE),
    Attack(_SECRETS, "the secrets' files, by programs of the system", _SHELL, "shell"),
    Attack(_SECRETS, "the secrets' files, from JavaScript", _NODE, "javascript"),
    python(_SECRETS, "the secrets' files, through other processes' root directories", _ROOTS),
    python(_SECRETS, "the environments of the worker and the guardian", _ENVIRONMENTS),
    python(_SECRETS, "passwords in the command lines and names of processes", _ARGUMENTS),
    python(_SECRETS, "the memory of the worker, through /proc", _MEMORY),
    python(_SECRETS, "what else /proc says of the worker's insides", _STATE),
    python(_SECRETS, "descriptors of the worker: files, and its connection to Redis", _DESCRIPTORS),
    python(_SECRETS, "the memory of the worker, by process_vm_readv", _READV),
    python(_SECRETS, "the memory of the worker, by ptrace", _PTRACE),
    python(_SECRETS, "hard and symbolic links to the secrets' files", _LINKS),
    python(_SECRETS, "links laid where the worker and the next guardian go", _LAID, then=_FOLLOWED),
    python(_SECRETS, "what the kernel was given at its start", _OWN_ENVIRONMENT),
    python(_SECRETS, "descriptors that the kernel inherited", _INHERITED),
    python(_SECRETS, "whoever listens on a socket in this container", _SOCKETS),
    python(_SECRETS, "files that only root may read, and lists of what there is", _SYSTEM_FILES),
)
ATTACKS: tuple[Attack, ...] = (*_ATTACKS, *rights.ATTACKS)

ALLOWED: tuple[Allowed, ...] = (
    Allowed("a cell reads its own process's state and the system's public files", _ALLOWED_READING, _SECRETS),
    Allowed("a cell links, reopens and reads files of its own", _ALLOWED_LINKS, _SECRETS),
    Allowed("a shell cell keeps a secret of its own", _ALLOWED_SHELL, _SECRETS, "shell"),
)
