"""What counts as running time."""

from __future__ import annotations

import time

import pytest

from outlast.attempt.hold import Hold
from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.records import AttemptOpened, SessionOpened, TurnWaiting
from outlast.log.store import EMPTY
from tests.observer import bodies


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Hold:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    log = MemoryLog(MemoryStore(), "s")
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=EMPTY, session=SessionOpened("go"))
    return Hold("s", writer, log.read(), "w")


def test_a_wait_that_is_not_over_does_not_count_already(hold: Hold) -> None:
    before = hold.seconds
    hold.wait("the model server is away")
    during = hold.seconds
    hold.wait("it still is")
    assert hold.seconds == during == before + 10
    hold.resume()
    assert hold.seconds == during + 10


def test_a_wait_has_one_record_when_it_begins_and_one_with_its_length_when_it_is_over(hold: Hold) -> None:
    said: list[tuple[str, float]] = []
    hold.on_record = lambda record: said.extend((body.why, body.seconds) for body in bodies([record], TurnWaiting))
    hold.resume()
    hold.wait("the model server is away")
    hold.wait("it still is")
    hold.resume()
    assert said == [("the model server is away", 0.0), ("the model server is away", 10.0)]
