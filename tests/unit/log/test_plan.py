"""`plan`: what is done next, on every prefix of a log and for each line of its table."""

from __future__ import annotations

import pytest

from outlast.log import records as r
from outlast.log.plan import Do, Next, Policy, plan
from outlast.log.project import project
from outlast.log.variables import DEATHS_PER_STRIKE
from tests.unit.log.story import EVENTFUL, UNHURRIED, again, build, cell, opened, pending, reply

HEAD: list[r.Body] = [opened(), r.AttemptOpened("w", "first")]
STARTED = r.CellStarted(1, "python")
STRIKE = r.CellInterrupted(1, "strike", "it was killed by SIGSEGV")
DEATH = r.CellInterrupted(1, "death", "the worker died")
OTHER = r.StateSaved(1, "s", output="something else")


def next_of(*bodies: r.Body, **policy: object) -> Next:
    return plan(project(build([*HEAD, *bodies])), Policy(**policy))  # type: ignore[arg-type]  # the policy's fields come as keywords of mixed types


def opened_again(log: list[r.Record]) -> list[r.Record]:
    """The log when the next attempt has opened after whatever ended this one."""
    number = log[-1].id.attempt + 1
    opening = r.AttemptOpened("next", "crash")
    return [*log, r.Record.make(r.RecordId(number, 0), log[-1].at + 1, log[-1].digest, opening)]


STORIES = pytest.mark.parametrize("story", [EVENTFUL, UNHURRIED], ids=["eventful", "unhurried"])


@STORIES
def test_no_prefix_of_a_log_plans_to_run_a_completed_cell_again(story: list[r.Record]) -> None:
    settled: set[int] = set()
    for end in range(2, len(story) + 1):
        body = story[end - 1].body
        if (isinstance(body, r.CellFinished) and body.checkpoint) or isinstance(body, r.StateSaved):
            settled.add(body.cell)
        for log in (story[:end], opened_again(story[:end])):
            state = project(log)
            step = plan(state, Policy()).do
            if step in (Do.RUN, Do.RERUN):
                assert state.cell not in settled
            if step is Do.RESAVE:
                assert state.variables.pending is not None and state.variables.pending.cell not in settled


@STORIES
def test_a_cell_is_in_question_on_every_prefix_between_its_end_and_the_record_that_settles_it(
    story: list[r.Record],
) -> None:
    in_question = 0
    for end in range(2, len(story) + 1):
        body = story[end - 1].body
        if isinstance(body, r.CellFinished) and body.status == "ok" and not (body.checkpoint or body.state_error):
            in_question = body.cell
        if isinstance(body, r.StateSaved):
            in_question = 0
        # Whoever takes the session over now has no kernel that saves anything.
        step = plan(project(opened_again(story[:end])), Policy()).do
        assert (step is Do.RESAVE) == bool(in_question)


@STORIES
def test_every_prefix_of_an_unfinished_log_has_something_to_do(story: list[r.Record]) -> None:
    for end in range(1, len(story) + 1):
        state = project(story[:end])
        answered = state.said[-1].kind == "reply" and state.said[-1].cell is None and not state.partial
        waiting = state.variables.pending is not None and not state.variables.pending.saving
        assert (plan(state, Policy()).do is Do.NOTHING) == (answered and not waiting)


@STORIES
def test_a_note_never_stands_in_a_half_finished_reply_nor_between_a_reply_and_its_output(
    story: list[r.Record],
) -> None:
    for end in range(1, len(story)):
        if isinstance(story[end].body, r.NoteAdded):
            state = project(story[:end])
            assert state.partial == "" and state.said[-1].cell is None


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
        ([reply("x"), *pending(1)], Do.ASK),
        ([reply("x"), *pending(1), r.ReplyDelta("Le")], Do.CONTINUE),
        ([reply("x"), *pending(1), reply("y")], Do.RUN),
        ([reply("x"), *pending(1), reply(None)], Do.NOTHING),
        ([reply("x"), *pending(1), DEATH], Do.RESAVE),
        ([reply("x"), *pending(1), r.ReplyDelta("Le"), DEATH], Do.RESAVE),
        ([reply("x"), *pending(1), reply("y"), STRIKE], Do.RESAVE),
        ([reply("x"), *pending(1), reply(None), STRIKE], Do.RESAVE),
        ([reply("x"), *pending(1), STRIKE, *again(1)], Do.RESAVE),
        ([reply("x"), *pending(1), STRIKE, *again(1), STRIKE], Do.GIVE_UP),
        ([reply("x"), *pending(1), STRIKE, *again(1), r.StateSaved(1, "s")], Do.ASK),
        ([reply("x"), *pending(1), r.ReplyDelta("Le"), DEATH, *again(1), r.StateSaved(1, "s")], Do.CONTINUE),
        ([reply("x"), *pending(1), r.ReplyDelta("Le"), DEATH, *again(1), OTHER], Do.DISCARD),
        ([reply("x"), *pending(1), reply("y"), DEATH, *again(1), OTHER], Do.RUN),
        ([reply("x"), *pending(1), reply(None), DEATH, *again(1), OTHER], Do.NOTHING),
        ([reply("x"), *pending(1), STRIKE, *again(1), STRIKE, r.StateSaved(1, "", error="lost")], Do.ASK),
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


def test_a_strike_that_five_deaths_made_stays_one_when_another_follows() -> None:
    deaths = [STARTED, DEATH] * DEATHS_PER_STRIKE
    assert next_of(reply("x"), *deaths, STARTED, STRIKE).do is Do.REPORT
    assert next_of(reply("x"), *deaths, *[STARTED, DEATH] * (DEATHS_PER_STRIKE - 1), STARTED, STRIKE).do is Do.REPORT
    assert next_of(reply("x"), STARTED, STRIKE, *deaths).do is Do.REPORT


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
    assert "SIGKILL" in parked.cause and "`outlast retry`" in parked.cause
    twice_by_deaths = [reply("x"), *[STARTED, DEATH] * (2 * DEATHS_PER_STRIKE), killed]
    assert next_of(*twice_by_deaths, *third).do is Do.FAIL
    assert next_of(reply("w"), *cell(1), *twice, *third).do is not Do.FAIL


def test_five_deaths_in_a_row_while_a_state_is_saved_or_made_again_count_as_one_strike() -> None:
    finished = [reply("x"), *pending(1), DEATH]
    deaths = [*again(1), DEATH] * (2 * DEATHS_PER_STRIKE - 2)
    assert next_of(*finished, *deaths).do is Do.RESAVE
    given_up = next_of(*finished, *deaths, *again(1), DEATH)
    assert given_up == Next(Do.GIVE_UP, "the worker died")
    assert next_of(*finished, *deaths, *again(1), r.CellInterrupted(1, "drain", "asked to stop")).do is Do.RESAVE


def test_ask_runs_no_cell_again_for_its_state_but_after_a_first_strike() -> None:
    assert next_of(reply("x"), *pending(1), DEATH, on_interrupt="ask").do is Do.GIVE_UP
    assert next_of(reply("x"), *pending(1), STRIKE, on_interrupt="ask").do is Do.RESAVE


def test_a_message_to_a_session_that_was_stopped_while_a_cell_ran_for_its_state_ends_that() -> None:
    drained = r.CellInterrupted(1, "drain", "the session was stopped on request")
    closed = r.AttemptClosed("failed")
    opening: list[r.Body] = [r.AttemptOpened("w", "message")]
    first = [*HEAD, reply("x"), *pending(1), drained, closed]
    assert plan(project(build(first, opening)), Policy()).do is Do.RESAVE
    second = [*HEAD, reply("x"), *pending(1), STRIKE, *again(1), drained, closed]
    assert plan(project(build(second, opening)), Policy()).do is Do.GIVE_UP
    requeued: list[r.Body] = [r.AttemptOpened("w", "requeue")]
    assert plan(project(build(second, requeued)), Policy()).do is Do.RESAVE


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
