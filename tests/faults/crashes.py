"""Killing at a crash point, and what must hold afterwards."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import psutil

from outlast.cli.history import history
from outlast.drill.scripted_model import Arrival
from outlast.drill.victims import strike
from outlast.log.records import CellReplayed, ContextShortened
from outlast.queue.keys import LEASES
from tests.faults.armed import STOPPED, stopped
from tests.fleet import Fleet
from tests.integration.sessions import outputs, ran
from tests.observer import PATIENCE, NeverHappened, bodies

#: Whose process is killed once some process has come to the point.
VICTIMS = ("worker", "child", "kernel", "all")

_numbers = itertools.count(3)


def went_on(fleet: Fleet, session: str, said: Sequence[str], asked: int) -> None:
    """Wait for the end: the session finished, its cells said what they say undisturbed, and no invariant was broken.

    `asked`: requests that the model server had got before the session.
    """
    state = fleet.finished(session)
    assert state.closed is not None and state.closed.how == "finished", state.closed
    assert fleet.job_status(session, "finished")
    _until(lambda: not list(fleet.connection.scan_iter("outlast:hand:*")), "a job is left in a hand")
    records = fleet.log(session).read()
    told = history(session, records)
    assert told.ran_twice == [] and fleet.verify(session).ok
    again = Counter(body.cell for body in bodies(records, CellReplayed))
    times = Counter(ran(fleet, session))
    # Who is killed right after `cell.started` has run nothing of it.
    assert times.keys() == {str(each.number) for each in told.cells}
    assert all(1 <= times[str(each.number)] <= 1 + again[each.number] for each in told.cells), (times, again)
    assert outputs(records) == said
    if not bodies(records, ContextShortened):
        _only_grew(fleet.model.arrivals[asked:])


def _only_grew(asked: Sequence[Arrival]) -> None:
    """Each request begins with all that the one before it had sent, but for a reply that had only begun."""
    before: list[object] = []
    for each in asked:
        messages = each.body["messages"]
        if each.body["max_tokens"] == 1:  # A probe.
            continue
        assert messages[: len(before)] == before
        before = messages[:-1] if each.continued else messages


def reset(fleet: Fleet) -> None:
    """A script without faults, and two workers with nothing to do: none that leaves yet, or is missed by the others."""
    fleet.model.control(clear=True, continues=True)
    _until(lambda: _is_calm(fleet), "the workers do not come to rest")


def _is_calm(fleet: Fleet) -> bool:
    for name, process in list(fleet.workers.items()):
        if process.poll() is not None:
            replace(fleet, name)
    states = [fleet.connection.hget(f"rq:worker:{name}", "state") for name in fleet.workers]
    hands = list(fleet.connection.scan_iter("outlast:hand:*"))
    return fleet.connection.hlen(LEASES) == len(states) and {*states} == {b"idle"} and not hands


def replace(fleet: Fleet, name: str) -> None:
    """Kill a worker with all that it started, if it lives, and start another in its place."""
    fleet.kill_worker(name)
    fleet.start_worker(f"worker-{next(_numbers)}")


def wait_for_stopped(fleet: Fleet) -> psutil.Process:
    """The process that has come to the point; NeverHappened."""
    until = time.monotonic() + PATIENCE
    while (process := stopped(fleet.directory)) is None:
        if time.monotonic() > until:
            raise NeverHappened("no process came to the point")
        time.sleep(0.01)
    (fleet.directory / STOPPED).unlink()
    return process


def kill_there(fleet: Fleet, victim: str, stopped: psutil.Process) -> None:
    """Kill the victim of the worker whose process has stopped, then let that go on if it was another.

    Where the worker has no such process at that point, all that it has are killed.
    """
    family = {stopped.pid, *(each.pid for each in stopped.parents())}
    [name] = [name for name, process in fleet.workers.items() if process.pid in family]
    worker, *below = fleet.tree(name)
    if victim == "all" or strike(worker, victim) is None:
        replace(fleet, name)
        return
    if victim == "worker":
        fleet.workers.pop(name).wait()
        fleet.start_worker(f"worker-{next(_numbers)}")
        # Its child has died with it, and the kernel with the child.
        psutil.wait_procs(below, timeout=PATIENCE)
        return
    with suppress(psutil.NoSuchProcess):
        stopped.resume()


def _until(condition: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise NeverHappened(otherwise)
        time.sleep(0.01)
