"""Files: temporary ones, trees of them, archives, databases, maps and logs."""

from __future__ import annotations

from tests.sandbox.case import Allowed, Group

FILES: tuple[Allowed, ...] = (
    Allowed(
        "tempfile: every kind, in TMPDIR and in the working directory",
        """
import os, pathlib, subprocess, tempfile
room = os.environ["TMPDIR"]
assert tempfile.gettempdir() == room and os.access(room, os.W_OK)
with tempfile.TemporaryFile("w+") as file:
    file.write("x"); file.seek(0); assert file.read() == "x"
with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    file.write("a,b\\n1,2\\n"); file.flush()
    assert file.name.startswith(room) and subprocess.check_output(["cat", file.name]) == b"a,b\\n1,2\\n"
assert not os.path.exists(file.name)
with tempfile.SpooledTemporaryFile(max_size=10) as file:
    file.write(b"y" * 100); file.rollover(); file.seek(0); assert len(file.read()) == 100
with tempfile.TemporaryDirectory(dir=".") as directory:
    (pathlib.Path(directory) / "deep").mkdir(); (pathlib.Path(directory) / "deep/file").touch()
assert not os.path.exists(directory)
number, path = tempfile.mkstemp(dir=room); os.write(number, b"z"); os.close(number); os.remove(path)
assert os.path.isdir(tempfile.mkdtemp(prefix="ünï-"))
made = subprocess.check_output("f=$(mktemp); d=$(mktemp -d); echo hi > $d/x; echo $f", shell=True, text=True)
assert made.startswith(room)
unnamed = os.open(room, os.O_TMPFILE | os.O_RDWR); os.write(unnamed, b"1"); os.close(unnamed)
home = pathlib.Path.home(); (home / ".config/tool").mkdir(parents=True, exist_ok=True)
(home / ".config/tool/x").write_text("1")
assert os.path.expanduser("~/.config/tool/x") == str(home / ".config/tool/x")
print("WORKS")
""",
        group=Group.FILES,
    ),
    Allowed(
        "a module and a package written by a cell, imported at once",
        """
import importlib, pathlib, sys
pathlib.Path("helper_of_mine.py").write_text("def double(x):\\n    return 2 * x\\n")
pathlib.Path("tools_of_mine").mkdir(exist_ok=True)
pathlib.Path("tools_of_mine/__init__.py").write_text("from .inner import name\\n")
pathlib.Path("tools_of_mine/inner.py").write_text("name = 'inner'\\n")
importlib.invalidate_caches()
for name in ("helper_of_mine", "tools_of_mine"): sys.modules.pop(name, None)
import helper_of_mine, tools_of_mine
assert helper_of_mine.double(21) == 42 and tools_of_mine.name == "inner"
pathlib.Path("helper_of_mine.py").write_text("def double(x):\\n    return 2 * x + 0.5\\n")
importlib.reload(helper_of_mine)
assert helper_of_mine.double(1) == 2.5
print("WORKS")
""",
        group=Group.FILES,
    ),
    Allowed(
        "3,000 files in a tree: os.walk, glob, rglob, scandir, shutil",
        """
import fnmatch, glob, os, pathlib, shutil
for old in ("tree", "copy", "moved"): shutil.rmtree(old, ignore_errors=True)
root = pathlib.Path("tree")
for i in range(3000):
    place = root / f"d{i % 30:02}" / f"e{i % 3}"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"file{i:04}.{'csv' if i % 2 else 'txt'}").write_text(str(i))
found = [os.path.join(at, name) for at, _, names in os.walk(root) for name in names]
assert len(found) == 3000 and sum(int(open(path).read()) for path in found) == 3000 * 2999 // 2
assert len(glob.glob("tree/**/*.csv", recursive=True)) == len(list(root.rglob("*.csv"))) == 1500
assert len(fnmatch.filter(found, "*file00??.txt")) == 50
assert sum(entry.stat().st_size for entry in os.scandir(root / "d00/e0")) > 0
shutil.copytree(root, "copy"); shutil.move("copy/d00", "moved")
assert len(list(pathlib.Path("copy").rglob("*.*"))) == 2900 and shutil.disk_usage(".").free > 0
os.rename("tree/d01", "tree/renamed"); os.replace("tree/renamed/e1", "tree/d02/e9")
newest = max(root.rglob("*"), key=os.path.getmtime); os.utime(newest, (0, 0)); assert newest.stat().st_mtime == 0
for path in ("tree", "copy", "moved"): shutil.rmtree(path)
print("WORKS")
""",
        group=Group.FILES,
    ),
    Allowed(
        "links, modes, locks, sparse files, attributes and other calls on own files",
        """
import fcntl, os, pathlib, shutil, stat
for old in ("soft", "hard", "original", "sparse", "pipe"): pathlib.Path(old).unlink(missing_ok=True)
original = pathlib.Path("original"); original.write_bytes(b"0123456789")
pathlib.Path("soft").symlink_to(original); os.link("original", "hard")
assert os.readlink("soft") == "original" and original.stat().st_nlink == 2
assert pathlib.Path("soft").resolve() == original.resolve()
original.chmod(0o640); assert stat.filemode(original.stat().st_mode) == "-rw-r-----"
os.chmod("original", 0o755); os.chown("original", os.getuid(), -1); assert original.stat().st_uid == os.getuid()
with open("original", "r+b") as file:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB); fcntl.lockf(file, fcntl.LOCK_EX)
    os.ftruncate(file.fileno(), 4); os.fsync(file.fileno()); os.posix_fallocate(file.fileno(), 0, 4096)
    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
assert original.stat().st_size == 4096
with open("sparse", "wb") as file: file.seek(300 << 20); file.write(b"end")
assert os.stat("sparse").st_size == (300 << 20) + 3 and os.stat("sparse").st_blocks * 512 < 1 << 20
os.truncate("sparse", 0); os.mkfifo("pipe"); assert stat.S_ISFIFO(os.stat("pipe").st_mode)
with open("original", "rb") as a, open("copy.bin", "wb") as b:
    assert os.sendfile(b.fileno(), a.fileno(), 0, 4096) == 4096
with open("original", "rb") as a, open("copy.bin", "wb") as b:
    assert os.copy_file_range(a.fileno(), b.fileno(), 4096) == 4096
handle = os.open(".", os.O_RDONLY); assert "original" in os.listdir(handle); os.close(handle); os.sync()
in_memory = os.memfd_create("scratch"); os.write(in_memory, b"m"); assert os.path.exists(f"/proc/self/fd/{in_memory}")
os.close(in_memory)
assert oct(os.umask(os.umask(0o22))) and os.access("original", os.X_OK) and shutil.which("python3")
print("WORKS")
""",
        group=Group.FILES,
    ),
    Allowed(
        "archives: zip, tar, gzip, bz2, lzma and shutil's",
        """
import bz2, gzip, io, lzma, os, pathlib, shutil, tarfile, zipfile, zlib
shutil.rmtree("packed", ignore_errors=True); pathlib.Path("packed/in").mkdir(parents=True)
text = "Zeile mit Ümlaut\\n" * 5000
for i in range(20): pathlib.Path(f"packed/in/{i}.txt").write_text(f"{i}\\n" + text)
with zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for path in sorted(pathlib.Path("packed").rglob("*.txt")): archive.write(path)
    archive.writestr("größe.txt", "x")
with zipfile.ZipFile("a.zip") as archive:
    assert archive.testzip() is None and len(archive.namelist()) == 21 and archive.read("größe.txt") == b"x"
    archive.extractall("unzipped")
for mode in ("gz", "bz2", "xz"):
    with tarfile.open(f"a.tar.{mode}", f"w:{mode}") as archive: archive.add("packed", filter=lambda info: info)
    with tarfile.open(f"a.tar.{mode}") as archive:
        assert archive.extractfile("packed/in/7.txt").read().decode() == "7\\n" + text
        archive.extractall(f"from_{mode}")
    assert sorted(os.listdir(f"from_{mode}/packed/in")) == sorted(os.listdir("packed/in"))
for module in (gzip, bz2, lzma):
    with module.open("t.packed", "wt", encoding="utf-8") as file: file.write(text)
    with module.open("t.packed", "rt", encoding="utf-8") as file: assert file.read() == text
assert zlib.decompress(zlib.compress(text.encode())) == text.encode()
made = shutil.make_archive("made", "gztar", "packed"); shutil.unpack_archive(made, "again")
assert pathlib.Path("again/in/3.txt").read_text().startswith("3\\n")
print("WORKS")
""",
        group=Group.FILES,
    ),
    Allowed(
        "sqlite3: in memory, in a file, with WAL, from two connections and threads, and with pandas",
        """
import concurrent.futures as cf, os, pathlib, sqlite3
import pandas as pd
for old in pathlib.Path(".").glob("shop.db*"): old.unlink()
with sqlite3.connect(":memory:") as memory:
    memory.execute("create virtual table notes using fts5(text)")
    memory.execute("insert into notes values ('a red fox'), ('a blue jay')")
    assert memory.execute("select text from notes where notes match 'fox'").fetchall() == [("a red fox",)]
    assert memory.execute("select json_extract('{\\"a\\": [1, 2]}', '$.a[1]')").fetchone() == (2,)
one = sqlite3.connect("shop.db")
assert one.execute("pragma journal_mode=wal").fetchone() == ("wal",)
one.execute("create table items (id integer primary key, name text, price real)")
with one: one.executemany("insert into items (name, price) values (?, ?)", [(f"ä{i}", i / 4) for i in range(10_000)])
two = sqlite3.connect("shop.db", timeout=20)
assert os.path.exists("shop.db-wal")
assert two.execute("select count(*), sum(price) from items").fetchone() == (10_000, 12498750.0)
def add(i):
    with sqlite3.connect("shop.db", timeout=30) as own:
        own.execute("insert into items (name, price) values (?, 1)", (f"thread {i}",))
with cf.ThreadPoolExecutor(4) as pool: list(pool.map(add, range(40)))
assert two.execute("select count(*) from items where name like 'thread %'").fetchone() == (40,)
frame = pd.read_sql("select * from items where price > ?", one, params=[2000])
frame.to_sql("dear", one, if_exists="replace", index=False)
assert len(pd.read_sql("select * from dear", one)) == len(frame) > 0
one.execute("create index by_name on items (name)"); one.execute("vacuum")
with sqlite3.connect("copy.db") as copy: one.backup(copy)
large = one.execute("with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000) "
                    "select count(*) from (select i from n order by i desc)")
assert large.fetchone() == (300_000,)
one.close(); two.close()
print("WORKS")
""",
        group=Group.FILES,
    ),
    Allowed(
        "mmap: of a file, anonymous, shared with a child, and a search in a large file",
        """
import mmap, os, re
with open("map.bin", "wb") as file: file.write(b"0" * 20_000_000 + b"needle" + b"1" * 100)
with open("map.bin", "r+b") as file, mmap.mmap(file.fileno(), 0) as room:
    assert room.find(b"needle") == 20_000_000 and re.search(rb"n.+e", room).start() == 20_000_000
    room[:3] = b"abc"; room.flush()
assert open("map.bin", "rb").read(4) == b"abc0"
with open("map.bin", "rb") as file, mmap.mmap(file.fileno(), 4096, access=mmap.ACCESS_READ) as room:
    assert room[3:4] == b"0"
shared = mmap.mmap(-1, 4096)
if (child := os.fork()) == 0:
    shared.write(b"from the child"); os._exit(0)
os.waitpid(child, 0); assert shared[:14] == b"from the child"
private = mmap.mmap(-1, 1 << 24, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS); private.madvise(mmap.MADV_DONTNEED)
private.resize(1 << 25)
with open("map.bin", "r+b") as file, mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE) as room: room[0] = 0
assert open("map.bin", "rb").read(1) == b"a"
print("WORKS")
""",
        group=Group.RESOURCES,
    ),
    Allowed(
        "logging: to files that rotate, to a queue, from threads and processes",
        """
import logging, logging.handlers, multiprocessing, pathlib, queue, threading
for old in pathlib.Path(".").glob("app.log*"): old.unlink()
log = logging.getLogger("app"); log.setLevel(logging.DEBUG); log.handlers.clear(); log.propagate = False
rotating = logging.handlers.RotatingFileHandler("app.log", maxBytes=20_000, backupCount=3, encoding="utf-8")
rotating.setFormatter(logging.Formatter("%(asctime)s %(processName)s %(threadName)s %(levelname)s %(message)s"))
log.addHandler(rotating)
threads = [threading.Thread(target=lambda: [log.info("Zähler %d", i) for i in range(100)]) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(list(pathlib.Path(".").glob("app.log*"))) >= 2
child = multiprocessing.get_context("fork").Process(target=lambda: log.warning("from a process"), name="helper")
child.start(); child.join()
assert "helper MainThread WARNING from a process" in pathlib.Path("app.log").read_text()
try: 1 / 0
except ZeroDivisionError: log.exception("caught")
assert "ZeroDivisionError" in pathlib.Path("app.log").read_text()
passed = queue.SimpleQueue(); listener = logging.handlers.QueueListener(passed, rotating); listener.start()
other = logging.getLogger("other"); other.addHandler(logging.handlers.QueueHandler(passed)); other.propagate = False
other.error("queued")
listener.stop(); assert "queued" in pathlib.Path("app.log").read_text()
logging.shutdown()
print("WORKS")
""",
    ),
)
