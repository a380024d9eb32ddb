"""What a cell learns of its machine, and how much of it a cell can use."""

from __future__ import annotations

from tests.sandbox.case import Allowed, Group

MACHINE: tuple[Allowed, ...] = (
    Allowed(
        "the whole stack in one kernel, Arrow first, with room for data beside it",
        """
import pyarrow as pa
kept = pa.array(range(100_000))
import pyarrow.parquet, polars, duckdb, pandas as pd, numpy as np, resource
pd.DataFrame({"a": ["x"] * 10_000}).to_parquet("stack.parquet"); pd.read_parquet("stack.parquet")
polars.DataFrame({"a": range(100_000)}).lazy().group_by("a").len().collect()
duckdb.sql("SELECT sum(range) FROM range(1000000)").fetchall()
import scipy.interpolate, scipy.linalg, sklearn.ensemble, matplotlib.pyplot as plt
scipy.linalg.svd(np.random.default_rng(0).random((400, 400))); scipy.interpolate.CubicSpline(range(1000), range(1000))
sklearn.ensemble.RandomForestClassifier(20, n_jobs=2).fit(np.random.rand(300, 4), np.arange(300) % 2)
plt.plot([1, 2]); plt.close()
limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
if limit == resource.RLIM_INFINITY: limit = 1 << 31
room = np.ones(int(limit * 0.35) // 8)
assert room.sum() == len(room)
del room
print("WORKS")
""",
        group=Group.RESOURCES,
        timeout=300,
    ),
    Allowed(
        "memory: too much for a cell is a MemoryError, after which the session goes on",
        """
import numpy as np, resource
kept = {"answer": 42}
try:
    np.ones((1 << 45) // 8)
    raise SystemExit("32 TiB were allocated")
except MemoryError as error:
    print("refused:", error)
try:
    bytearray(1 << 44)
    raise SystemExit("16 TiB were allocated")
except MemoryError:
    pass
fine = np.ones(10_000_000)
assert fine.sum() == 10_000_000 and kept["answer"] == 42
print("WORKS")
""",
        group=Group.RESOURCES,
    ),
    Allowed(
        "psutil: this process, its children, and counts of processors and memory",
        """
import os, psutil, subprocess, sys
me = psutil.Process()
assert me.pid == os.getpid() and me.memory_info().rss > 10 << 20 and me.num_threads() >= 1
assert me.name().startswith("python")
assert me.cpu_times().user >= 0 and 0 <= me.memory_percent() < 100
assert me.status() in (psutil.STATUS_RUNNING, psutil.STATUS_SLEEPING)
assert me.cwd() == os.getcwd() and me.exe() and "HOME" in me.environ() and me.num_fds() > 3
assert me.uids().real == os.getuid()
with open("opened.txt", "w"): assert any(entry.path.endswith("opened.txt") for entry in me.open_files())
assert me.memory_full_info().uss > 0 and len(me.memory_maps()) > 10 and me.io_counters().read_count >= 0
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
assert child.pid in [process.pid for process in me.children(recursive=True)] and psutil.pid_exists(child.pid)
psutil.Process(child.pid).suspend(); psutil.Process(child.pid).resume(); psutil.Process(child.pid).terminate()
gone, alive = psutil.wait_procs([psutil.Process(child.pid)], timeout=10); child.wait()
assert not alive or not psutil.pid_exists(child.pid)
assert psutil.cpu_count() >= 1 and psutil.cpu_percent(0.1) >= 0 and psutil.virtual_memory().total > 1 << 28
assert psutil.disk_usage(".").total > 0 and psutil.boot_time() > 0 and psutil.getloadavg()[0] >= 0
assert psutil.swap_memory().total >= 0
for process in psutil.process_iter(["pid", "name", "memory_info", "cpu_percent"]): assert process.info["pid"] > 0
print(psutil.cpu_count(), psutil.virtual_memory().available >> 20, "MiB")
print("WORKS")
""",
        group=Group.SIGNALS,
    ),
    Allowed(
        "the machine: os, platform, resource, sysconf, versions of what is installed",
        """
import getpass, importlib.metadata, multiprocessing, os, platform, resource, shutil, socket, sys, sysconfig
assert os.cpu_count() >= 1 and len(os.sched_getaffinity(0)) >= 1 and multiprocessing.cpu_count() == os.cpu_count()
assert platform.system() == "Linux" and platform.python_version_tuple()[0] == "3" and platform.machine()
assert platform.platform()
assert platform.freedesktop_os_release()["ID"] == "debian" and socket.gethostname() and os.uname().release
assert os.sysconf("SC_PAGE_SIZE") >= 4096 and os.sysconf("SC_NPROCESSORS_ONLN") >= 1
assert sysconfig.get_paths()["purelib"]
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
assert soft >= 1024
resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 2048), hard))
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 10_000 and os.getloadavg()[0] >= 0 and os.get_exec_path()
files = [open(os.devnull) for _ in range(900)]
for file in files: file.close()
versions = {name: importlib.metadata.version(name) for name in ("numpy", "pandas", "polars", "duckdb", "scikit-learn")}
assert all(versions.values()) and len(list(importlib.metadata.distributions())) > 30
assert "processor" in open("/proc/cpuinfo").read() and "MemTotal" in open("/proc/meminfo").read()
assert open("/proc/self/status").read()
assert os.listdir("/proc/self/fd") and open("/etc/os-release").read() and os.urandom(8) != os.urandom(8)
assert shutil.get_terminal_size().columns > 0
import pandas as pd, sklearn
pd.show_versions(); sklearn.show_versions()
print(os.environ.get("USER"), versions)
print("WORKS")
""",
        group=Group.FILES,
    ),
    Allowed(
        "ctypes: the C library, callbacks, structures and own memory",
        """
import ctypes, ctypes.util
libc = ctypes.CDLL(None, use_errno=True)
assert libc.abs(-5) == 5 and libc.getpid() > 0 and ctypes.CDLL("libm.so.6") is not None
libc.strlen.argtypes, libc.strlen.restype = [ctypes.c_char_p], ctypes.c_size_t
assert libc.strlen("größe".encode()) == 7
numbers = (ctypes.c_int * 5)(5, 3, 1, 4, 2)
Number = ctypes.POINTER(ctypes.c_int)
compare = ctypes.CFUNCTYPE(ctypes.c_int, Number, Number)(lambda a, b: a[0] - b[0])
libc.qsort(numbers, 5, ctypes.sizeof(ctypes.c_int), compare)
assert list(numbers) == [1, 2, 3, 4, 5]
class Pair(ctypes.Structure): _fields_ = [("a", ctypes.c_int32), ("b", ctypes.c_double)]
assert Pair(1, 2.5).b == 2.5 and ctypes.sizeof(Pair) == 16
assert libc.open(b"/no/such/file", 0) == -1 and ctypes.get_errno() == 2
import numpy as np
array = np.arange(10.0); array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))[3] = -1
assert array[3] == -1 and ctypes.string_at(b"abc", 2) == b"ab"
print("WORKS")
""",
    ),
)
