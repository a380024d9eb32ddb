"""The whole table of what becomes of a taken job."""

from __future__ import annotations

import itertools

import pytest

from outlast.attempt.request import Request
from outlast.queue.decide import Standing, What, decide

STATES = ("", "running", "finished", "failed", "drained", "waiting", "crashed")
SAME, OTHER = "the prompt", "another prompt"


def run(standing: Standing, text: str = SAME) -> What:
    return decide(Request("run", "s", "s", text), standing).what


def chat(standing: Standing, text: str = "m") -> What:
    return decide(Request("chat", "c", "s", text), standing).what


def test_a_new_session_is_opened() -> None:
    assert run(Standing()) is What.OPEN


@pytest.mark.parametrize("state", STATES[1:])
@pytest.mark.parametrize("text", [SAME, OTHER])
def test_a_session_that_another_worker_holds_is_waited_for(state: str, text: str) -> None:
    assert run(Standing(state, held=True, prompt=SAME), text) is What.WAIT
    assert chat(Standing(state, held=True, prompt=SAME)) is What.WAIT


@pytest.mark.parametrize("text", [SAME, OTHER])
def test_a_finished_session_settles_the_job_that_opened_it(text: str) -> None:
    assert run(Standing("finished", prompt=SAME, attempt=1), text) is What.SETTLE


@pytest.mark.parametrize("state", ["running", "drained", "waiting", "crashed"])
@pytest.mark.parametrize("text", [SAME, OTHER])
def test_a_session_that_nobody_holds_goes_on(state: str, text: str) -> None:
    assert run(Standing(state, prompt=SAME, attempt=1), text) is What.OPEN


def test_a_failed_session_is_tried_again_when_it_is_asked_for_again() -> None:
    assert run(Standing("failed", prompt=SAME, attempt=3)) is What.OPEN
    # Taken up at attempt 3, and nothing was tried since: the worker died before it forked.
    assert run(Standing("failed", prompt=SAME, attempt=3, taken_up_at=3)) is What.OPEN


def test_a_failure_that_rq_does_not_know_yet_fails_the_job() -> None:
    assert run(Standing("failed", prompt=SAME, attempt=4, taken_up_at=3)) is What.SETTLE
    assert chat(Standing("failed", prompt=SAME, attempt=4, taken_up_at=3)) is What.SETTLE


def test_another_prompt_does_not_wake_a_failed_session() -> None:
    assert run(Standing("failed", prompt=SAME, attempt=1), OTHER) is What.SETTLE


@pytest.mark.parametrize(("state", "held"), list(itertools.product(STATES[1:], (True, False))))
def test_another_prompt_is_refused_towards_chat_and_the_first_request_restored(state: str, held: bool) -> None:
    decision = decide(Request("run", "s", "s", OTHER), Standing(state, held=held, prompt=SAME, attempt=1))
    assert decision.restore and "outlast.chat s" in decision.reason
    same = decide(Request("run", "s", "s", SAME), Standing(state, held=held, prompt=SAME, attempt=1))
    assert not same.restore and not same.reason


def test_a_chat_with_a_session_that_does_not_exist_is_refused() -> None:
    decision = decide(Request("chat", "c", "nope", "m"), Standing())
    assert decision.what is What.REFUSE and "nope" in decision.reason


@pytest.mark.parametrize("state", STATES[1:])
def test_a_message_that_no_attempt_has_seen_opens_one(state: str) -> None:
    assert chat(Standing(state, prompt=SAME, attempt=1)) is What.OPEN


def test_a_message_that_was_answered_settles_its_job() -> None:
    assert chat(Standing("finished", prompt=SAME, attempt=2, said="m")) is What.SETTLE


@pytest.mark.parametrize("state", ["running", "failed", "drained", "crashed"])
def test_a_message_that_was_read_but_not_answered_goes_on(state: str) -> None:
    assert chat(Standing(state, prompt=SAME, attempt=2, said="m")) is What.OPEN


def test_who_waited_fails_with_the_attempt_that_had_read_its_message() -> None:
    assert chat(Standing("failed", prompt=SAME, attempt=2, said="m", waited_for=2)) is What.SETTLE
    assert chat(Standing("failed", prompt=SAME, attempt=2, said=None, waited_for=2)) is What.OPEN
    assert chat(Standing("failed", prompt=SAME, attempt=2, said="m", waited_for=3)) is What.OPEN


@pytest.mark.parametrize(("state", "held"), list(itertools.product(STATES[1:], (True, False))))
def test_a_job_id_cannot_carry_a_second_message(state: str, held: bool) -> None:
    assert chat(Standing(state, held=held, prompt=SAME, said="m"), "n") is What.REFUSE
