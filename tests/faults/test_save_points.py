"""A kill at every moment of a save, of every process that can be killed there: a checkpoint is whole, or is none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from outlast.kernel.state import points
from tests.faults.crashes import VICTIMS, kill_there, reset, went_on
from tests.fleet import Fleet, kill
from tests.integration.sessions import cell, files
from tests.observer import PATIENCE, NeverHappened

#: Whoever reaches the point that the file `armed` holds takes it away, leaves its process id, and stops.
HOOK = """
def hook():
    import os, signal, sys
    def stop(point):
        if os.path.exists('armed') and open('armed').read() == point:
            os.rename('armed', 'stopping')
            open('stopping', 'w').write(str(os.getpid()))
            os.rename('stopping', 'stopped')
            os.kill(os.getpid(), signal.SIGSTOP)
    [module] = [module for name, module in sys.modules.items() if name.endswith('state.points')]
    module.hook = stop
hook()
del hook
"""
REPLIES = [
    cell(1, "text = 'kept'"),
    # Both sorts of file of a checkpoint: a buffer is an object of its own, what is small goes into a pack.
    cell(2, HOOK + "import numpy, os, time\nlarge, x = numpy.arange(100_000), [1]\nprint('two', flush=True)\n"
            "while not os.path.exists('armed'): time.sleep(0.01)"),
    cell(3, "x.append(large.sum())\nprint(x, text)"),
    "All done.",
]  # fmt: skip
SAID = ["", "two", "[1, np.int64(4999950000)] kept"]

#: As `crashes.VICTIMS`, and the child of the kernel that writes the checkpoint.
WHO = (*VICTIMS, "writer")
CASES = [
    pytest.param(point, victim, id=f"{point}-{victim}")
    for number, point in enumerate(points.POINTS)
    for turn, victim in enumerate(WHO)
    if os.environ.get("KILLS") == "all" or number % len(WHO) == turn
]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, kernel_python: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path_factory.mktemp("saves"), REPLIES, kernel_python, warm_workers=True) as running:
        yield running


@pytest.mark.parametrize(("point", "victim"), CASES)
def test_a_kill_in_a_save_costs_at_most_a_second_run_of_its_cell(fleet: Fleet, point: str, victim: str) -> None:
    reset(fleet)
    session, asked = f"{point}-{victim}".replace(" ", "-"), len(fleet.model.arrivals)
    fleet.enqueue(session)
    fleet.wait(session, lambda state, record: record.type == "cell.output" and state.cell == 2)
    place = files(fleet, session)
    (place / "new").write_text(point)
    (place / "new").rename(place / "armed")
    stopped = _stopped(place)
    # What runs the second time finds the gate open, and nobody stops again.
    (place / "armed").write_text("")
    if victim == "writer":
        kill(stopped.pid)
    else:
        kill_there(fleet, victim, stopped)
    went_on(fleet, session, SAID, asked)


def _stopped(place: Path) -> psutil.Process:
    until = time.monotonic() + PATIENCE
    while not (place / "stopped").exists():
        if time.monotonic() > until:
            raise NeverHappened("no process came to the point")
        time.sleep(0.01)
    return psutil.Process(int((place / "stopped").read_text()))
