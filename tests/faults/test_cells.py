"""Cells that do their worst: the kernel may die; the worker and the other sessions do not, and the model is told.

What only a container bounds (all memory, forks without end) is in `tests/sandbox`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from outlast.kernel.sandbox import landlock
from outlast.log.records import CellFinished
from tests.fleet import Fleet
from tests.integration.sessions import GATE, cell, let_go, outputs, script
from tests.observer import PATIENCE, bodies

#: Small, so that each is reached soon.
LIMITS = {
    "OUTLAST_CELL_MEMORY": str(1 << 30),
    "OUTLAST_DISK_LIMIT": str(64 << 20),
    "OUTLAST_OUTPUT_BYTES": str(1 << 20),
    "OUTLAST_CELL_STALL": "3",
}

#: Works until the test lets it go on, and says so: nobody takes it for one that waits for nothing.
BUSY = """
import os, time
kept = 'calm'
while not os.path.exists('go'):
    print('.', flush=True)
    time.sleep(0.1)
"""


class Cause(NamedTuple):
    """A cell, how it ends, and parts of what the model is told: the cause, the state, what to do otherwise."""

    code: str
    status: str
    told: tuple[str, str, str]
    #: The word for the cause, where it costs the kernel: each is two strikes.
    by: str = ""
    language: str = "python"


_BEFORE, _LEFT = "The variables are those from before it", "The variables and files are as the code left them then"
_OWN = "Send signals to no process but those that the code itself has started"

KILLS = {
    "it crashes in native code": Cause(
        "import ctypes; ctypes.string_at(0)",
        "killed",
        ("was ended by SIGSEGV while cell", _BEFORE, "Run the steps one at a time to find the one that crashes"),
        "crash",
    ),
    "it ends its own process": Cause(
        "import os; os._exit(3)",
        "killed",
        ("ended with exit status 3 while cell", _BEFORE, "let the code come to its end"),
        "exit",
    ),
    "it kills its parent": Cause(
        "kill -9 $PPID",
        "killed",
        ("was ended by SIGKILL while cell", _BEFORE, _OWN),
        "killed",
        "shell",
    ),
    "it waits for ever and ignores its interrupt": Cause(
        "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(1000)",
        "killed",
        ("did not react to being interrupted, so its kernel was killed", _BEFORE, "let an interrupt (SIGINT"),
        "deaf",
    ),
}
STOPS = {
    "it eats all memory": Cause(
        "def eat():\n    rows = []\n    while True: rows.append(bytes(1 << 27))\neat()",
        "error",
        ("more memory than a process may use here, 1.0 GiB", "The variables are as it left them", "in pieces"),
    ),
    # With a hole, for what is written up to there would be too much for the session, too.
    "it writes a file that is larger than one may be": Cause(
        "with open('fill', 'wb') as file:\n    file.seek(1 << 26)\n    file.write(bytes(1 << 20))",
        "error",
        ("File too large", "the variables are as the code left them", "Remove what is not needed"),
    ),
    "it fills the disk": Cause(
        "for number in range(1000):\n    with open(f'fill{number}', 'wb') as file: file.write(bytes(1 << 23))\n"
        "    time.sleep(0.05)",
        "timeout",
        ("The cell was stopped: its files take", _LEFT, "Remove what is not needed, close what is open"),
    ),
    "it prints without end": Cause(
        "while True: print('x' * 100)",
        "timeout",
        ("longer than its limit of 5 s", _LEFT, "Do the work in smaller steps"),
    ),
    "it sleeps for ever": Cause(
        "time.sleep(1000)",
        "timeout",
        ("for 3 s it printed nothing and used neither", _LEFT, "do not wait for it"),
    ),
}
if landlock.abi() >= 6:
    # Else it may where it is no other user: then each is a death whose cause nobody knows, and five are a strike.
    STOPS["it kills the guardian"] = Cause(
        "import os\nos.kill(os.getppid(), 9)", "error", ("PermissionError: [Errno 1] Operation not permitted", "", "")
    )

#: After each: the variables; there is memory again, and room on the disk once the model has done as it was told.
CHECK = """
import glob, os
for name in glob.glob('fill*'):
    os.remove(name)
assert bytes(1 << 29)
print(kept)
"""
#: A process that belongs to nobody, and does not react to being asked to end.
DAEMON = """
import os, signal, time
read_end, write_end = os.pipe()
if os.fork() == 0:
    os.setsid()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if os.fork() == 0:
        os.write(write_end, str(os.getpid()).encode())
        time.sleep(1000)
    os._exit(0)
_ = os.wait()
print(os.read(read_end, 20).decode())
"""


def turns(causes: dict[str, Cause]) -> list[str]:
    """A cell for each cause, and after it one that says what the variables are."""
    said = [cell(1, "import time\nkept = 'before'")]
    for number, (name, cause) in enumerate(causes.items(), 1):
        change = f"kept = {name!r}\n" if cause.language == "python" else ""
        said += [cell(2 * number, change + cause.code, cause.language), cell(2 * number + 1, CHECK)]
    return said


def told(fleet: Fleet, session: str, turn: int) -> str:
    """What the model read last when it was asked for the reply of this turn (from 0)."""
    asked = (each for each in fleet.model.arrivals if each.reply == turn and each.body["max_tokens"] != 1)
    wires = (each.body["messages"] for each in asked)
    return next(str(wire[-1]["content"]) for wire in wires if wire[1]["content"] == session)


def runs_to_its_end(fleet: Fleet, session: str) -> None:
    """In the one attempt that it began with."""
    state = fleet.finished(session)
    assert state.closed is not None and state.closed.how == "finished", state.closed
    assert state.attempt == 1 and fleet.verify(session).ok


def strikes(shown: Any, number: int) -> list[tuple[str, str, int, int]]:
    """Those of a cell, as `outlast show` names them."""
    cuts = shown["cells"][number - 1]["interruptions"]
    return [(cut["kind"], cut["by"], cut["strike"], cut["of"]) for cut in cuts]


@pytest.mark.parametrize("causes", [KILLS, STOPS], ids=["its kernel dies", "its kernel lives"])
def test_whatever_a_cell_does_its_session_goes_on_with_what_the_model_was_told_and_no_other_notices(
    causes: dict[str, Cause], tmp_path: Path, kernel_python: Path
) -> None:
    wild = [*turns(causes), cell(90, DAEMON), cell(91, GATE), "All done."]
    scripts = {"wild": wild, "calm": script(cell(1, BUSY), cell(2, "print(kept)"))}
    with Fleet(tmp_path, {"scripts": scripts, "replies": []}, kernel_python, environment=LIMITS) as fleet:
        fleet.enqueue("calm", "calm")
        fleet.wait("calm", lambda _, record: record.type == "cell.output")
        fleet.enqueue("wild", "wild", "cell_timeout:=5")
        fleet.wait("wild", lambda state, record: record.type == "cell.started" and state.cell == len(wild) - 1)
        daemon = psutil.Process(int(outputs(fleet.log("wild").read())[-1]))
        for session in ("wild", "calm"):
            let_go(fleet, session)
            runs_to_its_end(fleet, session)
        fleet.job_status("wild", "finished")
        assert not psutil.wait_procs([daemon], timeout=PATIENCE)[1]
        assert all(worker.poll() is None for worker in fleet.workers.values())
        assert not fleet.state("calm").strikes and outputs(fleet.log("calm").read())[-1] == "calm"

        shown = json.loads(fleet.outlast("show", "wild").stdout)
        ends = {body.cell: body for body in bodies(fleet.log("wild").read(), CellFinished)}
        kept = "before"
        for number, (name, cause) in enumerate(causes.items(), 1):
            words, at = told(fleet, "wild", 2 * number), 2 * number
            assert ends[at].status == cause.status and ends[at].output in words, (name, ends[at])
            assert all(part in words for part in cause.told), (name, words)
            assert strikes(shown, at) == [("strike", cause.by, strike, 2) for strike in (1, 2) if cause.by], name
            kept = kept if cause.by else name
            assert ends[at + 1].output.rstrip() == kept, (name, ends[at + 1])
