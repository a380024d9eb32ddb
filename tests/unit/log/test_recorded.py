"""`project`, `plan` and `verify` on every prefix of logs that real sessions left.

Three are of `make demo`: calm, killed in a cell, killed in a reply. The saves of the fourth took their time: one ended
while the model thought; a kill came in a half-finished reply to an output that was different the second time; the
kernel, and then the worker's child, were killed before a cell that had been asked for.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from outlast.log import records as r
from outlast.log.plan import Do, Policy, plan
from outlast.log.project import Projection, project
from outlast.log.verify import records_from_json_lines, verify

LOGS = sorted((Path(__file__).parents[2] / "data" / "logs").glob("*.jsonl"))


def read(path: Path) -> list[r.Record]:
    return records_from_json_lines(path.read_text(encoding="utf-8").splitlines())


@pytest.fixture(params=LOGS, ids=[path.stem for path in LOGS])
def recorded(request: pytest.FixtureRequest) -> list[r.Record]:
    return read(request.param)


def test_there_are_logs_of_a_calm_session_of_killed_ones_and_of_one_whose_saves_took_their_time() -> None:
    assert [path.stem for path in LOGS] == ["cell-3", "none", "reply-4", "saves"]


def test_every_prefix_verifies_and_folds_to_what_it_projects_to(recorded: list[r.Record]) -> None:
    folded = Projection()
    for end in range(1, len(recorded) + 1):
        folded.add(recorded[end - 1])
        assert verify(recorded[:end]).ok
        assert folded == project(recorded[:end])


def test_the_wire_of_every_prefix_begins_that_of_the_next(recorded: list[r.Record]) -> None:
    state, before = Projection(), list[dict[str, str]]()
    for record in recorded:
        state.add(record)
        wire = state.wire()
        assert wire[: len(before)] == before
        before = wire


def test_every_prefix_plans_a_step_and_never_a_completed_cell(recorded: list[r.Record]) -> None:
    state, completed = Projection(), set[int]()
    for record in recorded:
        state.add(record)
        body = record.body
        if (isinstance(body, r.CellFinished) and body.checkpoint) or isinstance(body, r.StateSaved):
            completed.add(body.cell)
        step = plan(state, Policy())
        if step.do in (Do.RUN, Do.RERUN):
            assert state.cell not in completed
        if step.do is Do.RESAVE:
            assert state.variables.pending is not None and state.variables.pending.cell not in completed
        assert step.do is not Do.FAIL
        assert (step.do is Do.NOTHING) == (state.said[-1].kind == "reply" and state.said[-1].cell is None)
    assert completed == set(range(1, state.cell + 1))


def test_whoever_takes_over_after_any_record_makes_the_one_state_that_is_in_question(
    recorded: list[r.Record],
) -> None:
    finished = settled = 0
    for end in range(2, len(recorded) + 1):
        last = recorded[end - 1]
        body = last.body
        if isinstance(body, r.CellFinished):
            finished, settled = body.cell, body.cell if body.checkpoint else settled
        if isinstance(body, r.StateSaved):
            settled = body.cell
        opening = r.AttemptOpened("next", "crash")
        over = r.Record.make(r.RecordId(last.id.attempt + 1, 0), last.at + 1, last.digest, opening)
        state = project([*recorded[:end], over])
        assert (plan(state, Policy()).do is Do.RESAVE) == (settled < finished)
        assert (state.variables.pending.cell if state.variables.pending else settled) == finished


def test_a_killed_session_sent_what_the_calm_one_sent() -> None:
    calm, *killed = (project(read(LOGS[0].with_stem(name))).wire() for name in ("none", "cell-3", "reply-4"))
    assert [wire == calm for wire in killed] == [True, True]


def test_the_session_whose_saves_took_their_time_kept_every_output_and_told_the_one_that_changed() -> None:
    state = project(read(LOGS[0].with_stem("saves")))
    said = [item for item in state.said if item.kind in ("output", "note")]
    assert [item.number for item in said] == [1, 2, 3, 0, 4, 5, 6]
    assert said[2].text.startswith("three in ") and said[2].text not in said[3].text and "three in " in said[3].text
    assert said[-1].text == "1 a b c d\n"
