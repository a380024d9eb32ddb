"""Asking for a reply: what is kept of a half-finished one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import accumulate, count, takewhile
from typing import Any

import pytest

from outlast.attempt.hold import Hold
from outlast.attempt.reply import Asking, pause_seconds
from outlast.errors import ContextTooLong, ModelAway
from outlast.interpreter.model import Alive, Delta, Finish
from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.project import project
from outlast.log.records import AttemptOpened, ReplyDelta, SessionOpened, TurnWaiting
from outlast.log.store import EMPTY
from outlast.settings import Settings
from outlast.stop import StopSignal
from tests.observer import bodies


class Narrow:
    """A model whose window has room for a whole reply, but not for a beginning and as much again."""

    def continues(self, partial: str, *, stop: StopSignal) -> bool:
        return True

    def count_tokens(self, wire: object, *, stop: StopSignal) -> int:
        return 1

    def stream(self, wire: object, *, partial: str | None, **_: object) -> Iterator[Delta | Finish]:
        if partial:
            raise ContextTooLong("too long")
        yield Delta("All done.")
        yield Finish("stop", 10, 3)


def test_a_half_finished_reply_that_there_is_no_room_to_continue_is_asked_for_again() -> None:
    log = MemoryLog(MemoryStore(), "s")
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=EMPTY, session=SessionOpened("go"))
    writer.append(ReplyDelta("All"))
    hold = Hold("s", writer, log.read(), "w")
    model: Any = Narrow()
    Asking(hold, model, Settings(), StopSignal()).reply()
    assert hold.state.answer == "All done."
    assert [record.type for record in log.read()][-2:] == ["reply.discarded", "reply.finished"]


class Thoughtful(Narrow):
    """A model that thinks for a minute, and then falls silent for another before it counts as away."""

    def __init__(self, clock: list[float]) -> None:
        self._clock, self._asked = clock, 0

    def stream(self, wire: object, *, partial: str | None, **_: object) -> Iterator[Delta | Alive | Finish]:
        self._asked += 1
        if self._asked == 1:
            for _second in range(60):
                self._clock[0] += 1
                yield Alive()
            self._clock[0] += 60
            raise ModelAway("it sent nothing for 60 s")
        yield Delta("All done.")
        yield Finish("stop", 10, 3)


def test_a_model_that_thinks_is_at_work_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    log = MemoryLog(MemoryStore(), "s", clock=lambda: clock[0])
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=EMPTY, session=SessionOpened("go"))
    hold = Hold("s", writer, log.read(), "w")
    model: Any = Thoughtful(clock)
    Asking(hold, model, Settings(), StopSignal()).reply()
    assert [body.seconds for body in bodies(log.read(), TurnWaiting)] == [0.0, 60.0]
    assert hold.seconds == 60 == project(log.read()).seconds


def test_tries_become_rarer_up_to_a_cap_so_that_half_an_hour_away_is_a_few_hundred_of_them() -> None:
    assert [pause_seconds(tries) for tries in range(1, 8)] == [0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    half_an_hour = takewhile(lambda waited: waited < 1800, accumulate(map(pause_seconds, count(1))))
    assert 300 < len(list(half_an_hour)) < 400


def test_the_servers_wish_when_to_ask_again_is_heeded_but_for_one_that_is_out_of_all_proportion() -> None:
    assert [pause_seconds(1, wish) for wish in (0.1, 7, 86400)] == [0.25, 7, 60]
    assert pause_seconds(100, 1) == 5.0
