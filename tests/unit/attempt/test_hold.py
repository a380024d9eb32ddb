"""What counts as running time."""

from __future__ import annotations

import time

import pytest

from outlast.attempt.hold import REDIS_AWAY, Hold
from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.project import project
from outlast.log.records import AttemptClosed, AttemptOpened, NoteAdded, SessionOpened, TurnWaiting
from outlast.log.store import EMPTY
from tests.observer import bodies


class Clock:
    """All time that passes here; `away` is the part of it in which Redis is waited for."""

    def __init__(self) -> None:
        self.now, self.redis_waited = 1000.0, 0.0

    def run(self, seconds: float) -> None:
        self.now += seconds

    def away(self, seconds: float) -> None:
        self.now += seconds
        self.redis_waited += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def log(clock: Clock) -> MemoryLog:
    return MemoryLog(MemoryStore(), "s", clock=lambda: clock.now)


@pytest.fixture
def hold(clock: Clock, log: MemoryLog) -> Hold:
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=EMPTY, session=SessionOpened("go"))
    return Hold("s", writer, log.read(), "w", lambda: clock.redis_waited)


def test_a_wait_that_is_not_over_does_not_count_already(hold: Hold, clock: Clock) -> None:
    clock.run(10)
    hold.wait("the model server is away")
    clock.run(10)
    hold.wait("it still is")
    assert hold.seconds == 10
    hold.resume()
    clock.run(10)
    assert hold.seconds == 20


def test_a_wait_that_is_known_only_now_counts_from_when_it_began(hold: Hold, clock: Clock) -> None:
    clock.run(10)
    heard_at = hold.now()
    clock.run(20)
    clock.away(30)
    hold.wait("the model server sent nothing", since=heard_at)
    assert hold.seconds == 10
    hold.resume()
    clock.run(5)
    assert hold.seconds == 15


def test_a_wait_has_one_record_when_it_begins_and_one_with_its_length_when_it_is_over(
    hold: Hold, clock: Clock, log: MemoryLog
) -> None:
    hold.resume()
    hold.wait("the model server is away")
    clock.run(10)
    hold.wait("it still is")
    hold.resume()
    assert waits(log) == [("the model server is away", 0.0), ("the model server is away", 10.0)]


def test_an_outage_of_redis_is_no_running_time_and_is_in_the_log_with_its_length(
    hold: Hold, clock: Clock, log: MemoryLog
) -> None:
    clock.run(10)
    clock.away(300)
    assert hold.seconds == 10
    hold.append(NoteAdded("after it"))
    clock.run(5)
    hold.append(NoteAdded("later"))
    assert waits(log) == [(REDIS_AWAY, 300.0)]
    # The next attempt counts by the log.
    assert hold.seconds == 15 == project(log.read()).seconds


def test_a_moment_without_redis_leaves_no_record(hold: Hold, clock: Clock, log: MemoryLog) -> None:
    for _ in range(3):
        clock.away(0.4)
        hold.append(NoteAdded("after it"))
    assert waits(log) == [(REDIS_AWAY, 1.2)]


def test_an_outage_of_redis_in_a_wait_for_the_model_counts_once(hold: Hold, clock: Clock, log: MemoryLog) -> None:
    hold.wait("the model server is away")
    clock.run(10)
    clock.away(300)
    clock.run(10)
    assert hold.seconds == 0
    hold.resume()
    clock.run(5)
    hold.append(NoteAdded("after both"))
    assert waits(log)[1:] == [("the model server is away", 20.0), (REDIS_AWAY, 300.0)]
    assert hold.seconds == 5 == project(log.read()).seconds


def test_an_outage_in_which_the_session_ends_is_no_running_time_either(
    hold: Hold, clock: Clock, log: MemoryLog
) -> None:
    clock.run(10)
    clock.away(300)
    log.inbox.deliver("message", "job-2", {"text": "more"})
    assert not hold.close(AttemptClosed("finished"), state="finished")
    log.inbox.remove(*(entry.id for entry in log.inbox.unread()))
    assert hold.close(AttemptClosed("finished"), state="finished")
    assert waits(log) == [(REDIS_AWAY, 300.0)] and log.read()[-1].type == "attempt.closed"
    assert hold.seconds == 10 == project(log.read()).seconds


def test_an_outage_in_which_the_attempt_opens_is_no_running_time_either(clock: Clock, log: MemoryLog) -> None:
    clock.away(100)
    waited_before = clock.redis_waited
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=EMPTY, session=SessionOpened("go"))
    clock.away(300)
    hold = Hold("s", writer, log.read(), "w", lambda: clock.redis_waited, waited_before)
    clock.run(5)
    hold.append(NoteAdded("after it"))
    assert waits(log) == [(REDIS_AWAY, 300.0)]
    assert hold.seconds == 5 == project(log.read()).seconds


def test_a_wait_of_no_time_has_an_end_all_the_same(hold: Hold, log: MemoryLog) -> None:
    hold.wait("the model server is away")
    hold.resume()
    assert [seconds > 0 for _, seconds in waits(log)] == [False, True]


def waits(log: MemoryLog) -> list[tuple[str, float]]:
    return [(body.why, body.seconds) for body in bodies(log.read(), TurnWaiting)]
