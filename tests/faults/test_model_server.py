"""A model server that breaks down in the middle of a session, in each of its ways: the turn waits and goes on.

How an outage of minutes scales: the tries become rarer (`test_reply.py`), and their number changes nothing in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from outlast.drill.scripted_model import Arrival, chunks
from outlast.log.records import CellInterrupted, ReplyDelta, ReplyDiscarded, TurnWaiting
from tests.fleet import Fleet
from tests.integration.sessions import cell, outputs, ran
from tests.observer import bodies

#: Seconds of silence, before the first token and between two, after which the server counts as away.
SILENCE = 5.0
WORDS = " ".join(f"word{number}" for number in range(30))
REPLY = WORDS + "\n" + cell(1, "print('one')")
#: Faults hit the first reply of whichever session asks, and no other.
FIRST = {"reply": 0}


class Case(NamedTuple):
    """`whys`: what the log says that the turn waits for, one for each wait; `asked`: requests for the reply."""

    faults: list[dict[str, Any]]
    whys: list[str]
    asked: int
    #: Seconds that the first wait takes at least.
    least: float = 0.0


HANG, STALL, CUT = {"kind": "hang"}, {"kind": "stall", "after": 5}, {"kind": "cut", "after": 5}
GARBAGE = {"kind": "garbage", "after": 5}
CASES = {
    "it fails, again and again": Case(
        [{"kind": "status", "status": 500, "message": "engine dead", "times": 3}], ["answers 500 (engine dead)"], 4
    ),
    "it is overloaded and says when to come back": Case(
        [{"kind": "status", "status": 429, "retry_after": 1.5}], ["answers 429"], 2, least=1.5
    ),
    "it is healthy and never says a word": Case(
        [HANG], [f"sent nothing for {SILENCE:g} s (OUTLAST_FIRST_TOKEN)"], 2, SILENCE
    ),
    "it falls silent": Case([STALL], [f"sent nothing for {SILENCE:g} s (OUTLAST_NEXT_TOKEN)"], 2, SILENCE),
    "it answers with garbage": Case([{**GARBAGE, "after": 0}], ["is no chat completion"], 2),
    "its reply turns into garbage": Case([GARBAGE], ["is no chat completion"], 2),
    "it breaks off": Case([CUT], ["broke off"], 2),
    "it ends its reply in the middle as if it were whole": Case([{**CUT, "clean": True}], ["cut its reply off"], 2),
    "all of it, one after the other, in one reply": Case(
        [CUT, {"kind": "status", "status": 503, "probes": True}, STALL, GARBAGE, HANG, {**CUT, "clean": True}],
        ["broke off", "OUTLAST_NEXT_TOKEN", "is no chat completion", "cut its reply off"],
        6,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, kernel_python: Path) -> Iterator[Fleet]:
    """One for all cases: each is a session of its own, and they come one after the other."""
    replies = {
        "replies": [REPLY, "All done."],
        "scripts": {"slow": [{"text": REPLY, "delay": 0.05}, "All done."], "short": ["All done."]},
    }
    silence = {"OUTLAST_FIRST_TOKEN": str(SILENCE), "OUTLAST_NEXT_TOKEN": str(SILENCE)}
    directory = tmp_path_factory.mktemp("model")
    with Fleet(directory, replies, kernel_python, workers=1, environment=silence) as running:
        yield running


def requests(fleet: Fleet, since: int) -> list[Arrival]:
    """Those for the first reply, without the probes."""
    return [each for each in fleet.model.arrivals[since:] if each.reply == 0 and each.body["max_tokens"] != 1]


def is_untouched(fleet: Fleet, session: str) -> None:
    """The session has come to its end as if nothing had been: one attempt, no strike, nothing run or said twice."""
    state, records = fleet.finished(session), fleet.log(session).read()
    assert state.closed is not None and state.closed.how == "finished", state.closed
    assert state.attempt == 1 and state.strikes == 0
    assert not bodies(records, CellInterrupted) and not bodies(records, ReplyDiscarded)
    assert state.said[1].text == REPLY and outputs(records) == ["one"] and ran(fleet, session) == ["1"]
    assert fleet.verify(session).ok


def is_continued(asked: list[Arrival]) -> None:
    """Each request goes on from all that came before it, so that no token of the reply was generated twice."""
    begun = [each.body["messages"][-1]["content"] if each.continued else "" for each in asked]
    assert all(REPLY.startswith(text) for text in begun)
    assert sum(each.chunks for each in asked) == len(chunks(REPLY))


@pytest.mark.parametrize("name", CASES)
def test_whatever_becomes_of_the_model_server_the_turn_waits_says_why_and_goes_on(fleet: Fleet, name: str) -> None:
    case, session, since = CASES[name], f"case-{list(CASES).index(name)}", len(fleet.model.arrivals)
    fleet.model.control(*({**FIRST, **fault} for fault in case.faults), clear=True)
    fleet.enqueue(session)
    is_untouched(fleet, session)
    waits = bodies(fleet.log(session).read(), TurnWaiting)
    # One record when a wait begins and one when it is over, however often the server was asked meanwhile.
    assert [wait.seconds > 0 for wait in waits] == [False, True] * len(case.whys)
    for begun, why in zip(waits[::2], case.whys, strict=True):
        assert why in begun.why
    assert waits[1].seconds >= case.least
    asked = requests(fleet, since)
    assert len(asked) == case.asked
    is_continued(asked)


def test_a_model_server_that_is_restarted_in_the_middle_of_a_reply_goes_on_with_it(fleet: Fleet) -> None:
    since = len(fleet.model.arrivals)
    # Still in the middle when it is restarted.
    fleet.model.control({"kind": "stall", "after": 20, **FIRST}, clear=True)
    fleet.enqueue("restarted", "slow")
    fleet.wait("restarted", lambda _, record: record.type == "reply.delta")
    with fleet.model.away():
        fleet.wait("restarted", lambda _, record: record.type == "turn.waiting")
        logged = "".join(delta.text for delta in bodies(fleet.log("restarted").read(), ReplyDelta))
    is_untouched(fleet, "restarted")
    asked = requests(fleet, since)
    assert [each.continued for each in asked] == [False, True]
    assert asked[1].body["messages"][-1]["content"] == logged
    is_continued(asked)


def test_waiting_for_the_model_server_uses_up_none_of_a_sessions_running_time(fleet: Fleet) -> None:
    fleet.model.control({"kind": "status", "status": 429, "retry_after": 9, **FIRST}, clear=True)
    fleet.enqueue("limited", "short", "max_seconds:=8")
    state = fleet.finished("limited")
    assert state.closed is not None and state.closed.how == "finished", state.closed
    assert bodies(fleet.log("limited").read(), TurnWaiting)[-1].seconds >= 9 > 8 > state.seconds
