"""Kills while a cell's variables are still being saved: the model has its output and thinks already."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest

from outlast.kernel.checkpoints import find_manifest
from outlast.log.project import Projection
from outlast.log.records import Record
from tests.fleet import Fleet, kill
from tests.integration.sessions import SLOW, cell, files, let_save, outputs, ran, script, types
from tests.observer import PATIENCE

Start = Callable[..., Fleet]

#: Says so, keeps what the next cell needs, and is slow to save.
SLOW_CELL = cell(1, SLOW + "x = 5\nprint('one')")
#: As that, but what it says is never the same.
FICKLE_CELL = cell(1, SLOW + "x = 5\nprint('process', os.getpid())")
NEXT_CELL = cell(2, "print(x + 1)")
#: A reply that takes its time, so that a kill finds it half-finished.
UNHURRIED_NEXT = {"text": " ".join(f"word{number}" for number in range(100)) + f"\n{NEXT_CELL}", "delay": 0.05}


@pytest.fixture
def start(tmp_path: Path, kernel_python: Path) -> Iterator[Start]:
    """Starts a fleet that ends with the test."""
    with ExitStack() as stack:
        yield lambda replies, **options: stack.enter_context(
            Fleet(tmp_path, replies, kernel_python, warm_workers=True, **options)
        )


def during(kind: str, cells: int = 1) -> Callable[[Projection, Record], bool]:
    """For `Fleet.wait`: a record of this kind came while the state of a cell was pending."""
    return lambda state, record: record.type == kind and state.cell == cells and state.variables.pending is not None


def attempt(fleet: Fleet, number: int, *left_out: str) -> list[str]:
    """The types of an attempt's records."""
    records = fleet.log("job").read()
    return [record.type for record in records if record.id.attempt == number and record.type not in left_out]


def bodies(fleet: Fleet, kind: str) -> list[Any]:
    return [record.body for record in fleet.log("job").read() if record.type == kind]


def kernel_of(fleet: Fleet, worker: str) -> psutil.Process:
    """The kernel's process: worker, child, guardian, kernel."""
    child = psutil.Process(fleet.workers[worker].pid).children()[0]
    return child.children()[0].children()[0]


def kill_child(fleet: Fleet) -> None:
    """SIGKILL to the process that runs the session, alone."""
    kill(psutil.Process(fleet.workers[fleet.holder("job")].pid).children()[0].pid)


def test_the_model_is_asked_and_answers_before_the_variables_are_saved_and_the_next_cell_waits(start: Start) -> None:
    fleet = start(script(SLOW_CELL, NEXT_CELL), workers=1)
    fleet.enqueue("job")
    fleet.wait("job", during("reply.finished", 2))
    let_save(fleet, "job")
    state = fleet.finished("job")
    assert state.closed is not None and state.closed.how == "finished"
    order = attempt(fleet, 1, "cell.output", "reply.delta")
    assert order[3:8] == ["cell.finished", "reply.finished", "state.saved", "cell.started", "cell.finished"]
    saved = bodies(fleet, "state.saved")[0]
    assert (saved.cell, bool(saved.checkpoint), saved.error) == (1, True, "")
    assert ran(fleet, "job") == ["1", "2"] and outputs(fleet.log("job").read()) == ["one", "6"]
    assert fleet.verify("job").ok


def test_a_state_is_logged_as_saved_while_the_model_has_not_said_a_word(start: Start) -> None:
    speak = threading.Event()

    def play(messages: list[dict[str, Any]]) -> str:
        if len(messages) == 2:
            return SLOW_CELL
        assert speak.wait(PATIENCE)
        return "All done."

    fleet = start(play, workers=1)
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "cell.finished")
    let_save(fleet, "job")
    fleet.wait("job", lambda state, record: record.type == "state.saved")
    speak.set()
    assert fleet.finished("job").answer == "All done."
    assert [kind for kind in attempt(fleet, 1) if kind in ("state.saved", "reply.finished")][1:] == [
        "state.saved",
        "reply.finished",
    ]


def test_a_session_is_not_finished_before_the_variables_are_saved(start: Start) -> None:
    fleet = start(script(SLOW_CELL), workers=1)
    fleet.enqueue("job")
    fleet.wait("job", during("reply.finished"))
    let_save(fleet, "job")
    fleet.finished("job")
    assert attempt(fleet, 1)[-4:] == ["reply.finished", "state.saved", "session.finished", "attempt.closed"]


@pytest.mark.parametrize("victim", ["everything", "child"])
def test_a_kill_in_a_half_finished_reply_costs_a_second_run_and_no_word_of_the_reply(start: Start, victim: str) -> None:
    fleet = start(script(SLOW_CELL, UNHURRIED_NEXT))  # type: ignore[arg-type]  # a reply may say how fast it comes
    fleet.enqueue("job")
    fleet.wait("job", during("reply.delta"))
    logged = fleet.state("job").partial
    fleet.kill_holder("job") if victim == "everything" else kill_child(fleet)
    let_save(fleet, "job")
    state = fleet.finished("job")
    assert state.closed is not None and state.closed.how == "finished"
    assert ran(fleet, "job") == ["1", "1", "2"] and outputs(fleet.log("job").read()) == ["one", "6"]
    order = attempt(fleet, 2, "cell.output", "turn.waiting")
    assert order[:5] == ["attempt.opened", "cell.interrupted", "cell.replayed", "cell.started", "state.saved"]
    assert "reply.discarded" not in order and "note.added" not in order
    assert "ran.txt" in bodies(fleet, "cell.replayed")[0].files
    continued = [item for item in fleet.model.arrivals if item.continued and item.body.get("max_tokens") != 1]
    assert len(continued) == 1 and continued[0].body["messages"][-1]["content"].startswith(logged)
    assert [said.text for said in state.said if said.kind == "reply"] == [
        SLOW_CELL,
        UNHURRIED_NEXT["text"],
        "All done.",
    ]
    assert fleet.verify("job").ok


@pytest.mark.parametrize("victim", ["everything", "child"])
def test_a_kill_before_the_cell_that_was_asked_for_costs_a_second_run_of_the_one_before(
    start: Start, victim: str
) -> None:
    fleet = start(script(SLOW_CELL, NEXT_CELL))
    fleet.enqueue("job")
    fleet.wait("job", during("reply.finished", 2))
    fleet.kill_holder("job") if victim == "everything" else kill_child(fleet)
    let_save(fleet, "job")
    state = fleet.finished("job")
    assert ran(fleet, "job") == ["1", "1", "2"] and outputs(fleet.log("job").read()) == ["one", "6"]
    assert len(fleet.model.requests) == 3 and state.attempt == 2
    assert [kind for kind in attempt(fleet, 2) if kind in ("state.saved", "cell.started")][:3] == [
        "cell.started",
        "state.saved",
        "cell.started",
    ]


def test_an_answer_that_was_given_before_a_kill_stays_the_answer(start: Start) -> None:
    fleet = start(script(FICKLE_CELL))
    fleet.enqueue("job")
    fleet.wait("job", during("reply.finished"))
    fleet.kill_holder("job")
    let_save(fleet, "job")
    state = fleet.finished("job")
    assert state.answer == "All done." and len(fleet.model.requests) == 2
    assert attempt(fleet, 2, "cell.output")[-3:] == ["state.saved", "session.finished", "attempt.closed"]
    fleet.rq("enqueue", "outlast.chat", "job", "are you sure?")
    state, _ = fleet.wait("job", lambda state, _: state.attempt == 3 and state.closed is not None)
    assert [said.kind for said in state.said] == ["user", "reply", "output", "reply", "user", "note", "reply"]
    assert "cell 1" in state.said[5].text and "process" in state.said[5].text


def test_a_half_finished_reply_to_an_output_that_is_no_longer_so_is_asked_for_again(start: Start) -> None:
    fleet = start(script(FICKLE_CELL, UNHURRIED_NEXT))  # type: ignore[arg-type]  # a reply may say how fast it comes
    fleet.enqueue("job")
    fleet.wait("job", during("reply.delta"))
    fleet.kill_holder("job")
    let_save(fleet, "job")
    state = fleet.finished("job")
    kinds = [said.kind for said in state.said]
    assert kinds == ["user", "reply", "output", "note", "reply", "output", "reply"]
    assert state.said[2].text != bodies(fleet, "state.saved")[0].output and state.said[2].text.startswith("process")
    assert bodies(fleet, "state.saved")[0].output in state.said[3].text
    order = [kind for kind in attempt(fleet, 2) if kind in ("state.saved", "reply.discarded", "note.added")]
    assert order[:3] == ["state.saved", "reply.discarded", "note.added"]
    assert ran(fleet, "job") == ["1", "1", "2"]


def test_a_cell_that_was_asked_for_runs_before_the_note_about_the_output_it_was_asked_upon(start: Start) -> None:
    fleet = start(script(FICKLE_CELL, NEXT_CELL))
    fleet.enqueue("job")
    fleet.wait("job", during("reply.finished", 2))
    fleet.kill_holder("job")
    let_save(fleet, "job")
    state = fleet.finished("job")
    kinds = [said.kind for said in state.said]
    assert kinds == ["user", "reply", "output", "reply", "output", "note", "reply"]
    assert bodies(fleet, "state.saved")[0].output in state.said[5].text
    assert outputs(fleet.log("job").read())[1] == "6"


def test_a_kernel_that_dies_while_it_saves_is_a_strike_and_its_cell_runs_again(start: Start) -> None:
    fleet = start(script(SLOW_CELL, NEXT_CELL), workers=1)
    fleet.enqueue("job")
    fleet.wait("job", during("reply.finished", 2))
    kill(kernel_of(fleet, "worker-1").pid)
    let_save(fleet, "job")
    state = fleet.finished("job")
    assert state.attempt == 1 and state.closed is not None and state.closed.how == "finished"
    (interrupted,) = bodies(fleet, "cell.interrupted")
    assert (interrupted.cell, interrupted.kind) == (1, "strike") and "saved" in interrupted.cause
    assert ran(fleet, "job") == ["1", "1", "2"] and outputs(fleet.log("job").read()) == ["one", "6"]
    assert fleet.verify("job").ok


def test_a_state_that_costs_two_kernels_is_given_up_and_the_model_is_told(start: Start) -> None:
    fleet = start(script(SLOW_CELL, cell(2, "print('x' in dir())")), workers=1)
    fleet.enqueue("job")
    fleet.wait("job", during("reply.finished", 2))
    kill(kernel_of(fleet, "worker-1").pid)
    fleet.wait("job", lambda state, _: state.variables.pending is not None and state.variables.pending.again)
    kill(kernel_of(fleet, "worker-1").pid)
    state = fleet.finished("job")
    assert state.closed is not None and state.closed.how == "finished"
    assert [body.kind for body in bodies(fleet, "cell.interrupted")] == ["strike", "strike"]
    given_up = bodies(fleet, "state.saved")[0]
    assert (given_up.cell, given_up.checkpoint) == (1, "") and "SIGKILL" in given_up.error
    assert outputs(fleet.log("job").read()) == ["one", "False"] and ran(fleet, "job")[-1] == "2"
    notes = [said.text for said in state.said if said.kind == "note"]
    assert len(notes) == 1 and "the variables of cell 1" in notes[0]


def test_ask_reports_the_variables_as_lost_instead_of_running_the_cell_again(start: Start) -> None:
    fleet = start(script(SLOW_CELL, cell(2, "print('x' in dir())")))
    fleet.enqueue("job", "go", "on_interrupt=ask")
    fleet.wait("job", during("reply.finished", 2))
    fleet.kill_holder("job")
    state = fleet.finished("job")
    assert ran(fleet, "job") == ["1", "2"] and outputs(fleet.log("job").read()) == ["one", "False"]
    assert any(said.kind == "note" and "the variables of cell 1" in said.text for said in state.said)


def test_a_save_gets_the_grace_of_a_drain_and_the_session_needs_no_second_run(start: Start) -> None:
    fleet = start(
        script(SLOW_CELL, UNHURRIED_NEXT),  # type: ignore[arg-type]  # a reply may say how fast it comes
        workers=1,
        environment={"OUTLAST_DRAIN_GRACE": "60"},
    )
    fleet.enqueue("job")
    fleet.wait("job", during("reply.delta"))
    worker = fleet.workers.pop("worker-1")
    worker.send_signal(signal.SIGTERM)
    fleet.model.wait_for(lambda arrivals: arrivals[-1].end == "closed by client")
    let_save(fleet, "job")
    assert worker.wait(PATIENCE) == 0
    assert attempt(fleet, 1)[-2:] == ["state.saved", "attempt.closed"]
    assert fleet.state("job").closed.how == "drained"  # type: ignore[union-attr]  # None would fail the test, as it should
    fleet.start_worker("worker-2")
    fleet.finished("job")
    assert ran(fleet, "job") == ["1", "2"] and outputs(fleet.log("job").read()) == ["one", "6"]


@pytest.mark.parametrize(
    ("reply", "kind", "cells"),
    [(UNHURRIED_NEXT, "reply.delta", 1), (NEXT_CELL, "reply.finished", 2)],
    ids=["in a reply", "before a cell"],
)
def test_a_save_that_outlasts_the_grace_is_left_to_the_next_worker(
    start: Start, reply: Any, kind: str, cells: int
) -> None:
    fleet = start(script(SLOW_CELL, reply), workers=1)
    fleet.enqueue("job")
    fleet.wait("job", during(kind, cells))
    worker = fleet.workers.pop("worker-1")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE) == 0
    assert attempt(fleet, 1)[-2:] == ["cell.interrupted", "attempt.closed"]
    assert bodies(fleet, "cell.interrupted")[0].kind == "drain"
    let_save(fleet, "job")
    fleet.start_worker("worker-2")
    state = fleet.finished("job")
    assert state.closed is not None and state.closed.how == "finished" and state.strikes == 0
    assert ran(fleet, "job") == ["1", "1", "2"] and outputs(fleet.log("job").read()) == ["one", "6"]
    assert fleet.verify("job").ok


def test_what_a_save_took_too_long_for_is_named_in_the_log_and_the_session_goes_on(start: Start) -> None:
    fleet = start(script(SLOW_CELL, NEXT_CELL), workers=1, environment={"OUTLAST_SAVE_TIMEOUT": "0.5"})
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "state.saved")
    let_save(fleet, "job")
    state = fleet.finished("job")
    assert state.closed is not None and state.closed.how == "finished" and state.strikes == 0
    late = bodies(fleet, "state.saved")[0]
    assert "slow" in late.missing or late.error
    assert outputs(fleet.log("job").read()) == ["one", "6"] and "cell.interrupted" not in attempt(fleet, 1)


def test_redis_killed_while_a_state_is_saved_loses_nothing(start: Start) -> None:
    fleet = start(script(SLOW_CELL, UNHURRIED_NEXT), workers=1)  # type: ignore[arg-type]  # a reply may say how fast it comes
    fleet.enqueue("job")
    fleet.wait("job", during("reply.delta"))
    fleet.redis.kill()
    let_save(fleet, "job")
    fleet.redis.restart()
    state = fleet.finished("job")
    assert state.attempt == 1 and ran(fleet, "job") == ["1", "2"]
    assert types(fleet.log("job").read()).count("state.saved") >= 1
    assert fleet.verify("job").ok


def test_a_checkpoint_that_is_gone_is_told_and_the_one_before_is_used(start: Start) -> None:
    fleet = start(
        [cell(1, "x = 5"), cell(2, "y = 6"), "Done.", cell(3, "print(x, 'y' in dir())"), "All done."], workers=1
    )
    fleet.enqueue("job")
    state = fleet.finished("job")
    newest = find_manifest(files(fleet, "job").parent / "checkpoints", state.variables.checkpoints[-1].digest)
    assert newest is not None
    newest.unlink()
    fleet.rq("enqueue", "outlast.chat", "job", "and now?")
    state, _ = fleet.wait("job", lambda state, _: state.attempt == 2 and state.closed is not None)
    (restored,) = bodies(fleet, "state.restored")
    assert restored.cell == 1 and "x" in restored.restored and list(restored.missing) == ["the variables of cell 2"]
    assert outputs(fleet.log("job").read())[2] == "5 False"
    assert any(said.kind == "note" and "the variables of cell 2" in said.text for said in state.said)
