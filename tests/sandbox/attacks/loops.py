"""Attacks on time: cells that never end and do not let themselves be interrupted, and kernels that break.

A part of the group `resources`. The cell's limit of a few seconds is what ends them; then the next cell must work.
"""

from __future__ import annotations

from ..case import Attack, Group
from .toolkit import python


def _endless(tries: str, code: str, language: str = "python") -> Attack:
    if language == "python":
        return python(Group.RESOURCES, tries, code, may_end=True, timeout=2)
    return Attack(Group.RESOURCES, tries, code, language, may_end=True, timeout=2)


ATTACKS: tuple[Attack, ...] = (
    _endless(
        "a loop that blocks every signal",
        "signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True:\n    pass\n",
    ),
    _endless(
        "a loop that takes every exception, with every signal ignored",
        r"""
for number in range(1, 65):
    with contextlib.suppress(OSError, ValueError):
        signal.signal(number, signal.SIG_IGN)
while True:
    try:
        while True:
            pass
    except BaseException:
        continue
""",
    ),
    _endless(
        "a call into C that keeps Python's lock",
        "import collections, itertools\ncollections.deque(itertools.count(), maxlen=0)\n",
    ),
    _endless(
        "a regular expression and a number that take for ever",
        "threading.Thread(target=lambda: 9 ** 9 ** 9, daemon=True).start()\nre.match('(a+)+$', 'a' * 60 + 'b')\n",
    ),
    _endless(
        "sleep without end, in the main thread and in others that cannot be joined",
        r"""
for _ in range(5):
    threading.Thread(target=time.sleep, args=(1_000_000,)).start()
time.sleep(1_000_000)
""",
    ),
    _endless(
        "waiting for what never comes: a lock, a pipe, a child, an answer",
        r"""
if os.fork() == 0:
    signal.alarm(60)
    os.kill(os.getpid(), signal.SIGSTOP)
    os._exit(0)
os.mkfifo("never")
threading.Thread(target=open, args=("never",), daemon=True).start()
lock = threading.Lock()
lock.acquire()
try:
    input("? ")
except BaseException:
    os.wait()
lock.acquire()
""",
    ),
    _endless(
        "stopping itself",
        "os.killpg(0, signal.SIGSTOP)\nos.kill(os.getpid(), signal.SIGSTOP)\n",
    ),
    _endless(
        "a shell that ignores its interrupt, with children that do",
        "trap '' INT TERM HUP QUIT; setsid sh -c 'trap \"\" INT; while :; do :; done' & sh -c 'while :; do :; done' & "
        "(while :; do sleep 1; done)",
        "shell",
    ),
    _endless("a shell that sleeps without end", "sleep infinity", "shell"),
    _endless(
        "a loop in JavaScript that ignores its interrupt",
        "for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => {})\nfor (;;) {}",
        "javascript",
    ),
    _endless(
        "a stack that overflows in C",
        "sys.setrecursionlimit(10**9)\nclass A:\n    __getattr__ = lambda self, name: getattr(self, name)\nA().x\n",
    ),
    _endless("a crash", "ctypes.string_at(0)\n"),
    _endless("ending the kernel's process", "os._exit(0)\n"),
    _endless("ending all of its processes", "os.kill(-1, signal.SIGKILL)\nos.kill(os.getpid(), signal.SIGKILL)\n"),
    _endless(
        "threads of the kernel that stop serving",
        r"""
kernel = get_ipython().kernel
kernel.parent.iopub_thread.io_loop.add_callback(time.sleep, 1_000_000)
print("x" * 4_000_000)
kernel.io_loop.call_later(0, time.sleep, 1_000_000)
""",
    ),
    _endless(
        "descriptors of the kernel that are closed under it",
        "os.closerange(3, 4096)\nos.closerange(0, 3)\n",
    ),
    _endless(
        "the kernel's own classes, broken",
        r"""
from ipykernel.kernelbase import Kernel
for cls in {type(get_ipython().kernel), Kernel, type(get_ipython())}:
    for name in ("execute_request", "do_execute", "run_cell", "send_response", "session", "dispatch_shell"):
        setattr(cls, name, None)
import builtins
builtins.print = builtins.len = builtins.isinstance = lambda *words: (_ for _ in ()).throw(MemoryError)
""",
    ),
)
