"""Attacks by what a cell prints and shows, and by how it ends: on the worker's memory, and on whoever reads it.

Forged messages are in `messages`, a part of this group.
"""

from __future__ import annotations

from ..case import Allowed, Attack, Group
from . import messages
from .shown import attack, spills


def _program(tries: str, language: str, code: str, *, may_end: bool = False) -> Attack:
    return Attack(Group.OUTPUT, tries, code, language, may_end=may_end, timeout=120, breaches=spills)


#: What is more than text: a terminal's commands in every form, whole, in pieces, nested and unfinished.
_ESCAPES = r"""
ESCAPES = [
    "\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x1b]2;title\x1b\\", "\x1b]52;c;YXR0YWNr\x07", "\x1bP+q544e\x1b\\",
    "\x1b_G\x1b\\", "\x1b^x\x1b\\", "\x9b2J", "\x9d52;c;YXR0YWNr\x9c", "\x90x\x9c", "\x1bc", "\x1b[6n", "\x1b[c",
    "\x1b[?1049h", "\x1b[31m", "\x1b]8;;file:///etc/passwd\x1b\\link\x1b]8;;\x1b\\", "\x1b[\x1b[31m2J",
    "\x1b\x1b[0m[2J", "\x1b]52;c;\x1b[0mYXR0\x07", "\x1b[" + "9" * 5000 + "m", "\x1b]52;" + "A" * 5000 + "\x07",
    "\x1b[5;10H", "\x08" * 50 + "overwritten", "\x07", "\x0e\x0f", "\x1b(0", "\x1b#8", "\x1b[20h", "\x0b\x0c\x85",
    "\x1b", "\x1b[", "\x1b]", "\x1b]52;c;", "\x00", "\x7f", "\x1a", "\x04", "\x13",
]
"""

_ATTACKS: tuple[Attack, ...] = (
    attack(
        "a hundred megabytes of prints",
        "for _ in range(100):\n    print('0123456789abcdef' * 65536)\nweigh()\nverdict()\n",
    ),
    attack("a million lines", "for number in range(1_000_000):\n    print(number)\nweigh()\nverdict()\n", timeout=300),
    attack(
        "one line of fifty megabytes, and one that is taken back again and again",
        "print('x' * 50_000_000)\nfor number in range(200_000):\n    print(number, end='\\r')\n"
        "print('\\r' * 1_000_000)\nweigh()\nverdict()\n",
    ),
    attack(
        "thirty megabytes of displays, large and small",
        r"""
from IPython.display import display, HTML, Markdown, JSON, update_display
for _ in range(30):
    display({"text/plain": "p" * (1 << 20), "text/html": "h" * (3 << 20)}, raw=True)
for number in range(3000):
    display({"text/plain": f"display {number}"}, raw=True)
display(HTML("<script>alert(1)</script>" * 10_000), JSON([[]] * 10_000), Markdown("# " * 100_000))
display({"text/plain": "p" * (64 << 20), "application/x-unknown": list(range(100_000))}, raw=True)
weigh()
verdict()
""",
    ),
    attack(
        "figures: too many, too large, and none at all",
        r"""
import base64
from IPython.display import display, SVG, Image
some = base64.b64encode(os.urandom(1 << 20)).decode()
for _ in range(130):
    display({"image/png": some}, raw=True)
large = base64.b64encode(bytes(30 << 20)).decode()
svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'><script>alert(2)</script></svg>"
entities = "".join(f"<!ENTITY {chr(98 + n)} '{('&' + chr(97 + n) + ';') * 10}'>" for n in range(8))
bomb = f"<!DOCTYPE s [<!ENTITY a 'aaaaaaaaaa'>{entities}]><svg>&i;</svg>"
for kind, data in (("png", large), ("png", "not base64 ✂"), ("png", ""), ("jpeg", "===="), ("gif", "R0lG"), ("png", 7),
                   ("svg+xml", svg), ("svg+xml", bomb), ("svg+xml", "\x1b[2J\x00"), ("png", ["a"]), ("../x", "AA")):
    display({f"image/{kind}": data, "text/plain": "figure", "text/html": svg}, raw=True)
display({"application/pdf": some[:100]}, raw=True)
weigh()
verdict()
""",
        then=r"""
names = sorted(os.listdir("../artifacts"))
total = sum(os.path.getsize(f"../artifacts/{name}") for name in names)
keep("bytes", total > 160 << 20 and total)
keep("figures", len(names) > 110 and len(names))
keep("names", [name for name in names if not re.fullmatch(r"cell-1(-\d+)?\.(png|jpg|gif|svg|pdf|txt)", name)])
verdict()
""",
    ),
    attack(
        "errors that are huge, that lie and that break whoever shows them",
        r"""
class Odd(Exception):
    def __init__(self, step): self.step = step
    def __str__(self): return self.step()
    def _render_traceback_(self): return self.step()
def fail(*_): raise RuntimeError("x" * 1_000_000)
def deep(n): return deep(n - 1) if n else 1 / 0
shell = get_ipython()
named = type("N" * 1_000_000, (Exception,), {})
group = ExceptionGroup("g", [ValueError("v" * 1000)] * 10_000)
steps = [fail, lambda: "y" * 50_000_000, lambda: 7, lambda: ["z" * 1_000_000] * 100, lambda: ["\x1b]52;c;YXR0\x07", 5]]
for error in (ValueError("x" * 50_000_000), named("\x1b[2J\ud800\x00"), group, *map(Odd, steps)):
    try:
        raise error
    except BaseException:
        try:
            shell.showtraceback()
        except BaseException as error:
            refused.append(type(error).__name__)
try:
    sys.setrecursionlimit(20_000)
    deep(15_000)
except BaseException:
    shell.showtraceback()
sys.setrecursionlimit(3000)
weigh()
verdict()
""",
    ),
    attack(
        "values whose representation is huge, endless or an error",
        r"""
def shown(**ways):
    return type("Odd", (), {name: way for name, way in ways.items()})()
from IPython.display import display
nested = []
for _ in range(100_000):
    nested = [nested]
own = {}
own["own"] = own
display("x" * 50_000_000, list(range(3_000_000)), own, b"\x00" * 5_000_000)
bundle = {"text/plain": {"a": [1] * 1_000_000}, 7: "seven", "x": object()}
for value in (
    shown(__repr__=lambda self: "r" * 50_000_000), shown(__repr__=lambda self: 1 / 0), shown(__repr__=lambda self: 7),
    shown(_repr_html_=lambda self: "h" * 50_000_000), shown(_repr_png_=lambda self: b"p" * 50_000_000), nested,
    shown(_repr_mimebundle_=lambda self, **_: bundle), shown(_repr_json_=lambda self: own),
    shown(__repr__=lambda self: "\x1b[2J\ud800\x00\x9b2J"),
):
    try:
        display(value)
    except BaseException as error:
        print(type(error).__name__)
weigh()
verdict()
""",
        may_end=True,
    ),
    attack(
        "commands to the terminal: cursor, title, clipboard, links, in every form",
        _ESCAPES
        + r"""
from IPython.display import display
for escape in ESCAPES:
    print("before", escape, "after")
    print(escape, file=sys.stderr)
    display({"text/plain": escape}, raw=True)
    for part in escape[:200]:  # each in a message of its own
        sys.stdout.write(part)
        sys.stdout.flush()
    try:
        raise type("Error" + escape[:1000], (Exception,), {})(escape)
    except Exception:
        get_ipython().showtraceback()
    os.write(1, escape.encode("utf-8", "surrogateescape"))
    os.write(1, escape.encode("latin-1", "replace"))
sys.stdout.write("\x1b]52;c;" + "A" * 3000)
sys.stdout.flush()
verdict()
print("the end \x1b]52;c;AAAA", end="\x1b[")
""",
    ),
    attack(
        "commands to the terminal as the kernel's last words",
        _ESCAPES
        + r"""
words = "".join(ESCAPES[:25]).encode() + b"\x1b]52;c;YXR0YWNr\x07\x1b[2J\xff\xfe\x9b2J last words"
pipes = [int(name) for name in os.listdir("/proc/self/fd")]
for descriptor in [2, *pipes]:
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.set_blocking(descriptor, False)
            os.write(descriptor, words)
time.sleep(0.5)
os._exit(3)
""",
        may_end=True,
    ),
    attack(
        "text that is none: null bytes, lone surrogates, private and reordering characters, invalid UTF-8",
        r"""
everything = "".join(map(chr, range(0x3000))) + "\ud800\udfff\udc80\ufffe\uffff\U0010ffff\ue000\u2028\u2029"
from IPython.display import display
for _ in range(20):
    print(everything)
    print(everything, file=sys.stderr)
    display({"text/plain": everything, "text/" + everything[:50]: "x"}, raw=True)
os.write(1, bytes(range(256)) * 1000)
subprocess.run(["cat"], input=os.urandom(2_000_000))
subprocess.run("head -c 3000000 /dev/zero", shell=True)
get_ipython().payload_manager.write_payload({"source": "page", "data": {"text/plain": everything[:200]}})
sys.stdout.flush()
print()
verdict()
""",
    ),
    attack(
        "lines in the worker's own log",
        r"""
line = json.dumps({"level": "error", "event": "forged", "message": "attack"}) + "\n"
print(line * 5)
paths = [f"/proc/{pid}/fd/{number}" for pid in (1, os.getppid(), worker) for number in (0, 1, 2)]
paths += ["/dev/console", "/dev/tty", "/dev/log", "/dev/kmsg", *glob.glob("/dev/pts/[0-9]*")]
for path in paths:
    descriptor = attempt(os.open, path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
    keep(path, descriptor and attempt(os.write, descriptor, line.encode()))
for path in ("/dev/log", "/run/systemd/journal/socket"):
    keep(path, attempt(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(line.encode(), path)))
verdict()
""",
    ),
    attack(
        "writing to the descriptors themselves, from C, from children and without end",
        r"""
data = b"y" * (1 << 20)
for descriptor in (1, 2):
    for _ in range(20):
        os.write(descriptor, data)
with contextlib.suppress(OSError):
    os.write(0, data)
children = [subprocess.Popen(["sh", "-c", "yes 0123456789 | head -c 10000000"]) for _ in range(4)]
for child in children:
    child.wait()
for name in os.listdir("/proc/self/fd"):
    with contextlib.suppress(OSError):
        if int(name) > 2 and stat.S_ISFIFO(os.fstat(int(name)).st_mode):
            os.set_blocking(int(name), False)
            for _ in range(64):
                os.write(int(name), data)
weigh()
verdict()
""",
    ),
    attack(
        "output after the end of the cell: threads, timers, children, daemons",
        r"""
def later(seconds=8):
    end = time.time() + seconds
    while time.time() < end:
        print("late " * 1000)
        sys.stderr.write("late\n")
        os.write(1, b"late\n")
        get_ipython().display_pub.publish({"text/plain": "late " * 1000})
for _ in range(4):
    threading.Thread(target=later, daemon=True).start()
if os.fork() == 0:
    os.setsid()
    signal.alarm(10)
    later()
    os._exit(0)
subprocess.Popen(["sh", "-c", "timeout 8 yes late"], start_new_session=True)
get_ipython().kernel.io_loop.call_later(0.01, print, "late")
verdict()
""",
        # A process that was forked off in the midst of that, and sends too, may break the sockets of both.
        may_end=True,
    ),
    _program(
        "a shell that prints without end, binary and text",
        "shell",
        "head -c 20000000 /dev/urandom; yes | head -c 50000000; printf '\\033]52;c;YXR0\\007\\033[2J\\000'; "
        "(sleep 2; timeout 5 yes late) & seq 300000 >&2; printf '\\n'; echo HELD: it is over",
    ),
    _program(
        "JavaScript that prints without end",
        "javascript",
        "for (let i = 0; i < 50; i++) process.stdout.write('x'.repeat(1 << 20))\n"
        "for (let i = 0; i < 100000; i++) console.error('\\u001b]52;c;YXR0\\u0007', i, '\\u0000', '\\ud800')\n"
        "console.log('\\nHELD: it is over')",
    ),
)

ATTACKS: tuple[Attack, ...] = (*_ATTACKS, *messages.ATTACKS)
ALLOWED: tuple[Allowed, ...] = (
    Allowed(
        "a megabyte of output, of which the end is shown",
        "for number in range(20_000):\n    print(number, 'x' * 45)\nprint('WORKS')",
        Group.OUTPUT,
    ),
    Allowed(
        "text in any script, a progress bar and colours",
        "for n in range(100): print(f'{n} %', end='\\r')\n"
        "print('100 %')\nprint('naïve 数据 данные نص 한국어 🎉')\nprint('\\x1b[31mred\\x1b[0m')\nprint('WORKS')",
        Group.OUTPUT,
    ),
    Allowed(
        "ten figures and a table",
        r"""
import matplotlib.pyplot as plt, pandas
from IPython.display import display
for number in range(10):
    plt.plot([number, 1]); plt.show()
display(pandas.DataFrame({"a": range(1000)}))
print("WORKS")
""",
        Group.OUTPUT,
    ),
    Allowed(
        "output of children, of threads and of descriptors",
        r"""
import os, subprocess, sys, threading, time
subprocess.run(["echo", "child"])
thread = threading.Thread(target=print, args=("thread",)); thread.start(); thread.join()
os.write(1, b"descriptor\n")
print("error", file=sys.stderr, flush=True)
time.sleep(0.1)
print("WORKS")
""",
        Group.OUTPUT,
    ),
    Allowed("a shell's output", "seq 5; echo error >&2; echo WORKS", Group.OUTPUT, language="shell"),
)
