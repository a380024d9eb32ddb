"""`project`, `plan` and `verify` on every prefix of logs that real sessions left (`make demo`, with kills)."""

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


def test_there_are_logs_of_a_calm_session_and_of_killed_ones() -> None:
    assert [path.stem for path in LOGS] == ["cell-3", "none", "reply-4"]


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
        if isinstance(body, r.CellFinished) and body.checkpoint:
            completed.add(body.cell)
        step = plan(state, Policy())
        if step.do in (Do.RUN, Do.RERUN, Do.RESAVE):
            assert state.cell not in completed
        assert step.do is not Do.FAIL
        assert (step.do is Do.NOTHING) == (state.said[-1].kind == "reply" and state.said[-1].cell is None)
    assert completed == {1, 2, 3, 4, 5}


def test_a_killed_session_sent_what_the_calm_one_sent() -> None:
    calm, *killed = (project(read(path)).wire() for path in sorted(LOGS, key=lambda path: path.stem != "none"))
    assert [wire == calm for wire in killed] == [True, True]
