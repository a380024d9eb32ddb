"""Whole sessions on a Redis with users: the workers are `worker`, what is typed is `client`, and nothing is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fleet import Fleet, started_cell
from tests.integration.redis.conftest import refusals
from tests.integration.sessions import GATE, cell, let_go, outputs, ran, script
from tests.kept_redis import KeptRedis

Start = Callable[..., Fleet]


@pytest.fixture
def start(tmp_path: Path, kernel_python: Path, kept: KeptRedis) -> Iterator[Start]:
    """Starts a fleet on the shared Redis."""
    with ExitStack() as stack:
        yield lambda replies, **options: stack.enter_context(
            Fleet(tmp_path, replies, kernel_python, server=kept, **options)
        )


def test_a_job_runs_to_its_end_and_is_talked_to_again(start: Start, kept: KeptRedis) -> None:
    fleet = start([cell(1, "x = 41"), "The first answer.", cell(2, "print(x + 1)"), "It is 42."], workers=1)
    fleet.enqueue("talk")
    fleet.finished("talk")
    assert fleet.rq("enqueue", "--job-id", "talk-2", "outlast.chat", "talk", "and one more?").returncode == 0
    assert fleet.job_status("talk-2", "finished") == "finished"
    assert outputs(fleet.log("talk").read()) == ["", "42"] and fleet.verify("talk").ok
    assert refusals(kept) == []


def test_a_killed_workers_session_goes_on_at_another(start: Start, kept: KeptRedis) -> None:
    held = f"print('here', flush=True)\n{GATE}"
    fleet = start(script(cell(1, "x = 6 * 7"), cell(2, held), cell(3, "print(x)")), workers=2)
    fleet.enqueue("killed")
    fleet.wait("killed", started_cell(2))
    fleet.kill_holder("killed")
    fleet.wait("killed", lambda state, record: state.attempt == 2 and record.type == "cell.started")
    let_go(fleet, "killed")
    state = fleet.finished("killed")
    assert state.closed is not None and state.closed.how == "finished"
    assert ran(fleet, "killed").count("1") == 1 and outputs(fleet.log("killed").read())[-1] == "42"
    assert fleet.verify("killed").ok and refusals(kept) == []


def test_a_job_waits_out_a_redis_that_was_killed(tmp_path: Path, kernel_python: Path, private: KeptRedis) -> None:
    replies = script(cell(1, f"print('here', flush=True)\n{GATE}"), cell(2, "print('after')"))
    with Fleet(tmp_path / "fleet", replies, kernel_python, workers=1, server=private) as fleet:
        fleet.enqueue("outage")
        fleet.wait("outage", started_cell(1))
        private.restart()
        let_go(fleet, "outage")
        fleet.finished("outage")
        assert outputs(fleet.log("outage").read())[-1] == "after"
        assert fleet.verify("outage").ok and refusals(private) == []
