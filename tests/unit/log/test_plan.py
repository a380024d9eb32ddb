"""`plan`: what is done next, on every prefix of a log and for each line of its table."""

from __future__ import annotations

import pytest

from outlast.log import records as r
from outlast.log.plan import DEATHS_PER_STRIKE, Do, Next, Policy, plan
from outlast.log.project import project
from tests.unit.log.story import EVENTFUL, build, cell, opened, reply

HEAD: list[r.Body] = [opened(), r.AttemptOpened("w", "first")]
STARTED = r.CellStarted(1, "python")
STRIKE = r.CellInterrupted(1, "strike", "it was killed by SIGSEGV")
DEATH = r.CellInterrupted(1, "death", "the worker died")


def next_of(*bodies: r.Body, **policy: object) -> Next:
    return plan(project(build([*HEAD, *bodies])), Policy(**policy))  # type: ignore[arg-type]  # the policy's fields come as keywords of mixed types


def test_no_prefix_of_a_log_plans_to_run_a_completed_cell_again() -> None:
    durable: set[int] = set()
    for end in range(len(EVENTFUL) + 1):
        if end:
            body = EVENTFUL[end - 1].body
            if (isinstance(body, r.CellFinished) and body.checkpoint) or isinstance(body, r.StateSaved):
                durable.add(body.cell)
        state = project(EVENTFUL[:end])
        if plan(state, Policy()).do in (Do.RUN, Do.RERUN, Do.RESAVE):
            assert state.cell not in durable


def test_every_prefix_of_an_unfinished_log_has_something_to_do() -> None:
    for end in range(1, len(EVENTFUL) + 1):
        state = project(EVENTFUL[:end])
        answered = state.said[-1].kind == "reply" and state.said[-1].cell is None and not state.partial
        assert (plan(state, Policy()).do is Do.NOTHING) == answered


def test_nothing_is_planned_before_a_session_is_open() -> None:
    assert plan(project([]), Policy()).do is Do.NOTHING


@pytest.mark.parametrize(
    ("bodies", "do"),
    [
        ([], Do.ASK),
        ([r.ReplyDelta("Le")], Do.CONTINUE),
        ([reply("x")], Do.RUN),
        ([reply("x"), STARTED], Do.RERUN),
        ([reply("x"), STARTED, DEATH], Do.RERUN),
        ([reply("x"), STARTED, STRIKE], Do.RERUN),
        ([reply("x"), STARTED, STRIKE, STARTED, STRIKE], Do.REPORT),
        ([reply("x"), STARTED, r.CellFinished(1, "ok", "1")], Do.RESAVE),
        ([reply("x"), *cell(1, "1")], Do.ASK),
        ([reply(None)], Do.NOTHING),
    ],
)
def test_the_table_of_recovery(bodies: list[r.Body], do: Do) -> None:
    assert next_of(*bodies).do is do


def test_a_drained_cell_is_run_again_however_often_it_was_drained() -> None:
    drained = [STARTED, r.CellInterrupted(1, "drain", "asked to stop")] * 20
    assert next_of(reply("x"), *drained).do is Do.RERUN


def test_five_deaths_in_a_row_on_one_cell_count_as_one_strike() -> None:
    deaths = [STARTED, DEATH] * (2 * DEATHS_PER_STRIKE - 1)
    assert next_of(reply("x"), *deaths).do is Do.RERUN
    assert next_of(reply("x"), *deaths, STARTED, DEATH).do is Do.REPORT


def test_deaths_of_an_earlier_cell_do_not_count_for_the_next() -> None:
    deaths = [STARTED, DEATH] * 9
    assert next_of(reply("x"), *deaths, *cell(1), reply("y"), r.CellStarted(2, "python"), DEATH).do is Do.RERUN


def test_ask_reports_a_death_and_a_drain_but_runs_a_first_strike_again() -> None:
    assert next_of(reply("x"), STARTED, DEATH, on_interrupt="ask").do is Do.REPORT
    assert next_of(reply("x"), STARTED, STRIKE, on_interrupt="ask").do is Do.RERUN


def test_a_third_strike_parks_the_session_only_if_no_cell_has_ever_completed() -> None:
    killed = r.CellFinished(1, "killed", "stopped")
    twice = [reply("x"), STARTED, STRIKE, STARTED, STRIKE, killed]
    third = [reply("y"), r.CellStarted(2, "python"), r.CellInterrupted(2, "strike", "it was killed by SIGKILL")]
    parked = next_of(*twice, *third)
    assert parked.do is Do.FAIL
    assert "SIGKILL" in parked.cause
    assert next_of(reply("w"), *cell(1), *twice, *third).do is not Do.FAIL


def test_a_requeued_session_starts_with_no_strikes() -> None:
    first = [*HEAD, reply("x"), STARTED, STRIKE, STARTED, STRIKE, r.AttemptClosed("failed")]
    again: list[r.Body] = [r.AttemptOpened("w", "requeue")]
    assert plan(project(build(first, again)), Policy()).do is Do.RERUN


def test_a_model_that_never_stops_is_stopped_and_a_message_gives_it_new_turns() -> None:
    turns = [body for number in range(1, 4) for body in (reply("x"), *cell(number))]
    stopped = next_of(*turns, max_turns=3)
    assert stopped.do is Do.FAIL
    assert "OUTLAST_MAX_TURNS" in stopped.cause
    assert next_of(*turns, r.UserMessage("go on", "job-2"), max_turns=3).do is Do.ASK
