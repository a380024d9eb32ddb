"""Attacks on another session's files: reading, changing, replacing them, and being where they will be."""

from __future__ import annotations

from ..case import Allowed, Attack, Group
from . import neighbours, shared
from .neighbours import THERE
from .toolkit import python

_SESSIONS = Group.SESSIONS

_READ = r"""
near = os.open("..", os.O_RDONLY | os.O_DIRECTORY | os.O_PATH)
for path in (file, "../../bystander/files/private.txt", f"/proc/self/root{file}",
             f"/proc/self/cwd/../../bystander/files/private.txt", f"/proc/{kernel}/cwd/private.txt",
             f"/proc/{kernel}/root{file}", f"/proc/{guardian}/root{file}", f"{root}/home/private.txt",
             f"{root}/tmp/private.txt"):
    keep(path, secret(attempt(read, path)))
    place = attempt(os.open, path, os.O_PATH)
    keep(f"{path} opened again", secret(attempt(read, f"/proc/self/fd/{place}")) if place is not None else None)
    keep(f"{path} by cat", secret(subprocess.run(["cat", path], capture_output=True).stdout))
    attempt(shutil.copyfile, path, "copied")
    keep(f"{path} copied", secret(attempt(read, "copied")))
inner = attempt(os.open, "../bystander/files/private.txt", os.O_RDONLY, dir_fd=near)
keep("by a directory above", inner is not None and secret(os.read(inner, 100)))
verdict()
"""

_LIST = r"""
for place in [*places, os.path.dirname(root), os.path.dirname(runtime), f"/proc/{kernel}/cwd",
              f"{root}/checkpoints/manifests"]:
    keep(f"names in {place}", attempt(os.listdir, place))
    keep(f"names in {place} by a walk", [found[1:] for found in os.walk(place)][:2])
for name in ("files/private.txt", "artifacts/cell-1.txt", "home/private.txt", "lock"):
    looked = attempt(os.stat, f"{root}/{name}")
    keep(f"size and time of {name}", looked and (looked.st_size, looked.st_mtime))
for number in range(1, 4):
    keep("full outputs of its cells", attempt(read, f"{root}/artifacts/cell-{number}.txt", 60))
verdict()
"""

_WRITE = r"""
def write(path, flags):
    opened = os.open(path, flags, 0o666)
    return os.write(opened, b"changed")
for place in places:
    keep(f"a file made in {place}", attempt(write, f"{place}/made", os.O_WRONLY | os.O_CREAT))
    passed(f"a directory made in {place}", os.mkdir, f"{place}/made-directory")
    passed(f"a link made in {place}", os.symlink, "/etc", f"{place}/made-link")
    keep(f"a file without a name in {place}", attempt(os.open, place, os.O_TMPFILE | os.O_RDWR))
keep("appended", attempt(write, f"{root}/files/other.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND))
for path in (file, f"{root}/lock", f"{root}/artifacts/cell-1.txt"):
    keep(f"opened {path}", attempt(os.open, path, os.O_WRONLY))
    passed(f"cut {path}", lambda: os.truncate(path, os.stat(path).st_size))
    passed(f"dated {path}", os.utime, path)
    passed(f"marked {path}", os.setxattr, path, "user.mark", b"1")
verdict()
"""

_REMOVE = r"""
EXCHANGE = 2
os.makedirs("substitute", exist_ok=True)
libc.renameat2.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint]
def exchange(one, other):
    if libc.renameat2(-100, one.encode(), -100, other.encode(), EXCHANGE):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return "exchanged"
for place in [f"{root}/files", f"{root}/tmp", f"{root}/home", root, runtime]:
    keep(f"exchanged {place}", attempt(exchange, place, "substitute"))
    passed(f"moved {place}", os.rename, place, f"{place}-moved")
    passed(f"took {place}", os.rename, place, "taken")
for path in (file, f"{root}/tmp/private.txt", f"{root}/lock", f"{runtime}/connection.json", f"{runtime}/k-1"):
    open("own", "w").close()
    passed(f"replaced {path}", os.replace, "own", path)
    passed(f"removed {path}", os.remove, path)
for path in (f"{root}/files/private.txt", f"{root}/home"):
    keep(f"removed {path}", subprocess.run(["rm", "-rf", path], capture_output=True).returncode == 0)
verdict()
"""

_STARTS = r"""
# What its programs read when they start would be run by them.
code = "raise SystemExit\n"
for name in ("home/.bashrc", "home/.profile", "home/.bash_profile", "home/.ipython/profile_default/startup/00.py",
             "home/.inputrc", "home/.local/lib/python3.11/site-packages/usercustomize.py",
             "home/.config/matplotlib/matplotlibrc", "home/.npmrc", "tmp/.matplotlib/matplotlibrc",
             "files/sitecustomize.py", "files/numpy.py", "files/pandas/__init__.py", "home/.duckdbrc"):
    path = f"{root}/{name}"
    attempt(os.makedirs, os.path.dirname(path), exist_ok=True)
    keep(path, attempt(lambda: open(path, "w").write(code)))
for path in ("/etc/bash.bashrc", "/etc/profile.d/x.sh", "/opt/kernel/lib/python3.11/site-packages/x.pth",
             "/opt/kernel/bin/python", "/usr/lib/python3.11/sitecustomize.py", "/etc/ld.so.preload",
             "/opt/kernel/etc/ipython/startup/x.py"):
    keep(path, attempt(os.open, path, os.O_WRONLY | os.O_CREAT))
verdict()
"""

_CHECKPOINTS = r"""
place = f"{root}/checkpoints"
for base, directories, files in os.walk(place):
    keep(f"below {base}", directories + files)
for name in ("manifests", "parts", "objects"):
    keep(f"names of {name}", attempt(os.listdir, f"{place}/{name}"))
    passed(f"{name} replaced", os.rename, f"{place}/{name}", f"{place}/{name}.old")
forged = json.dumps({"format": 2, "cell": 1, "saved": {}}).encode()
attempt(os.makedirs, f"{place}/manifests", exist_ok=True)
keep("a forged checkpoint", attempt(lambda: open(f"{place}/manifests/1-00000000.json", "wb").write(forged)))
verdict()
"""

_LOCK = r"""
import fcntl
for path in (f"{root}/lock", f"{session_root}/lock"):
    for flags in (os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREAT):
        opened = attempt(os.open, path, flags)
        if opened is not None:
            keep(f"the lock {path}", "open")
            passed(f"locked {path}", fcntl.flock, opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    passed(f"moved {path}", os.rename, path, path + ".old")
    passed(f"a second name for {path}", os.link, path, "lock")
    passed(f"removed {path}", os.remove, path)
    for pid in (guardian, os.getppid()):
        for entry in range(16):
            target = attempt(os.readlink, f"/proc/{pid}/fd/{entry}")
            if target == path:
                opened = attempt(os.open, f"/proc/{pid}/fd/{entry}", os.O_RDWR)
                keep(f"{path} by its guardian's descriptor", opened)
verdict()
"""

_LINKS = r"""
for path in (file, f"{root}/home/private.txt", f"{root}/artifacts/cell-1.txt", f"{root}/lock",
             f"{runtime}/connection.json", "/dev/shm/bystander-memory"):
    for own in ("hard", f"{os.environ['TMPDIR']}/hard", "/dev/shm/hard"):
        passed(f"hard link to {path}", os.link, path, own)
        if os.path.lexists(own):
            keep(f"{path} by a hard link", attempt(read, own, 80))
            os.remove(own)
    place = attempt(os.open, path, os.O_PATH)
    if place is not None and path != "/dev/shm/bystander-memory":
        keep(f"handle of {path}", place)
    if os.path.lexists("soft"):
        os.remove("soft")
    os.symlink(path, "soft")
    keep(f"{path} by a link", attempt(read, "soft", 80))
verdict()
"""

#: What the guardian of the next kernel does among the session's own files, a link could make it do elsewhere.
_LAID = r"""
os.makedirs("kept/inner", exist_ok=True)
open("kept/inner/file", "w").write("still here")
home = os.environ["HOME"]
for name in ("linked", ".cache", "private.txt"):
    attempt(os.symlink, os.path.abspath("kept"), f"{home}/{name}")
attempt(os.symlink, f"{root}/files", f"{home}/bystander")
attempt(os.symlink, root, f"{os.environ['TMPDIR']}/bystander")
attempt(os.symlink, f"{root}/artifacts", "bystander")
attempt(os.rename, home, home + ".old")
attempt(os.symlink, os.path.abspath("kept"), home)
for place in (f"{session_root}/artifacts", f"{session_root}/checkpoints"):
    attempt(os.rename, place, place + ".old")
    attempt(os.symlink, f"{root}/artifacts", place)
print("laid")
"""

_FOLLOWED = r"""
keep("the guardian followed a link", not os.path.exists("kept/inner/file"))
print("." * 100_000)
keep("the worker followed a link", os.path.islink(f"{session_root}/artifacts"))
keep("HOME is a link", os.path.islink(os.environ["HOME"]))
for name in ("bystander", f"{os.environ['TMPDIR']}/bystander"):
    keep(f"names in {name}", attempt(os.listdir, name))
print()
verdict()
"""

_PLACES = r"""
above, sockets = os.path.dirname(root), os.path.dirname(runtime)
for path in (f"{above}/next-session", f"{above}/{uid + 1}", f"{above}/.hidden", f"{sockets}/1-deadbeef",
             f"{sockets}/workers", f"{sockets}/x", "/run/next", "/data/next", "/var/lib/outlast/next"):
    passed(f"a directory {path}", os.mkdir, path)
    passed(f"a link {path}", os.symlink, "/tmp", path)
    passed(f"our directory as {path}", os.rename, os.environ["TMPDIR"], path)
passed("our whole directory moved", os.rename, session_root, session_root + "-x")
for name in ("new", "files2", "lock2"):
    passed("something beside our own directories", os.mkdir, f"{session_root}/{name}")
verdict()
"""

_WATCH = r"""
notes = call("inotify_init1", os.O_NONBLOCK)
for path in [*places, file, os.path.dirname(root), os.path.dirname(runtime), f"/proc/{kernel}/cwd", f"{runtime}/k-1"]:
    keep(f"a watch on {path}", attempt(call, "inotify_add_watch", notes, path.encode(), 0xFFF))
for flags in (0, 0x200, 0xE00):
    keep("a watch on many", attempt(call, "fanotify_init", flags, 0))
verdict()
"""

_SHELL = r"""
got=""
for place in /var/lib/outlast/sessions/bystander ../../bystander; do
    for file in $place/files/private.txt $place/home/private.txt $place/tmp/private.txt $place/artifacts/cell-1.txt; do
        text=$(head -c 60 $file) && case $text in *bystander-* | *.....*) got="$got $file: $text" ;; esac
    done
    flock -n $place/lock true && got="$got locked $place/lock"
done 2>/dev/null
ls /var/lib/outlast/sessions/*/files/* /run/outlast/* 2>/dev/null | grep -q . && got="$got listed"
cp /etc/hostname /var/lib/outlast/sessions/bystander/files/made 2>/dev/null && got="$got written"
[ -n "$got" ] && echo "BREACH $got" || echo HELD
"""

_NODE = r"""
const fs = require("fs"), net = require("net"), root = "/var/lib/outlast/sessions/bystander", got = []
const step = (what, run) => {
  try { const value = run(); if (`${value}`) got.push(`${what}: ${value}`) } catch (error) {}
}
for (const name of ["files/private.txt", "home/private.txt", "tmp/private.txt", "artifacts/cell-1.txt"])
  step(name, () => `${fs.readFileSync(`${root}/${name}`)}`.slice(0, 60))
for (const name of ["", "files", "artifacts", "checkpoints"])
  step(`names in ${name}`, () => fs.readdirSync(`${root}/${name}`))
step("written", () => fs.writeFileSync(`${root}/files/made-by-node`, "x") || "yes")
step("watched", () => fs.watch(`${root}/files`).close() || "yes")
for (const line of fs.readFileSync("/proc/net/unix", "utf8").split("\n")) {
  const path = line.split(/\s+/)[7]
  if (!path || !path.startsWith("@")) continue
  net.connect({path: "\0" + path.slice(1)}).on("data", d => got.push(`${path}: ${d}`)).on("error", () => {})
}
setTimeout(() => { console.log(got.length ? `BREACH ${got}` : "HELD"); process.exit() }, 1500)
"""

_ALLOWED_FILES = r"""
import os, pathlib, tempfile
root = pathlib.Path.cwd().parent
for place in (root / "files", root / "home", root / "tmp"):
    path = place / "own.txt"
    path.write_text("own")
    path.rename(place / "renamed.txt")
    os.link(place / "renamed.txt", place / "linked.txt")
    (place / "directory").mkdir()
    (place / "directory").chmod(0o2755)
    assert {"renamed.txt", "linked.txt", "directory"} <= {each.name for each in place.iterdir()}
    assert (place / "linked.txt").read_text() == "own"
    (place / "renamed.txt").unlink(), (place / "linked.txt").unlink(), (place / "directory").rmdir()
with tempfile.TemporaryDirectory() as place:
    assert place.startswith(str(root / "tmp"))
    (root / "tmp" / "moved").mkdir()
    os.rename(root / "tmp" / "moved", root / "files" / "moved")
    os.rmdir(root / "files" / "moved")
print("WORKS")
"""

_ALLOWED_SHARING = r"""
import fcntl, multiprocessing, os
from multiprocessing import shared_memory
area = shared_memory.SharedMemory(create=True, size=100)
area.buf[:5] = b"share"
again = shared_memory.SharedMemory(area.name)
assert bytes(again.buf[:5]) == b"share"
again.close(), area.close(), area.unlink()
context = multiprocessing.get_context("fork")
lock, value = context.Lock(), context.Value("i", 0)
def add():
    for _ in range(100):
        with lock:
            value.value += 1
processes = [context.Process(target=add) for _ in range(3)]
[each.start() for each in processes], [each.join(20) for each in processes]
assert value.value == 300
with open("own-lock", "w") as one, open("own-lock", "w") as other:
    fcntl.flock(one, fcntl.LOCK_EX)
    try:
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("WORKS")
"""

_ALLOWED_LONG = r"""
import os, pathlib
print("a long output " * 10_000)
print()
assert os.access("../artifacts", os.R_OK)
pathlib.Path("own.csv").write_text("a,b\n1,2\n")
import pandas
assert pandas.read_csv("own.csv").shape == (1, 2)
os.remove("own.csv")
print("WORKS")
"""

_ATTACKS = (
    python(_SESSIONS, "to read its files", THERE + _READ),
    python(_SESSIONS, "to see what files and outputs it has", THERE + _LIST),
    python(_SESSIONS, "to write among its files", THERE + _WRITE),
    python(_SESSIONS, "to remove, move and exchange its files and directories", THERE + _REMOVE),
    python(_SESSIONS, "to have its programs run what they find", THERE + _STARTS),
    python(_SESSIONS, "to read and forge its checkpoints", THERE + _CHECKPOINTS),
    python(_SESSIONS, "to take its lock", THERE + _LOCK),
    python(_SESSIONS, "to link to its files", THERE + _LINKS),
    python(_SESSIONS, "to have guardian and worker follow links to it", THERE + _LAID, then=THERE + _FOLLOWED),
    python(_SESSIONS, "to be where another session will be", THERE + _PLACES),
    python(_SESSIONS, "to watch its files", THERE + _WATCH),
    Attack(_SESSIONS, "to read, lock and write its files from a shell", _SHELL, "shell"),
    Attack(_SESSIONS, "to read, watch and write its files from JavaScript", _NODE, "javascript"),
)
ATTACKS: tuple[Attack, ...] = (*_ATTACKS, *neighbours.ATTACKS, *shared.ATTACKS)

ALLOWED: tuple[Allowed, ...] = (
    Allowed("a session makes, links, moves and removes files of its own", _ALLOWED_FILES, _SESSIONS),
    Allowed("a session's processes share memory, locks and semaphores", _ALLOWED_SHARING, _SESSIONS),
    Allowed("a session's long output is kept, and its tables are read", _ALLOWED_LONG, _SESSIONS),
)
