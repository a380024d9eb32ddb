"""Which checkpoint a new kernel is loaded with, and what the log then says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outlast.attempt.hold import Hold
from outlast.attempt.notes import tell
from outlast.attempt.seat import Seat
from outlast.errors import KernelDied, Refused
from outlast.kernel.client import Kernel
from outlast.kernel.results import Restored
from outlast.kernel.workspace import Workspace
from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.records import AttemptOpened, Body, CellFinished, CellStarted, SessionOpened, StateRestored
from outlast.log.store import EMPTY
from outlast.settings import Settings
from outlast.stop import StopSignal
from tests.unit.log.story import cell, reply

Load = Callable[..., tuple[Hold, "FakeKernel"]]


class FakeKernel:
    """A kernel that can load only some checkpoints; `answers` by digest."""

    def __init__(self, answers: dict[str, Restored | Exception]) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.closed = 0

    def ready(self, stop: StopSignal, on_wait: object) -> None:
        pass

    def restore(self, digest: str, stop: StopSignal) -> Restored:
        self.asked.append(digest)
        answer = self.answers[digest]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed += 1


GONE = Restored(missing={"*": "the checkpoint is not in the session's directory any more, or is damaged"}, seconds=0.5)
OTHER_PYTHON = Restored(missing={"*": "it was made with Python 3.10.1, and this is 3.11.7"}, seconds=0.5)
WHOLE = Restored(("a", "b"), {"f": "open file"}, 0.25)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Has a kernel with these answers take its seat in a session with these records."""

    def run(bodies: list[Body], answers: dict[str, Any]) -> tuple[Hold, FakeKernel]:
        log = MemoryLog(MemoryStore(), "s")
        writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=EMPTY, session=SessionOpened("go"))
        for body in bodies:
            writer.append(body)
        hold = Hold("s", writer, log.read(), "w")
        kernel = FakeKernel(answers)
        monkeypatch.setattr(Kernel, "launch", lambda *_, **__: kernel)
        settings = Settings(workspaces=str(tmp_path))
        Seat(hold, Workspace.open(settings, "s"), settings, StopSignal()).ready()
        return hold, kernel

    return run


def three_cells() -> list[Body]:
    return [body for number in (1, 2, 3) for body in (reply("x"), *cell(number))]


def restored(records: list[Body]) -> StateRestored:
    (body,) = [body for body in records if isinstance(body, StateRestored)]
    return body


@pytest.fixture
def appended(monkeypatch: pytest.MonkeyPatch) -> list[Body]:
    """What was appended by a hold, in order."""
    bodies: list[Body] = []
    append = Hold.append

    def note(self: Hold, body: Body) -> Any:
        bodies.append(body)
        return append(self, body)

    monkeypatch.setattr(Hold, "append", note)
    return bodies


def test_the_newest_checkpoint_that_loads_is_the_only_one_that_is_tried(load: Load, appended: list[Body]) -> None:
    _, kernel = load(three_cells(), {"sum3": WHOLE})
    assert kernel.asked == ["sum3"]
    assert restored(appended) == StateRestored(3, "sum3", ("a", "b"), {"f": "open file"}, 0.25)


def test_a_checkpoint_that_does_not_load_gives_way_to_the_one_before(load: Load, appended: list[Body]) -> None:
    _, kernel = load(three_cells(), {"sum3": GONE, "sum2": OTHER_PYTHON, "sum1": WHOLE})
    assert kernel.asked == ["sum3", "sum2", "sum1"] and kernel.closed == 0
    body = restored(appended)
    assert (body.cell, body.checkpoint, body.restored, body.seconds) == (1, "sum1", ("a", "b"), 1.25)
    assert body.missing == {
        "f": "open file",
        "the variables of cell 2": OTHER_PYTHON.missing["*"],
        "the variables of cell 3": GONE.missing["*"],
    }


def test_the_cells_that_only_the_lost_checkpoint_covered_are_all_named(load: Load, appended: list[Body]) -> None:
    unsaved = [reply("y"), CellStarted(4, "python"), CellFinished(4, "ok", "", state_error="the disk was full")]
    load([*three_cells(), *unsaved, reply("z"), *cell(5)], {"sum5": GONE, "sum3": WHOLE})
    assert set(restored(appended).missing) == {"f", "the variables of cell 4", "the variables of cell 5"}


def test_a_session_none_of_whose_checkpoints_loads_goes_on_with_nothing_and_says_so(
    load: Load, appended: list[Body]
) -> None:
    unsaved = [reply("y"), CellStarted(4, "python"), CellFinished(4, "ok", "", state_error="the disk was full")]
    hold, kernel = load([*three_cells(), *unsaved], {"sum3": OTHER_PYTHON, "sum2": GONE, "sum1": GONE})
    assert kernel.asked == ["sum3", "sum2", "sum1"]
    body = restored(appended)
    assert (body.cell, body.checkpoint, body.restored) == (0, "", ())
    assert body.missing == {
        "every variable made up to cell 3": OTHER_PYTHON.missing["*"],
        "the variables of cell 4": "the disk was full",
    }
    tell(hold)
    assert "Python 3.10.1" in hold.state.said[-1].text and "cell 4" in hold.state.said[-1].text
    said = len(hold.state.said)
    tell(hold)
    assert len(hold.state.said) == said


def test_an_empty_checkpoint_that_loads_is_not_taken_for_a_damaged_one(load: Load, appended: list[Body]) -> None:
    _, kernel = load(three_cells(), {"sum3": Restored()})
    assert kernel.asked == ["sum3"]


def test_a_kernel_that_dies_of_a_restore_is_replaced_and_at_last_refused(load: Load) -> None:
    with pytest.raises(Refused, match="no kernel could be started for session s: it died"):
        load(three_cells(), {"sum3": KernelDied("it died")})
