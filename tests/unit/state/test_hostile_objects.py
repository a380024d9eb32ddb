"""What an object does while it is saved it does to itself: the kernel lives, it is named, the rest comes back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.unit.state.kernels import Kernels

#: Seconds for a save of what never comes to an end, and the reason that is then given.
SHORT = 2
HANGS = f"longer than {SHORT} s"
#: What an object does, and words of the reason that is then given for it.
DEEDS = {
    "sleeps for ever": ("import time; time.sleep(10**6)", HANGS),
    "loops for ever": ("while True: pass", HANGS),
    "waits for a lock that a thread holds": ("held.acquire()", HANGS),
    "blocks all signals": (
        "import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(10**6)",
        HANGS,
    ),
    "swallows every exception": (
        "while True:\n            try: import time; time.sleep(10**6)\n            except BaseException: pass",
        HANGS,
    ),
    "leaves": ("import os; os._exit(0)", "exit status 0"),
    "leaves with a status": ("import os; os._exit(3)", "exit status 3"),
    "reads where nothing is": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "aborts": ("import os; os.abort()", "SIGABRT"),
    "kills its process": ("import os; os.kill(os.getpid(), 9)", "killed"),
    "asks its process to end": ("import os; os.kill(os.getpid(), 15); import time; time.sleep(60)", "SIGTERM"),
    "is called by an alarm": ("import signal; signal.alarm(1); import time; time.sleep(60)", f"{HANGS}|SIGALRM"),
    "calls itself without end": ("again = lambda: again(); again()", "nested|SIGSEGV|Recursion"),
    "wants all memory": ("bytes(10**15)", "MemoryError"),
    "raises what cannot be shown": ("raise type('E', (BaseException,), {'__str__': lambda e: 1 / 0})", "E"),
    "leaves the interpreter": ("import sys; sys.exit('text')", "SystemExit: text"),
}
#: Deeds that do not keep the object from being saved, nor others.
HARMLESS = {
    "goes elsewhere": "import os; os.chdir('/')",
    "changes the environment": "import os; os.environ.clear()",
    "closes the standard streams": "import sys; sys.stdout.close(); sys.stderr.close()",
    "forgets modules": "import sys; sys.modules.pop('json', None); sys.modules.pop('pickle', None)",
    "sets what pickling uses": "import pickle, sys; pickle.dumps = None; sys.setrecursionlimit(10**6)",
    "starts a thread": "import threading; threading.Thread(target=print, args=('x',)).start()",
    "starts a process": "import subprocess; subprocess.run(['true'])",
    "forks": "import os\n        if os.fork() == 0: os._exit(0)\n        os.wait()",
    "collects garbage and turns the collector on": "import gc; gc.enable(); gc.collect()",
    "forgets every other name": "[globals().pop(name) for name in list(globals()) if name != 'Hostile']",
}
BEFORE = "import threading; held = threading.Lock(); held.acquire(); del threading\nfirst = [1]\n"
CLASS = """
class Hostile:
    def __reduce__(self):
        {deed}
        return Hostile, ()
"""
LOADED = """
class Hostile:
    def __reduce__(self):
        return Hostile, (1,)

    def __init__(self, again=0):
        if again:
            self.act()

    def act(self):
        {deed}
"""
AFTER = "last = {'first': first}\nbad = Hostile()"
LOOK = "first.append(2); print(last, 'bad' in globals(), Hostile.__name__)"


@pytest.mark.parametrize("made", [CLASS, LOADED], ids=["pickled", "loaded"])
@pytest.mark.parametrize("deed", DEEDS)
def test_what_harms_the_process_that_saves_is_named_and_left_out(
    warm_kernels: Callable[..., Kernels], deed: str, made: str
) -> None:
    kernels = warm_kernels()
    code, reason = DEEDS[deed]
    deadline = SHORT if HANGS in reason else 10
    save = ["save", str(kernels.checkpoints)]
    _, _, _, saved, _, again = kernels.run(
        ["cell", BEFORE],
        ["cell", made.format(deed=code)],
        ["cell", AFTER],
        [*save, 1, {"deadline": deadline}],
        ["cell", "more = 1; bad = 5"],
        [*save, 2],
    )
    assert (saved["error"], saved["printed"]) == ("", "")
    assert saved["missing"].keys() == {"held", "bad"}
    assert re.search(reason, saved["missing"]["bad"])
    restored, after = kernels.restore(saved["manifest"], LOOK)
    assert (restored["error"], restored["missing"]) == ("", saved["missing"])
    assert after["printed"] == "{'first': [1, 2]} False Hostile\n"
    assert (again["error"], again["missing"].keys()) == ("", {"held"})
    assert kernels.restore(again["manifest"], "print(bad, more)")[1]["printed"] == "5 1\n"


@pytest.mark.parametrize("deed", HARMLESS)
def test_what_an_object_changes_while_it_is_pickled_changes_nothing(
    warm_kernels: Callable[..., Kernels], deed: str
) -> None:
    kernels = warm_kernels()
    look = (
        "import os, sys, json, pickle\nprint(type(bad).__name__, first, last, os.getcwd(), 'PATH' in os.environ)\n"
        "print(sys.stdout.closed, pickle.dumps([1]), json.dumps([1]))"
    )
    cells = [["cell", BEFORE], ["cell", CLASS.format(deed=HARMLESS[deed])], ["cell", AFTER]]
    *_, undisturbed = kernels.run(*cells, ["cell", look])
    *_, saved, after = kernels.run(*cells, ["save", str(kernels.checkpoints), 1, {"deadline": 20}], ["cell", look])
    assert (saved["error"], saved["missing"].keys()) == ("", {"held"})
    assert after["printed"] == undisturbed["printed"] != ""
    restored, after = kernels.restore(saved["manifest"], look)
    assert (restored["error"], restored["missing"]) == ("", saved["missing"])
    assert after["printed"] == undisturbed["printed"]


def test_one_that_closes_what_the_save_writes_to_costs_an_error(warm_kernels: Callable[..., Kernels]) -> None:
    kernels = warm_kernels()
    save = ["save", str(kernels.checkpoints)]
    *_, failed, _, saved = kernels.run(
        ["cell", CLASS.format(deed="import os; os.closerange(3, 500)")],
        ["cell", "x = [1]; bad = Hostile(); y = x"],
        [*save, 1],
        ["cell", "bad = 5"],
        [*save, 2],
    )
    assert failed["error"] or failed["missing"].keys() == {"bad"}
    assert (saved["error"], saved["missing"]) == ("", {})
    assert kernels.restore(saved["manifest"], "print(bad, x is y)")[1]["printed"] == "5 True\n"


def test_two_that_kill_are_both_named(warm_kernels: Callable[..., Kernels]) -> None:
    kernels = warm_kernels()
    cells = [CLASS.format(deed="import os; os._exit(1)"), "a = Hostile(); b = 1; c = Hostile(); d = [b]"]
    saved = kernels.save(*cells)
    assert (saved["error"], saved["missing"].keys()) == ("", {"a", "c"})
    assert kernels.restore(saved["manifest"], "print(b, d)")[1]["printed"] == "1 [1]\n"


def test_a_session_full_of_them_costs_an_error_and_not_the_kernel(warm_kernels: Callable[..., Kernels]) -> None:
    """However many there are, a save comes to its end."""
    kernels = warm_kernels()
    save = ["save", str(kernels.checkpoints)]
    cells = [CLASS.format(deed="import os; os._exit(1)"), "for i in range(30): globals()[f'bad{i}'] = Hostile()\nx = 1"]
    *_, failed, _, saved = kernels.run(
        *(["cell", code] for code in cells),
        [*save, 1],
        ["cell", "for i in range(30): del globals()[f'bad{i}']"],
        [*save, 2],
    )
    assert failed["error"] or len(failed["missing"]) == 30
    assert (saved["error"], saved["missing"]) == ("", {})
    assert kernels.restore(saved["manifest"], "print(x)")[1]["printed"] == "1\n"
