"""Attacks by processes that are to outlive their kernel, and by what Linux keeps without a process.

A part of the group `persistence`. Whatever survives writes into a file again and again, for a minute at most; the next
kernel looks whether that file still changes.
"""

from __future__ import annotations

from ..case import Attack, Group
from .toolkit import python

_BEAT = r"""
DAEMON = (
    "import signal, sys, time\n"
    "for number in range(1, 65):\n"
    "    try: signal.signal(number, signal.SIG_IGN)\n"
    "    except (OSError, ValueError): pass\n"
    "end = time.time() + 60\n"
    "while time.time() < end:\n"
    "    open(sys.argv[1], 'a').write('.')\n"
    "    time.sleep(0.05)\n"
)
beat = os.path.abspath("beat")
def beating(seconds=20):
    "Whether it beats, after waiting for the first beat."
    end = time.monotonic() + seconds
    while not os.path.exists(beat) and time.monotonic() < end:
        time.sleep(0.05)
    before = os.path.getsize(beat)
    time.sleep(1)
    return os.path.getsize(beat) - before
"""
_LISTEN = r"""
before = os.path.getsize("beat")
time.sleep(1.5)
keep("beats", os.path.getsize("beat") - before)
def is_mine(pid):
    facts = attempt(os.stat, f"/proc/{pid}")
    return facts and facts.st_uid == os.getuid() and int(fields(pid)[3]) != os.getsid(0)
keep("processes", [pid for pid in os.listdir("/proc") if pid.isdigit() and os.getuid() and is_mine(pid)])
verdict()
"""

ATTACKS: tuple[Attack, ...] = (
    python(
        Group.PERSISTENCE,
        "a daemon: orphaned, in a session of its own, deaf to signals, without environment, name and descriptors",
        _BEAT
        + r"""
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.closerange(0, 4096)
        os.chdir("/")
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY):
            os.open("/dev/null", flags)
        os.execve("/usr/bin/python3", ["[kworker/0:1]", "-c", DAEMON, beat], {})
    os._exit(0)
os.wait()
assert beating()
""",
        then=_LISTEN,
    ),
    Attack(
        Group.PERSISTENCE,
        "what a shell leaves in the background: nohup, disown, setsid, a coprocess",
        """
loop='trap "" HUP INT TERM PIPE USR1 USR2 QUIT; for i in $(seq 1200); do printf . >>beat; sleep 0.05; done'
nohup bash -c "$loop" >/dev/null 2>&1 &
bash -c "$loop" </dev/null >/dev/null 2>&1 & disown -a
setsid --fork bash -c "$loop" </dev/null >/dev/null 2>&1
env -i setsid --fork bash -c "PATH=/usr/bin; $loop" </dev/null >/dev/null 2>&1
coproc bash -c "$loop"
(bash -c "exec -a '[kworker/0:1]' bash -c '${loop//\\'/}'" </dev/null >/dev/null 2>&1 &)
for i in $(seq 200); do [ -s beat ] && break; sleep 0.1; done
[ -s beat ]
""",
        language="shell",
        then="""
import os, time
before = os.path.getsize("beat")
time.sleep(1.5)
print("BREACH: it beats" if os.path.getsize("beat") != before else "HELD")
""",
    ),
    python(
        Group.PERSISTENCE,
        "a process that is another one all the time: each forks the next and ends",
        _BEAT
        + r"""
def run(end):
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while time.time() < end:
        if os.fork():
            os._exit(0)
        descriptor = os.open(beat, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, b".")
        os.close(descriptor)
    os._exit(0)
for _ in range(4):
    if os.fork() == 0:
        run(time.time() + 60)
assert beating()
""",
        then=_LISTEN,
    ),
    python(
        Group.PERSISTENCE,
        "a thread that forks without end, while and after the kernel is closed",
        _BEAT
        + r"""
def fork():
    end = time.time() + 60
    while time.time() < end:
        try:
            child = os.fork()
        except OSError:
            time.sleep(0.01)
            continue
        if child == 0:
            signal.alarm(60)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            while True:
                descriptor = os.open(beat, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
                os.write(descriptor, b".")
                os.close(descriptor)
                time.sleep(0.2)
        time.sleep(0.02)
threading.Thread(target=fork, daemon=True).start()
assert beating()
""",
        then=_LISTEN,
    ),
    python(
        Group.PERSISTENCE,
        "a process that is no descendant: a brother of its maker, or another user's",
        _BEAT
        + r"""
libc = ctypes.PyDLL(None, use_errno=True)  # it keeps Python's lock, which a child could never take
libc.syscall.restype = ctypes.c_long
CLONE_PARENT = 0x8000
words = [sys.executable, "-c", DAEMON, beat]
child = call("clone", CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
if child == 0:
    os.setsid()
    os.execve(sys.executable, words, {})
if os.fork() == 0:
    for user in (0, 1, 65534, os.getuid() + 1, os.getuid() - 1):
        for change in (os.setresuid, os.setreuid, os.setuid, os.seteuid):
            with contextlib.suppress(OSError):
                change(*[user] * {os.setresuid: 3, os.setreuid: 2}.get(change, 1))
    os.setsid()
    os.execve(sys.executable, words, {})
assert beating()
""",
        then=_LISTEN,
    ),
    python(
        Group.PERSISTENCE,
        "processes that cannot take their end: stopped, traced, in a namespace of their own",
        _BEAT
        + r"""
words = [sys.executable, "-c", DAEMON, beat]
plain = subprocess.Popen(words, start_new_session=True)
assert beating()
# Stopped by itself, and woken by a helper as soon as the other has been ended.
stopped = subprocess.Popen(["sh", "-c", "kill -STOP $$; exec \"$@\"", "sh", *words], start_new_session=True)
helper = f"while kill -0 {plain.pid}; do sleep 0.05; done; kill -CONT {stopped.pid}"
subprocess.Popen(["bash", "-c", f"trap '' HUP INT TERM; {helper}"], start_new_session=True, stderr=subprocess.DEVNULL)
PTRACE_TRACEME = 0
for step in (["ptrace", PTRACE_TRACEME, 0, 0, 0], ["unshare", 0x20000000], ["unshare", 0x30000000]):
    if os.fork() == 0:
        with contextlib.suppress(OSError):
            call(*step)
        os.setsid()
        if os.fork():
            os._exit(0)
        os.execve(sys.executable, words, {})
""",
        then=_LISTEN,
    ),
    python(
        Group.PERSISTENCE,
        "memory, semaphores and queues of System V, which no process owns",
        r"""
CREATE, KEY = 0o1000, 0x0A77AC4
made = [attempt(call, "shmget", KEY, 4096, CREATE | 0o600), attempt(call, "semget", KEY, 1, CREATE | 0o600),
        attempt(call, "msgget", KEY, CREATE | 0o600)]
subprocess.run(["ipcmk", "-M", "4096", "-S", "1", "-Q"], capture_output=True)
""",
        then=r"""
KEY = 0x0A77AC4
keep("memory", attempt(call, "shmget", KEY, 0, 0) is not None)
keep("semaphore", attempt(call, "semget", KEY, 0, 0) is not None)
keep("queue", attempt(call, "msgget", KEY, 0) is not None)
for kind in ("shm", "sem", "msg"):
    keep(kind, (attempt(read, f"/proc/sysvipc/{kind}") or b"").splitlines()[1:])
verdict()
""",
    ),
    python(
        Group.PERSISTENCE,
        "message queues and keyrings, which belong to a user",
        r"""
NUMBERS["mq_timedsend"] = (242, 182)
queue = attempt(call, "mq_open", ctypes.c_char_p(b"outlast-attack"), os.O_CREAT | os.O_RDWR, 0o600, 0)
if queue is not None:
    attempt(call, "mq_timedsend", queue, ctypes.c_char_p(b"left"), 4, 0, 0)
attempt(lambda: open("/dev/mqueue/outlast-attack-file", "w").close())
words = [ctypes.c_char_p(word) for word in (b"user", b"outlast-attack", b"left")]
for ring in (-1, -2, -3, -4, -5, -6):  # of the thread, the process, the session, the user and its session, the group
    attempt(call, "add_key", *words, 4, ring)
""",
        then=r"""
queue = attempt(call, "mq_open", ctypes.c_char_p(b"outlast-attack"), os.O_RDWR, 0o600, 0)
keep("a queue", queue)
keep("queues", [name for name in attempt(os.listdir, "/dev/mqueue") or () if "attack" in name])
KEYCTL_SEARCH = 10
words = [ctypes.c_char_p(word) for word in (b"user", b"outlast-attack")]
for ring in (-3, -4, -5, -6):
    keep(f"a key of ring {ring}", attempt(call, "keyctl", KEYCTL_SEARCH, ring, *words, 0))
keep("keys", b"outlast-attack" in (attempt(read, "/proc/keys", 1 << 20) or b""))
verdict()
""",
    ),
)
