"""Attacks on what the worker keeps in the session's own directory, and on the places where both write.

A part of the group `files`. The worker owns the directory itself, `artifacts/` and `lock`; the session owns the rest
and the files that it makes beside its sockets.
"""

from __future__ import annotations

from ..case import Allowed, Attack, Group
from .toolkit import python

_TAMPER = r"""
from IPython.display import Image, display
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080600000" "01f15c4890000000d49444154789c6360f8cf500f0003820180"
    "b4dc62da0000000049454e44ae426082")
root = os.path.dirname(os.path.abspath("."))
runtime = os.path.dirname(get_ipython().kernel.parent.connection_file)
def look(path):
    "What can be seen of a file."
    try:
        facts = os.lstat(path)
    except FileNotFoundError:
        return "gone"
    inside = None
    with contextlib.suppress(OSError):
        inside = read(path, 1 << 20) if stat.S_ISREG(facts.st_mode) else sorted(os.listdir(path))
    return facts.st_ino, facts.st_mode, facts.st_uid, facts.st_gid, facts.st_nlink, facts.st_mtime_ns, inside
def replaced(path):
    open("other", "w").write("attack")
    os.replace("other", path)
def linked_over(path):
    os.symlink("/etc/passwd", "other-link")
    os.replace("other-link", path)
def taken(path):
    os.rename(path, "taken")
def named(path):
    os.link(path, f"name-{time.monotonic_ns()}")
def filled(path):
    open(f"{path}/outlast-attack", "w").close()
def written(path, mode="r+b"):
    with open(path, mode) as file:
        file.write(b"attack")
def mapped(path):
    with open(path, "rb") as file:
        mmap.mmap(file.fileno(), 1, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)[0] = 65
WAYS = {
    "written": written, "appended": lambda path: written(path, "ab"), "written anew": lambda path: written(path, "wb"),
    "mapped": mapped, "truncated": lambda path: os.truncate(path, 0),
    "dated": lambda path: os.utime(path, (1, 1)), "mode": lambda path: os.chmod(path, 0o777),
    "owner": lambda path: os.chown(path, os.getuid(), os.getgid()), "named": named, "filled": filled,
    "reopened": lambda path: written(f"/proc/self/fd/{os.open(path, os.O_RDONLY)}"),
    "exchanged": lambda path: subprocess.run(["mv", "--exchange", "own", path], capture_output=True),
    "over": replaced, "link": linked_over, "taken": taken,
    "removed": os.unlink, "directory": os.rmdir, "tree": shutil.rmtree,
}
def tamper(path):
    "Change it in every way, and keep what is to be seen of that."
    for how, way in WAYS.items():
        before = look(path)
        if before == "gone":
            break
        attempt(way, path)
        if look(path) != before:
            keep(f"{how} {path}", f"{before!r:.60} -> {look(path)!r:.60}")
def draw():
    "Have the worker begin two artifacts: a figure and a long text."
    display(Image(data=PNG, format="png"))
    print("line of a long output\n" * 500, flush=True)
"""

ATTACKS: tuple[Attack, ...] = (
    python(
        Group.FILES,
        "changing and removing artifacts while the worker writes them",
        _TAMPER
        + r"""
draw()
for _ in range(100):
    parts = glob.glob("../artifacts/.*.part")
    if len(parts) >= 2:
        break
    time.sleep(0.05)
assert parts, os.listdir("../artifacts")
time.sleep(0.3)
for part in parts:
    tamper(part)
# Their last names, before the worker can take them.
for name in ("cell-1.png", "cell-1-2.png", "cell-1.txt", "cell-1-2.txt", ".attack.part"):
    for place in ("../artifacts", f"{root}/artifacts", "/proc/self/cwd/../artifacts"):
        attempt(os.symlink, "/etc/passwd", f"{place}/{name}")
        attempt(replaced, f"{place}/{name}")
        attempt(os.mkdir, f"{place}/{name}")
        keep(name, os.path.lexists(f"{place}/{name}"))
verdict()
""",
    ),
    python(
        Group.FILES,
        "changing and removing finished artifacts",
        _TAMPER + "draw()\n",
        then=_TAMPER
        + r"""
artifacts = glob.glob("../artifacts/cell-*")
assert any(path.endswith(".png") for path in artifacts) and any(path.endswith(".txt") for path in artifacts), artifacts
there = os.open("../artifacts", os.O_PATH)
for path in artifacts:
    assert len(read(path)) > 50
    attempt(os.unlink, os.path.basename(path), dir_fd=there)
    keep("through a held directory", not os.path.exists(path))
    tamper(path)
tamper("../artifacts")
verdict()
""",
    ),
    python(
        Group.FILES,
        "the session's directory itself, and its neighbours",
        _TAMPER
        + r"""
open("own", "w").write("own")
for path in (root, os.path.dirname(root), os.path.dirname(runtime)):
    tamper(path)
# Sticky directories let an owner exchange what is its own.
for name in ("files", "home", "tmp", "checkpoints"):
    path = f"{root}/{name}"
    before = look(path)
    attempt(os.rename, path, f"{path}-moved")
    attempt(os.rename, path, "moved")
    attempt(os.symlink, "/etc", path)
    attempt(os.rmdir, f"{root}/checkpoints")
    keep(path, look(path)[:2] != before[:2])
for name in ("added", "lock.new", "artifacts.new"):
    attempt(os.mkdir, f"{root}/{name}")
    attempt(os.symlink, "/etc", f"{root}/{name}")
    attempt(replaced, f"{root}/{name}")
    keep(name, os.path.lexists(f"{root}/{name}"))
verdict()
""",
    ),
    python(
        Group.FILES,
        "the lock that keeps two kernels of the session apart",
        _TAMPER
        + r"""
import fcntl
# Inherited descriptors, and the guardian's own through /proc.
for pid in ("self", os.getppid(), 1):
    for path in attempt(glob.glob, f"/proc/{pid}/fd/*") or ():
        if (attempt(os.readlink, path) or "").endswith("/lock"):
            keep(path, "the lock's descriptor")
tamper(f"{root}/lock")
keep("read", attempt(read, f"{root}/lock"))
def take(descriptor):
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return "taken"
for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_PATH):
    descriptor = attempt(os.open, f"{root}/lock", flags)
    if descriptor is not None:
        # That of a mere place (O_PATH) can be locked no more than read; what it names can perhaps be opened anew.
        keep("locked", attempt(take, descriptor))
        keep("opened anew", attempt(os.open, f"/proc/self/fd/{descriptor}", os.O_RDWR))
verdict()
""",
    ),
    python(
        Group.FILES,
        "links at every name that the worker could write to",
        _TAMPER
        + r"""
target = f"{root}/artifacts/overwritten"
names = "lock artifacts files home tmp cell-1.txt cell-1.png cell-1-2.png cell-1.txt.part .part manifests objects"
os.makedirs("../checkpoints/manifests", exist_ok=True)
for place in (".", os.environ["HOME"], os.environ["TMPDIR"], "../checkpoints", "../checkpoints/manifests", runtime):
    for name in [*names.split(), ".matplotlib", "1-00000000.json", "1-00000000.json.new", "input.csv"]:
        attempt(os.symlink, target, f"{place}/{name}")
draw()
# The worker reconnects by path: what answers there may be another than it was.
for path in glob.glob(f"{runtime}/*"):
    attempt(os.rename, path, f"{path}.old")
    attempt(os.symlink, target, path)
""",
        then=_TAMPER
        + r"""
keep("written through a link", attempt(look, f"{root}/artifacts/overwritten") != "gone")
unknown = [name for name in os.listdir("../artifacts") if not re.fullmatch(r"cell-1(-\d+)?\.(png|txt)", name)]
keep("in artifacts", unknown)
verdict()
""",
        may_end=True,
    ),
    python(
        Group.FILES,
        "trees that are too deep to be removed, where the worker removes",
        r"""
files = os.getcwd()
runtime = os.path.dirname(get_ipython().kernel.parent.connection_file)
def dig(place, mode):
    os.chdir(place)
    for _ in range(3000):
        os.mkdir("d", mode)
        os.chdir("d")
try:
    for place in (runtime, "../checkpoints", os.environ["HOME"]):
        attempt(dig, os.path.join(files, place), 0o777)
finally:
    os.chdir(files)
""",
        then=r"""
keep("still in HOME", [name for name in os.listdir(os.environ["HOME"]) if name == "d"])
subprocess.run(["rm", "-rf", "../checkpoints/d"], check=True)
verdict()
""",
    ),
    python(
        Group.FILES,
        "names of files that are no text",
        r"""
hostile = [b"new\nline", b"\x1b[2J\x1b]52;c;YXR0YWNr\x07", b"\xff\xfe not UTF-8 \x80", b"-rf", b"$(id)", b"`id`"]
hostile += [b"'\"; id #", b"x" * 255, "\u202egnp.exe".encode(), b"{\"level\": \"error\"}", b" ", b"\x7f\x01"]
runtime = os.path.dirname(get_ipython().kernel.parent.connection_file)
for place in (".", os.environ["HOME"], "../checkpoints", runtime):
    for name in hostile:
        path = os.path.join(os.fsencode(place), name)
        attempt(lambda: open(path, "wb").close())
        attempt(os.symlink, name, path[:250] + b".ln")
deep = os.getcwd()
for _ in range(40):
    os.mkdir("n" * 200)
    os.chdir("n" * 200)
open("f" * 200, "w").close()
os.chdir(deep)
time.sleep(2.5)  # those who count the session's files look every second
print("HELD: made")
""",
        then="print('HELD: another kernel has started')",
        may_end=True,
    ),
)

ALLOWED: tuple[Allowed, ...] = (
    Allowed(
        "files in the own directories",
        r"""
import os, shutil, socket, sqlite3, stat, tempfile
with open("/dev/shm/allowed", "w") as file:
    file.write("text")
os.unlink("/dev/shm/allowed")
for place in (".", os.environ["HOME"], os.environ["TMPDIR"]):
    os.makedirs(f"{place}/below/deeper")
    path = f"{place}/below/file"
    with open(path, "w") as file:
        file.write("text")
    os.rename(path, f"{place}/below/deeper/file")
    os.replace(f"{place}/below/deeper/file", path)
    os.link(path, f"{path}-name")
    os.symlink("file", f"{path}-link")
    os.mkfifo(f"{path}-pipe")
    os.chmod(path, 0o640)
    os.truncate(path, 2)
    assert open(f"{path}-link").read() == open(f"{path}-name").read() == "te"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{place}/below/s")
    shutil.rmtree(f"{place}/below")
with tempfile.TemporaryFile() as nameless, tempfile.NamedTemporaryFile() as file:
    directory = tempfile.mkdtemp()
    nameless.write(b"1")
    assert file.name.startswith(os.environ["TMPDIR"]) and directory.startswith(os.environ["TMPDIR"])
with sqlite3.connect("table.db") as database:
    database.execute("create table t (x)")
print("WORKS")
""",
        Group.FILES,
    ),
    Allowed(
        "moving files between the own directories, by rename and by copy",
        r"""
import os, shutil
for a, b in ((".", os.environ["HOME"]), (os.environ["HOME"], os.environ["TMPDIR"]), (".", "/dev/shm")):
    open(f"{a}/moving", "w").write("text")
    shutil.move(f"{a}/moving", f"{b}/moving")
    assert open(f"{b}/moving").read() == "text"
    os.unlink(f"{b}/moving")
os.makedirs("tree/below")
os.rename("tree", f"{os.environ['TMPDIR']}/tree")
print("WORKS")
""",
        Group.FILES,
    ),
    Allowed(
        "programs of its own, and files with the system's programs",
        """
set -e
printf '#!/bin/sh\\necho ran\\n' >program
chmod +x program
[ "$(./program)" = ran ]
cp "$(command -v id)" own-id
[ "$(./own-id -u)" = "$(id -u)" ]
mkdir -p below/deeper; echo text >below/deeper/file
tar -cf all.tar below; rm -r below; tar -xf all.tar
cat <<END | diff - below/deeper/file
text
END
dd if=/dev/zero of=zeros bs=1M count=8 status=none; mktemp >/dev/null
find . -name file | xargs grep -q text
echo WORKS
""",
        Group.FILES,
        language="shell",
    ),
    Allowed(
        "files from JavaScript",
        """
const fs = require("fs"), os = require("os"), path = require("path")
for (const place of [".", os.homedir(), os.tmpdir()]) {
    const below = fs.mkdtempSync(path.join(place, "js-"))
    fs.writeFileSync(below + "/a", "text"); fs.renameSync(below + "/a", below + "/b")
    if (fs.readFileSync(below + "/b", "utf8") !== "text") throw Error(place)
    fs.rmSync(below, {recursive: true})
}
console.log("WORKS")
""",
        Group.FILES,
        language="javascript",
    ),
    Allowed(
        "the inputs and the system's files may be read",
        r"""
import glob, mmap, os, shutil, subprocess
for path in ["/etc/passwd", "/etc/hosts", *glob.glob("/data/*")[:1]]:
    assert open(path, "rb").read(10)
assert os.listdir("/usr/bin") and "MemTotal" in open("/proc/meminfo").read()
shutil.copy("/etc/hosts", "hosts")
with open("hosts", "r+b") as file:
    mmap.mmap(file.fileno(), 1)[0] = 35
subprocess.run("echo done > /dev/null; head -c 10 /dev/urandom | wc -c; exec 3<>/dev/full", shell=True, check=True)
print("WORKS")
""",
        Group.FILES,
    ),
)
