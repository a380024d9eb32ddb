"""The history tells what the log tells, at any point of it."""

from __future__ import annotations

from dataclasses import fields

import pytest

from outlast.cli.history import History, history
from outlast.cli.lines import line
from outlast.log.records import BODIES, CellInterrupted, CellStarted, Record, RecordId, StateSaved, TurnWaiting
from tests.unit.cli.sample import CHART, FIRST, killed_session
from tests.unit.log.story import UNHURRIED


def records(finish: bool = True) -> list[Record]:
    return killed_session(finish=finish).read()


def test_a_killed_cell_is_counted_as_one_death_and_two_runs() -> None:
    past = history("sales", records())
    assert [(cell.number, cell.status, cell.runs, cell.deaths) for cell in past.cells] == [
        (1, "ok", 1, 0),
        (2, "ok", 2, 1),
    ]
    assert past.cells[1].artifacts == (CHART,) and past.cells[0].missing == {"lock": "cannot be pickled"}


def test_an_interruption_says_by_what_and_which_strike_it_was() -> None:
    past = history("sales", records(finish=False))
    crash = CellInterrupted(2, "strike", "it was killed by SIGSEGV", "crash")
    death = CellInterrupted(2, "death", "the worker that ran it died")
    drain = CellInterrupted(2, "drain", "the worker was asked to stop")
    for sequence, body in enumerate([crash, *[death] * 4, drain, death], 50):
        past.add(Record.make(RecordId(1, sequence), 1.0, "", body))
    cuts = past.cells[1].interruptions
    assert [(cut.kind, cut.strike, cut.of) for cut in cuts] == [
        ("strike", 1, 2), *[("death", 0, 2)] * 4, ("drain", 0, 2), ("death", 2, 2),
    ]  # fmt: skip
    assert (cuts[0].by, cuts[0].cause, cuts[0].attempt) == ("crash", "it was killed by SIGSEGV", 1)


def test_a_session_waits_from_the_record_that_says_so_to_the_one_with_the_waits_length() -> None:
    past = history("sales", records(finish=False))
    model, redis, said = "the model server is away", "Redis was away", []
    for sequence, (why, seconds) in enumerate([(model, 0.0), (redis, 300.0), (model, 20.0), (redis, 5.0)], 50):
        record = Record.make(RecordId(1, sequence), 1.0, "", TurnWaiting(why, seconds))
        past.add(record)
        said.append((past.state, past.waiting, line(record).text))
    assert said == [
        ("waiting", model, model),
        ("waiting", model, f"{redis} · 5 min"),
        ("running", "", f"{model} · 20 s"),
        ("running", "", f"{redis} · 5.00 s"),
    ]


def test_a_recovery_says_how_long_it_took_and_what_it_kept() -> None:
    past = history("sales", records())
    (recovery,) = past.recoveries
    assert (recovery.number, recovery.gap, recovery.kept_cells, recovery.reran) == (2, 1.0, 1, [2])
    assert recovery.restored and recovery.restored.restored == ("rows",)


def test_a_session_that_was_cut_off_still_counts_as_running() -> None:
    past = history("sales", records(finish=False))
    assert past.state == "running" and past.cells[1].status == "running" and not past.recoveries


def test_no_prefix_of_a_sound_log_has_a_cell_that_ran_twice() -> None:
    past = History("sales")
    for record in records():
        past.add(record)
        assert past.ran_twice == []
        assert past.changed_at == record.at
    assert (past.state, past.now.total_turns) == ("finished", 3)


def test_a_completed_cell_that_runs_again_without_a_reason_is_reported() -> None:
    past = history("sales", records(finish=False)[:-2])
    for sequence in (50, 51):
        past.add(Record.make(RecordId(1, sequence), 1.0, "", CellStarted(2, "python")))
    assert past.ran_twice == [2]


def test_runs_for_the_state_are_told_apart_from_runs_of_the_cell() -> None:
    past = History("slow")
    for record in UNHURRIED:
        past.add(record)
        assert past.ran_twice == []
    assert [(cell.runs, cell.runs_for_state, cell.cut_off_saves) for cell in past.cells] == [
        (1, 0, 0), (1, 0, 0), (3, 2, 2), (3, 2, 2), (1, 0, 0), (2, 1, 1),
    ]  # fmt: skip
    assert [(cell.state_error, cell.second_output, cell.pending) for cell in past.cells[1:3]] == [
        ("no space left on the disk", None, False),
        ("", "10:05", False),
    ]


def test_a_cell_that_runs_again_after_its_state_was_saved_is_reported() -> None:
    past = history("slow", UNHURRIED)
    past.add(Record.make(RecordId(6, 50), 1.0, "", CellStarted(3, "python")))
    assert past.ran_twice == [3]


def test_a_state_that_was_not_saved_after_all_says_why() -> None:
    lost = line(Record.make(RecordId(1, 1), 0.0, "", StateSaved(2, "", error="no space left", output="10:05")))
    assert lost.text == "cell 2 · state lost: no space left · printed else: 10:05" and lost.style == "red"


@pytest.mark.parametrize("name", sorted(BODIES))
def test_every_type_of_record_has_a_line_of_its_own(name: str) -> None:
    samples = {"str": "word", "int": 1, "float": 1.0, "tuple[str, ...]": ("a",), "dict[str, str]": {"a": "b"}}
    values = {item.name: samples[str(item.type)] for item in fields(BODIES[name]) if str(item.type) in samples}
    said = line(Record.make(RecordId(1, 1), 0.0, "", BODIES[name](**values)))
    assert said.text and "not known" not in said.text and "\n" not in said.text


def test_a_record_of_a_newer_outlast_is_shown_as_it_is_stored() -> None:
    assert 'not known to this version) {"a":1}' in line(Record(RecordId(1, 1), 0.0, "", "new.thing", 1, '{"a":1}')).text


def test_the_sample_is_hostile_and_its_lines_are_not() -> None:
    assert any("\x1b" in getattr(body, "text", "") for body in FIRST)
    assert not any("\x1b" in line(record).text for record in records())
