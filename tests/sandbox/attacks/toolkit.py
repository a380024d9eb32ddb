"""What the attacks of several groups have in common: a beginning for Python cells, and the session that is attacked.

`python` makes an attack of a cell that begins with `TOOLS`. Such a cell tries each way with `attempt`, which takes
refusals by Linux and nothing else (a mistake in the cell itself ends it without a verdict), hands whatever it got to
`keep`, and ends with `verdict()`.
"""

from __future__ import annotations

from .. import case

#: The session that others are after; the test gives it a kernel of its own, and runs `SETUP` there first.
BYSTANDER = "bystander"
#: What only that session may know: the contents of `private.txt`, a variable, and a word of its shell cell.
FILE_SECRET, TOKEN, WORD = "bystander-secret-7d1f", "bystander-token-51c0", "bystander-word-9e22"

#: Makes the kernel of `BYSTANDER` worth an attack: files, a variable, shared memory, a listener without a path.
SETUP = f"""
import os, pathlib, socket, sys, threading
from multiprocessing import shared_memory
pathlib.Path("private.txt").write_text("{FILE_SECRET}\\n")
for place in (os.environ["HOME"], os.environ["TMPDIR"]):
    pathlib.Path(place, "private.txt").write_text("{FILE_SECRET}\\n")
token = "bystander-" + "token-51c0"
shared = shared_memory.SharedMemory("bystander-memory", create=True, size=4096)
shared.buf[:{len(TOKEN)}] = token.encode()
listener = socket.socket(socket.AF_UNIX)
listener.bind("\\0bystander-listener")
listener.listen(16)
def serve():
    while True:
        connection, _ = listener.accept()
        connection.sendall(token.encode())
        connection.close()
threading.Thread(target=serve, daemon=True).start()
print("ready" + "." * 100_000 + "ready")
"""
#: A shell cell of `BYSTANDER`, after that: a program that goes on in the background, as a user would leave one.
SHELL_SETUP = f"word={WORD}; (sleep 3600; echo $word >late.txt) & echo ready"

TOOLS = r"""
import contextlib, ctypes, errno, glob, json, mmap, os, platform, re, resource, select, shutil, signal, socket, stat
import struct, subprocess, sys, tempfile, threading, time

NUMBERS = {
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "pidfd_getfd": (438, 438),
    "pidfd_open": (434, 434), "kcmp": (312, 272), "process_madvise": (440, 440), "mount": (165, 40),
    "open_tree": (428, 428), "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "unshare": (272, 97),
    "setns": (308, 268), "clone": (56, 220), "clone3": (435, 435), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265), "openat2": (437, 437), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "syslog": (103, 116), "bpf": (321, 280), "perf_event_open": (298, 241),
    "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "socket": (41, 198), "socketpair": (53, 199),
    "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
    "ioprio_set": (251, 30), "sched_setattr": (314, 274), "move_pages": (279, 239), "reboot": (169, 142),
    "prlimit64": (302, 261), "capset": (126, 91), "setfsuid": (122, 151), "setfsgid": (123, 152), "chroot": (161, 51),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semctl": (66, 191), "semget": (64, 190),
    "msgctl": (71, 187), "msgget": (68, 186), "msgrcv": (70, 188), "mq_open": (240, 180), "fanotify_init": (300, 262),
    "fanotify_mark": (301, 263), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27), "execveat": (322, 281),
}
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
got, refused = [], []

def call(name, *arguments):
    "A system call by its number: its result, or OSError."
    number = NUMBERS[name][platform.machine() == "aarch64"] if isinstance(name, str) else name
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result = libc.syscall(ctypes.c_long(number), *words)
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result

def attempt(step, *arguments, **options):
    "The result of one way, or None where Linux refuses it."
    try:
        return step(*arguments, **options)
    except OSError as error:
        if error.strerror not in refused:
            refused.append(error.strerror)

def keep(what, evidence):
    "Count it as got, if there is anything."
    if evidence not in (None, False, b"", "", [], {}, (), set()):
        got.append(f"{what}: {evidence!r:.150}")

def passes(step, *arguments, **options):
    "Whether Linux lets it pass."
    return attempt(lambda: (step(*arguments, **options), True)[1]) is True

def passed(what, step, *arguments, **options):
    "Count it as got, if Linux lets it pass."
    keep(what, passes(step, *arguments, **options))

def verdict():
    print(f"BREACH {got[:4]}" if got else f"HELD {refused[:4]}")

def read(path, size=4096):
    with open(path, "rb", buffering=0) as file:
        return file.read(size)

def fields(pid):
    "Of /proc/<pid>/stat, from the state on: state, parent, process group, session."
    try:
        return read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return [b"gone", b"0", b"0", b"0"]

def others():
    "Every process outside of this session, with the words of its command line."
    found = {}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
        if int(fields(pid)[3]) != os.getsid(0):
            with contextlib.suppress(OSError):
                found[pid] = [word.decode("utf-8", "replace") for word in read(f"/proc/{pid}/cmdline",
                        1 << 20).split(b"\0")]
    return found

def threads(pid):
    with contextlib.suppress(OSError):
        return [int(name) for name in os.listdir(f"/proc/{pid}/task")]
    return [pid]

def own_sockets():
    "The directory of this kernel's sockets."
    words = read("/proc/self/cmdline").decode().split("\0")
    return os.path.dirname(next(word for word in words if word.endswith(".json")))

def bystander():
    "Of the other session: its guardian's and its kernel's process id, and what the guardian was told."
    for pid, words in others().items():
        for word in words:
            if word.startswith("{") and '/bystander"' in word:
                told = json.loads(word)
                kernels = [each for each in others() if int(fields(each)[1]) == pid]
                return pid, (kernels or [pid])[0], told
    # In the usual way there is no guardian, and a kernel is known by where it works.
    for pid in others():
        with contextlib.suppress(OSError):
            root, slash, here = os.readlink(f"/proc/{pid}/cwd").rpartition("/")
            if here == "files" and root.endswith("/bystander"):
                return int(fields(pid)[1]), pid, {"root": root, "runtime": "/tmp", "sandbox": {"uid": 0}}
    raise AssertionError("no other session runs here")

def limit(pid, kind, *wanted):
    "A limit of another process (0: this one) before it was set to what is wanted, if anything is."
    before = ctypes.create_string_buffer(16)
    call("prlimit64", pid, kind, struct.pack("=2Q", *wanted) if wanted else None, before)
    return struct.unpack("=2Q", before.raw)

def memory(pid, pattern=b"", most=1 << 28):
    "Bytes of another process: those around the pattern, or the first that can be had."
    with open(f"/proc/{pid}/maps") as file:
        areas = [line.split() for line in file]
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
        for words in areas:
            start, end = (int(word, 16) for word in words[0].split("-"))
            if "r" not in words[1] or end - start > most or len(words) > 5 and words[5] in ("[vvar]", "[vsyscall]"):
                continue
            with contextlib.suppress(OSError, OverflowError):
                file.seek(start)
                data = file.read(end - start)
                if data and (not pattern or pattern in data):
                    at = data.index(pattern)
                    return data[at : at + 64]
"""


def python(
    group: case.Group,
    tries: str,
    code: str,
    *,
    then: str = "",
    may_end: bool = False,
    timeout: float = 60.0,
    terminals: bool = False,
) -> case.Attack:
    """An attack whose cells are Python and begin with `TOOLS`."""
    second = TOOLS + then if then else ""
    return case.Attack(group, tries, TOOLS + code, then=second, may_end=may_end, timeout=timeout, terminals=terminals)
