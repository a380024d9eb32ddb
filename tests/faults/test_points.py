"""A kill at every crash point, of every process that can be killed there: the invariants hold, and the job is done."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from outlast.log.records import BODIES
from outlast.points import Point
from tests.faults.armed import arm
from tests.faults.crashes import VICTIMS, kill_there, replace, reset, wait_for_stopped, went_on
from tests.fleet import Fleet, kill
from tests.integration.sessions import GATE, SLOWLY, cell, let_go, outputs

#: No code appends these records yet.
UNUSED = {f"{moment} approval.{what}" for moment in ("before", "after") for what in ("requested", "given")}

WORDS = " ".join(f"word{number}" for number in range(30))
#: By the first word of the prompt.
SCRIPTS: dict[str, list[Any]] = {
    "plain": [
        # More than the model is shown: the whole is an artifact, with a name that a second run must not change.
        {"text": WORDS + cell(1, SLOWLY + "x = [1]\nprint('one ' * 9000)"), "delay": 0.03},
        cell(2, "x.append(2)\nprint('two', flush=True)\ntime.sleep(1)\nprint(x)"),
        "All done.",
    ],
    "told": [cell(1, "print('working', flush=True)\n" + GATE), "All done."],
    "again": [
        cell(1, "x = 5\nlost = (n for n in range(9))"),
        cell(2, "print('working', flush=True)\n" + GATE + "print(x)"),
        "All done.",
    ],
    "cut": [{"text": WORDS + cell(1, "print('one')"), "delay": 0.03}, "All done."],
    "waits": [cell(1, "print('one')"), "All done."],
    "long": [*(cell(number, "print('many words ' * 400)") for number in range(1, 8)), "All done."],
}
#: The first reply stays where it is, longer than it takes until its first part is logged.
STALL = {"kind": "stall", "after": 25, "reply": 0}
Arm = Callable[[], None]
Course = Callable[[Fleet, str, Arm], None]


def _plain(fleet: Fleet, session: str, armed: Arm) -> None:
    armed()
    fleet.enqueue(session, "plain")


def _told(fleet: Fleet, session: str, armed: Arm) -> None:
    """A message for a session in a cell."""
    fleet.enqueue(session, "told")
    fleet.wait(session, lambda state, record: record.type == "cell.output")
    armed()
    fleet.rq("enqueue", "outlast.chat", session, "message=and then?")
    _in_inbox(fleet, session)
    let_go(fleet, session)


def _again(fleet: Fleet, session: str, armed: Arm) -> None:
    """The attempt after a death in a cell."""
    fleet.enqueue(session, "again")
    fleet.wait(session, lambda state, record: record.type == "cell.output" and state.cell == 2)
    armed()
    replace(fleet, fleet.holder(session))
    let_go(fleet, session)


def _cut(fleet: Fleet, session: str, armed: Arm) -> None:
    """The attempt after a death in a reply that cannot be continued."""
    fleet.model.control(STALL, continues=False)
    fleet.enqueue(session, "cut")
    fleet.wait(session, lambda state, record: record.type == "reply.delta")
    armed()
    replace(fleet, fleet.holder(session))


def _waits(fleet: Fleet, session: str, armed: Arm) -> None:
    """A model server that is away for a moment."""
    fleet.model.control({"kind": "status", "status": 503, "times": 1})
    armed()
    fleet.enqueue(session, "waits")


def _long(fleet: Fleet, session: str, armed: Arm) -> None:
    """A conversation that outgrows its window."""
    armed()
    fleet.enqueue(session, "long", "context_window:=4096", "max_tokens:=500")


def _refused(fleet: Fleet, session: str, armed: Arm) -> None:
    """A second job for a session that is there and runs."""
    fleet.enqueue(session, "told")
    fleet.wait(session, lambda state, record: record.type == "cell.output")
    armed()
    fleet.enqueue(session, "something else")
    _in_inbox(fleet, session)
    let_go(fleet, session)


def _drained(fleet: Fleet, session: str, armed: Arm) -> None:
    """A worker that is asked to stop, in a cell."""
    fleet.enqueue(session, "told")
    fleet.wait(session, lambda state, record: record.type == "cell.output")
    armed()
    kill(fleet.workers[fleet.holder(session)].pid, signal.SIGTERM)
    let_go(fleet, session)


def _in_inbox(fleet: Fleet, session: str) -> None:
    while not fleet.log(session).inbox.unread():
        time.sleep(0.01)


_COURSES: dict[Course, tuple[str, ...]] = {
    _plain: (
        "taken", "started", "forked", "claiming", "session.opened", "attempt.opened", "reply.delta", "reply.finished",
        "cell.started", "cell.output", "cell.finished", "state.saved", "session.finished", "attempt.closed", "ended",
        "settled",
    ),
    _told: ("delivered", "user.message"),
    _again: ("recovering", "recovered", "cell.interrupted", "cell.replayed", "state.restored", "note.added"),
    _cut: ("reply.discarded",),
    _waits: ("turn.waiting",),
    _long: ("context.shortened",),
    _refused: ("request.refused",),
    _drained: ("attempt.closed", "ended", "settled"),
}  # fmt: skip
#: Every point, with each course that comes by it.
PLACES = [
    (course, Point(name))
    for course, names in _COURSES.items()
    for each in names
    for name in ((f"before {each}", f"after {each}") if "." in each else (each,))
]
#: With KILLS=all every victim at every point, which takes a quarter of an hour; else one at each, by turns. A victim
#: that is not there yet, or not any more, is replaced by all that are (`kill_there`).
CASES = [
    pytest.param(course, point, victim, id=f"{course.__name__.strip('_')}-{point}-{victim}")
    for number, (course, point) in enumerate(PLACES)
    for turn, victim in enumerate(VICTIMS)
    if os.environ.get("KILLS") == "all" or number % len(VICTIMS) == turn
]


def test_every_append_has_a_point_before_and_after_it() -> None:
    around = {point.value for point in Point if " " in point}
    assert around == {f"{moment} {kind}" for kind in BODIES for moment in ("before", "after")}


def test_every_point_is_tried() -> None:
    assert {point for _, point in PLACES} == {point for point in Point if point.value not in UNUSED}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, kernel_python: Path) -> Iterator[Fleet]:
    """One for all points; its workers stop where they are told to."""
    place = tmp_path_factory.mktemp("points")
    script = {"scripts": SCRIPTS, "replies": ["Hello."]}
    with Fleet(place, script, kernel_python, warm_workers=True, worker_class="tests.faults.armed.Worker") as fleet:
        yield fleet


@pytest.fixture(scope="module")
def undisturbed(fleet: Fleet) -> Callable[[Course], list[str]]:
    """What the cells of a course say when nothing is killed in it but what it kills itself."""

    @cache
    def say(course: Course) -> list[str]:
        session = course.__name__.strip("_")
        reset(fleet)
        course(fleet, session, lambda: None)
        fleet.finished(session)
        return outputs(fleet.log(session).read())

    return say


@pytest.mark.parametrize(("course", "point", "victim"), CASES)
def test_a_kill_costs_nothing_that_was_completed(
    fleet: Fleet, undisturbed: Callable[[Course], list[str]], course: Course, point: Point, victim: str
) -> None:
    said = undisturbed(course)
    reset(fleet)
    session, asked = re.sub(r"\W+", "-", f"{course.__name__}-{point}-{victim}").strip("-_"), len(fleet.model.arrivals)
    course(fleet, session, lambda: arm(fleet.directory, point))
    kill_there(fleet, victim, wait_for_stopped(fleet))
    went_on(fleet, session, said, asked)
