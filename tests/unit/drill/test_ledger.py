"""The ledger finds every second run of a completed cell, and excuses those that the log explains."""

from __future__ import annotations

from outlast.drill.ledger import second_runs
from outlast.log.records import (
    GENESIS,
    Body,
    CellFinished,
    CellInterrupted,
    CellReplayed,
    CellStarted,
    Record,
    RecordId,
    StateSaved,
)


def log(*bodies: Body) -> list[Record]:
    return [Record.make(RecordId(1, number), 0.0, GENESIS, body) for number, body in enumerate(bodies)]


def started(cell: int) -> CellStarted:
    return CellStarted(cell, "python")


def finished(cell: int, checkpoint: str = "c", state_error: str = "") -> CellFinished:
    return CellFinished(cell, "ok", "", checkpoint=checkpoint, state_error=state_error)


INTERRUPTED = (CellInterrupted(2, "death", "the worker died"), CellReplayed(2))


def test_cells_that_ran_once_are_in_order() -> None:
    assert second_runs(log(started(1), finished(1), started(2), finished(2)), [1, 2]) == []


def test_an_interrupted_cell_may_run_twice() -> None:
    records = log(started(1), finished(1), started(2), *INTERRUPTED, started(2), finished(2))
    assert second_runs(records, [1, 2, 2]) == []


def test_an_interrupted_cell_need_not_have_come_to_its_first_line() -> None:
    assert second_runs(log(started(2), *INTERRUPTED, started(2), finished(2)), [2]) == []


def test_a_second_line_without_an_interruption_is_found() -> None:
    problems = second_runs(log(started(1), finished(1)), [1, 1])
    assert len(problems) == 2
    assert "no interruption" in problems[0] and "1 starts" in problems[1]


def test_more_runs_than_starts_are_found_in_an_interrupted_cell_too() -> None:
    problems = second_runs(log(started(2), *INTERRUPTED, started(2), finished(2)), [2, 2, 2])
    assert problems == ["cell 2 ran 3 times, and the log shows 2 starts"]


def test_a_start_after_the_commit_is_found_even_if_the_log_excuses_it() -> None:
    problems = second_runs(log(started(2), finished(2), *INTERRUPTED, started(2)), [2, 2])
    assert len(problems) == 1 and "although it had completed" in problems[0]


def test_a_finished_cell_whose_state_is_not_durable_may_run_again() -> None:
    records = log(started(2), finished(2, checkpoint=""), *INTERRUPTED, started(2), StateSaved(2, "c"))
    assert second_runs(records, [2, 2]) == []
    assert second_runs([*records, *log(started(2))], [2, 2]) != []


def test_a_committed_cell_that_never_ran_is_found() -> None:
    problems = second_runs(log(started(1), finished(1), started(2), finished(2)), [1])
    assert problems == ["cell 2 is in the log but never ran"]


def test_cells_that_write_nothing_down_are_judged_by_the_log_alone() -> None:
    assert second_runs(log(started(1), finished(1)), []) == []
    assert second_runs(log(started(1), finished(1), started(1)), []) != []
