"""What the attacks by output have in common: a look at the worker's memory, and one at what their run came back with.

That must be bounded and printable, whatever happened in the cell.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ..case import Attack, Group
from ..cells import Outcome
from . import toolkit

#: Characters of an output, and what no output may hold: control characters but tab and newline, lone surrogates.
_LONGEST = 20_000
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

#: Watches the worker's memory; `grown()` is what it has had more than at the beginning, in MiB.
WORKER = r"""
worker = int(fields(os.getppid())[1])
def resident():
    return int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{worker}/status").decode())[1]) >> 10
begun_with = most = resident()
def watch():
    global most
    while True:
        most = max(most, resident())
        time.sleep(0.01)
threading.Thread(target=watch, daemon=True).start()
def grown(seconds=1):
    time.sleep(seconds)
    return most - begun_with
def weigh(seconds=1):
    keep("MiB more in the worker", grown(seconds) > 400 and grown(0))
"""


def spills(outcome: Outcome) -> bool:
    """Whether it is too long or holds what a terminal would obey."""
    return len(outcome.output) > _LONGEST or _UNPRINTABLE.search(outcome.output) is not None


def attack(tries: str, code: str, *, then: str = "", may_end: bool = False, timeout: float = 120.0) -> Attack:
    """An attack of this group in Python, whose output is looked at too."""
    made = toolkit.python(Group.OUTPUT, tries, WORKER + code, then=then, may_end=may_end, timeout=timeout)
    return replace(made, breaches=spills)
