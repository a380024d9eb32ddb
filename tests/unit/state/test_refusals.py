"""What cannot be saved is named with its reason, and costs nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.state.kernels import Kernels


@pytest.fixture
def kernels(warm_kernels: Callable[..., Kernels]) -> Kernels:
    return warm_kernels()


#: Code that makes the name `bad`, and words of the reason.
UNPICKLABLE = {
    "generator": ("bad = (i for i in [1])", "generator"),
    "generator inside of other things": ("bad = {'deep': [(i for i in [1])]}", "generator"),
    "coroutine": ("async def co(): pass\nbad = co()", "coroutine"),
    "open text file": ("bad = open('f.txt', 'w+')", "open file"),
    "file open for reading": ("open('f.txt', 'w').write('x'); bad = open('f.txt')", "open file"),
    "open binary file": ("open('f.txt', 'w').write('x'); bad = open('f.txt', 'rb')", "open file"),
    "temporary file": ("import tempfile; bad = tempfile.NamedTemporaryFile()", "open file"),
    "socket": ("import socket; bad = socket.socket()", "socket"),
    "thread": ("import threading; bad = threading.Thread(target=print); bad.start(); bad.join()", "thread"),
    "pool": ("from concurrent.futures import ThreadPoolExecutor as E; bad = E(1); bad.submit(int)", "pool"),
    "process": ("import subprocess; bad = subprocess.Popen(['true']); bad.wait()", "process"),
    "database connection": ("import sqlite3; bad = sqlite3.connect(':memory:')", "database connection"),
    "database cursor": ("import sqlite3; bad = sqlite3.connect(':memory:').cursor()", "database connection"),
    "held lock": ("import threading; bad = threading.Lock(); bad.acquire()", "thread lock"),
    "held reentrant lock": ("import threading; bad = threading.RLock(); bad.acquire()", "thread lock"),
    "memory view": ("bad = memoryview(b'x')", "memory view"),
    "weak reference with a callback": (
        "import weakref\nclass C: pass\nc = C(); bad = weakref.ref(c, print)",
        "weak reference with a callback",
    ),
    "module made by code": ("import types; bad = types.ModuleType('made')", "module made by code"),
    "module made by code and registered": (
        "import types, sys\nsys.modules['made'] = types.ModuleType('made'); bad = sys.modules['made']",
        "made, which cannot be imported",
    ),
    "function of a module whose file is gone": (
        "import sys, os, importlib; open('gone.py', 'w').write('def f(): pass'); sys.path.insert(0, '')\n"
        "importlib.invalidate_caches(); import gone; bad = gone.f; os.remove('gone.py'); del gone",
        "gone, which cannot be imported",
    ),
    "object that is pickled by a name of the session": (
        "class S:\n    def __reduce__(self): return 'bad'\nbad = S()",
        "__main__",
    ),
    "nesting beyond all measure": ("bad = []\nfor i in range(100_000): bad = [bad]", "too deeply nested"),
    "nesting of objects beyond all measure, with the depth of the stack let go": (
        "import sys; sys.setrecursionlimit(10**7)\nclass N:\n    def __init__(self, below): self.below = below\n"
        "    def __getstate__(self): return self.__dict__\nbad = None\nfor i in range(100_000): bad = N(bad)",
        "too deeply nested",
    ),
    "nesting of functions beyond all measure": (
        "def wrap(f): return lambda: f\nbad = None\nfor i in range(100_000): bad = wrap(bad)",
        "too deeply nested",
    ),
    "error of its own": (
        "class C:\n    def __getstate__(self): raise ValueError('no \\x1b[31mstate\\n of mine')\nbad = C()",
        "ValueError: no �[31mstate of mine",
    ),
    "error that cannot be shown": (
        "class E(Exception):\n    def __str__(self): raise SystemExit\n"
        "class C:\n    def __reduce__(self): raise E\nbad = C()",
        "E",
    ),
    "exit": ("import sys\nclass C:\n    def __reduce__(self): sys.exit(3)\nbad = C()", "SystemExit: 3"),
    "interrupt of its own": (
        "class C:\n    def __getstate__(self): raise KeyboardInterrupt\nbad = C()",
        "KeyboardInterrupt",
    ),
    "write error of its own": (
        "class C:\n    def __getstate__(self): raise OSError(28, 'No space left on device')\nbad = C()",
        "OSError",
    ),
    "changing while it is read": (
        "class D(dict):\n    def items(self):\n        yield 0, 1\n"
        "        raise RuntimeError('changed')\nbad = D({0: 1})",
        "RuntimeError: changed",
    ),
    "class that hides from questions": (
        "class M(type):\n    def __getattribute__(c, n): raise RuntimeError('hidden')\n"
        "class C(metaclass=M): pass\nbad = C()",
        "RuntimeError: hidden",
    ),
}


@pytest.mark.parametrize("kind", UNPICKLABLE)
def test_what_cannot_be_pickled_is_named_and_the_rest_comes_back(kernels: Kernels, kind: str) -> None:
    code, reason = UNPICKLABLE[kind]
    saved = kernels.save("first = [1]; import json", code, "last = {'first': first}")

    assert saved["error"] == ""
    assert saved["printed"] == ""
    assert reason in saved["missing"]["bad"]
    assert "\n" not in saved["missing"]["bad"]
    look = "first.append(2); print(last, json.dumps(last), 'bad' in globals())"
    restored, after = kernels.restore(saved["manifest"], look)
    assert restored["missing"] == saved["missing"]
    assert after["printed"] == "{'first': [1, 2]} {\"first\": [1, 2]} False\n", after["error"]


def test_each_of_many_names_that_cannot_be_pickled_is_reported(kernels: Kernels) -> None:
    saved = kernels.save(
        "a = 1; g1 = (i for i in []); b = [a]; f = open('f', 'w'); c = b; g2 = {'g': g1}\n"
        "def uses(): return a\ndef bound(x=g1): return x\n"
        "import threading; held = threading.Lock(); held.acquire(); d = 4"
    )
    assert saved["missing"] == {
        "g1": "generator",
        "g2": "generator",
        "f": "open file",
        "bound": "generator",
        "held": "thread lock that is held",
    }
    _, after = kernels.restore(saved["manifest"], "b.append(a); print(b, c is b, d, uses())")
    assert after["printed"] == "[1, 1] True 4 1\n"


def test_a_name_that_could_not_be_saved_is_saved_once_it_can_be(kernels: Kernels) -> None:
    save = ["save", str(kernels.checkpoints)]
    _, first, _, second, _, third = kernels.run(
        ["cell", "a = [1]; f = open('f', 'w'); held = [a, f]"],
        [*save, 1],
        ["cell", "a.append(2); f.close(); g = (i for i in a)"],
        [*save, 2],
        ["cell", "del g, f"],
        [*save, 3],
    )
    assert first["missing"] == {"f": "open file", "held": "open file"}
    assert (second["missing"], third["missing"]) == ({"g": "generator"}, {})
    for saved in (second, third):
        _, after = kernels.restore(saved["manifest"], "print(held[0] is a, a, held[1].closed)")
        assert after["printed"] == "True [1, 2] True\n"


def test_an_object_that_pickles_only_the_second_time_does_not_spoil_the_stream(kernels: Kernels) -> None:
    """Alone it can be pickled, so only the repeated attempt at the whole shows that it cannot."""
    saved = kernels.save(
        "a = [1]\nclass Moody:\n    n = 0\n    def __reduce__(self):\n        Moody.n += 1\n"
        "        if Moody.n % 2: raise ValueError('not now')\n        return Moody, ()\n"
        "moody = Moody(); other = Moody(); g = (i for i in a); b = a"
    )
    assert saved["error"] == ""
    assert set(saved["missing"]) >= {"g"}
    _, after = kernels.restore(saved["manifest"], "b.append(2); print(a)")
    assert after["printed"] == "[1, 2]\n"


def test_what_objects_print_or_warn_while_they_are_pickled_reaches_nobody(kernels: Kernels) -> None:
    loud = (
        "import sys, warnings\nclass Loud:\n    def __getstate__(self):\n"
        "        print('out'); print('err', file=sys.stderr); warnings.warn('warned'); return {'v': 1}\n"
        "    def __setstate__(self, s): print('back'); self.v = s['v']\nloud = Loud()"
    )
    saved = kernels.save(loud)
    assert (saved["printed"], saved["missing"]) == ("", {})
    restored, after = kernels.restore(saved["manifest"], "print(loud.v)")
    assert (restored["printed"], after["printed"]) == ("", "1\n")


def test_a_thread_goes_on_printing_while_the_state_is_saved(kernels: Kernels) -> None:
    talk = (
        "import os, threading\nasked, said = os.pipe(), os.pipe()\nclass Slow:\n    def __getstate__(self):\n"
        "        os.write(asked[1], b'x'); os.read(said[0], 1); return {}\n"
        "def say():\n    os.read(asked[0], 1); print('meanwhile'); os.write(said[1], b'x')\n"
        "threading.Thread(target=say).start(); slow = Slow()"
    )
    saved = kernels.save(talk)
    assert (saved["error"], saved["printed"]) == ("", "meanwhile\n")
    assert "slow" not in saved["missing"]


def test_a_save_leaves_the_process_as_it_was(kernels: Kernels) -> None:
    look = (
        "import sys, gc, signal, os\n"
        "seen = (sys.getrecursionlimit(), gc.isenabled(), signal.getsignal(2), os.getcwd())\n"
        "seen += (list(sys.path), dict(os.environ), sorted(globals()), sys.modules['__main__'])\n"
        "seen += (os.listdir('/proc/self/fd'),)"
    )
    save = ["save", str(kernels.checkpoints), 1]
    *_, asked = kernels.run(
        ["cell", "g = (i for i in [])\nclass C: pass\nc = C()"],
        save,
        ["cell", "before = seen = sys = gc = signal = os = None"],
        ["cell", f"{look}\nbefore = seen"],
        save,
        ["cell", look],
        ["cell", "print(before == seen)"],
    )
    assert asked["printed"] == "True\n"


def test_an_interrupt_from_outside_ends_the_save_with_an_error(kernels: Kernels) -> None:
    """Not with the name that happened to be pickled reported as missing, even if that object swallows it."""
    saved = kernels.save(
        "import os, signal, time\nclass C:\n    def __getstate__(self):\n"
        "        try: os.kill(os.getppid(), signal.SIGINT); time.sleep(60)\n"
        "        except BaseException: pass\n        return {}\nc = C()"
    )
    assert saved["error"] == "The state was not saved: it was interrupted."
    assert (saved["manifest"], saved["missing"]) == ("", {})
    assert [path for path in kernels.checkpoints.rglob("*") if path.is_file()] == []
