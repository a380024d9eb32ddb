"""Sessions that begin in the middle: the log is written by hand up to a frontier, then a worker takes the job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from outlast.log import records as r
from outlast.log.project import Projection
from outlast.log.store import EMPTY
from tests.fleet import Fleet
from tests.integration.sessions import cell, outputs, ran, script, types

Start = Callable[..., Fleet]

OPENED = r.SessionOpened("go", system_message="You write code.", empty_output_template="No output.")


@pytest.fixture
def start(tmp_path: Path, kernel_python: Path) -> Iterator[Start]:
    """Starts a fleet without a worker that ends with the test."""
    with ExitStack() as stack:
        yield lambda replies: stack.enter_context(Fleet(tmp_path, replies, kernel_python, workers=0, warm_workers=True))


def replied(text: str) -> r.ReplyFinished:
    begin = text.index("\n", text.index("```")) + 1
    return r.ReplyFinished(text, r.Cell("python", begin, text.rindex("```")), "fence")


def write(fleet: Fleet, *bodies: r.Body) -> None:
    """The first attempt of session `s`; open at its end, as after a death, unless it closes."""
    opening = r.AttemptOpened("gone", "first", "s")
    writer = fleet.log("s").open_attempt(opening, holder="gone", expected=EMPTY, session=OPENED)
    for body in bodies:
        if isinstance(body, r.AttemptClosed):
            writer.close(body, state=body.how)
        else:
            writer.append(body)


def over(fleet: Fleet, attempt: int = 2) -> Projection:
    state, _ = fleet.wait("s", lambda state, _: state.attempt == attempt and state.closed is not None)
    return state


def test_a_session_that_was_answered_is_only_closed_whatever_could_not_be_restored(start: Start) -> None:
    code = cell(1, "x = 1")
    fleet = start(script(code))
    done = r.CellFinished(1, "ok", "", state_error="the disk is full")
    write(fleet, replied(code), r.CellStarted(1, "python"), done, r.ReplyFinished("All done."))
    fleet.start_worker("worker-1")
    fleet.enqueue("s")
    state = over(fleet)
    assert state.closed is not None and state.closed.how == "finished"
    assert fleet.model.requests == [] and state.answer == "All done."


def test_a_cell_whose_state_is_pending_runs_again_for_it_before_the_model_is_asked(start: Start) -> None:
    code = cell(1, "print('one')")
    fleet = start(script(code))
    write(fleet, replied(code), r.CellStarted(1, "python"), r.CellFinished(1, "ok", "one\n"))
    fleet.start_worker("worker-1")
    fleet.enqueue("s")
    assert over(fleet).answer == "All done."
    order = [name for name in types(fleet.log("s").read()) if name in ("state.saved", "reply.finished")]
    assert order == ["reply.finished", "state.saved", "reply.finished"]
    assert ran(fleet, "s") == ["1"]


def test_a_note_that_a_second_death_kept_from_the_model_is_told_by_the_attempt_after_it(start: Start) -> None:
    code, text = cell(1, "print('one')"), "All done, it was one."
    fleet = start(script(code, answer=text))
    again = [r.CellInterrupted(1, "death", "it died"), r.CellReplayed(1), r.CellStarted(1, "python")]
    pending = [replied(code), r.CellStarted(1, "python"), r.CellFinished(1, "ok", "one\n"), r.ReplyDelta(text[:8])]
    write(fleet, *pending, *again, r.StateSaved(1, "", error="the disk is full", output="two\n"))
    fleet.start_worker("worker-1")
    fleet.enqueue("s")
    state = over(fleet)
    order = [name for name in types(fleet.log("s").read()) if name in ("reply.discarded", "note.added")]
    assert order == ["reply.discarded", "note.added", "note.added"]
    assert [said.kind for said in state.said] == ["user", "reply", "output", "note", "note", "reply"]
    assert "the disk is full" in state.said[3].text and state.said[4].text.endswith(":\ntwo\n")
    assert state.answer == text and ran(fleet, "s") == []


def test_a_cell_runs_again_for_its_state_as_what_it_ran_as_the_first_time(start: Start) -> None:
    code = cell(1, "print('the text of the reply')")
    fleet = start(script(code))
    started = r.CellStarted(1, "python", code="open('ran.txt', 'a').write('unwrapped')\nprint('one')")
    write(fleet, replied(code), started, r.CellFinished(1, "ok", "one\n"))
    fleet.start_worker("worker-1")
    fleet.enqueue("s")
    assert over(fleet).answer == "All done."
    assert ran(fleet, "s") == ["unwrapped"]
    assert "note.added" not in types(fleet.log("s").read())


def test_a_message_to_a_session_that_was_stopped_in_a_cell_is_read_before_the_cell_could_run_again(
    start: Start,
) -> None:
    fleet = start(script(cell(1)))
    stopped = r.CellInterrupted(1, "drain", "the session was stopped on request")
    closed = r.AttemptClosed("failed", "the session was stopped on request")
    write(fleet, replied(cell(1)), r.CellStarted(1, "python"), stopped, closed)
    fleet.start_worker("worker-1")
    fleet.rq("enqueue", "outlast.chat", "s", "do something else")
    assert over(fleet).answer == "All done."
    records = fleet.log("s").read()
    assert ran(fleet, "s") == []
    assert "stopped on request" in outputs(records)[0]
    assert types(records).index("cell.finished") < types(records).index("user.message")
