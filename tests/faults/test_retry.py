"""`outlast retry`: a parked session gets another go, and goes on from its log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from outlast.log.records import CellInterrupted
from tests.fleet import Fleet
from tests.integration.sessions import cell, files, outputs, ran, script
from tests.observer import bodies

#: Ends its kernel until the test lets it go on.
DEADLY = "import os, signal\nif not os.path.exists('go'): os.kill(os.getpid(), signal.SIGKILL)\nprint('alive')"


@pytest.fixture
def fleet(tmp_path: Path, kernel_python: Path) -> Iterator[Fleet]:
    replies = script(cell(1, DEADLY), cell(2, DEADLY), cell(3, "print('done')"))
    with Fleet(tmp_path, replies, kernel_python, workers=1, warm_workers=True) as running:
        yield running


def parked(fleet: Fleet) -> None:
    """`job` has failed by its first two cells, of which the second was another way."""
    fleet.enqueue("job")
    state = fleet.finished("job")
    assert state.closed is not None and "three times a cell ended its kernel" in state.closed.reason
    assert fleet.job_status("job", "failed")


@pytest.mark.parametrize("forgotten", [False, True], ids=("failed in RQ", "deleted from RQ"))
def test_a_parked_session_goes_on_from_its_log_with_its_strikes_forgiven(fleet: Fleet, forgotten: bool) -> None:
    parked(fleet)
    if forgotten:
        fleet.connection.delete("rq:job:job", "rq:failed:default")
    (files(fleet, "job") / "go").touch()
    done = fleet.outlast("retry", "job")
    assert done.returncode == 0 and '"queue": "default"' in done.stdout
    fleet.wait("job", lambda state, record: record.type == "session.finished")
    assert ran(fleet, "job") == ["1", "1", "2", "2", "3"]
    records = fleet.log("job").read()
    assert outputs(records)[1:] == ["alive", "done"] and len(bodies(records, CellInterrupted)) == 3
    assert fleet.verify("job").ok and fleet.job_status("job", "finished")
    assert fleet.connection.zcard("rq:failed:default") == 0


def test_what_needs_no_retry_is_told_and_left_alone(fleet: Fleet) -> None:
    parked(fleet)
    fleet.rq("suspend")
    # One that waits for a job already still takes it.
    fleet.worker_state("worker-1", "suspended")
    assert fleet.outlast("retry", "job").returncode == 0
    again = fleet.outlast("retry", "job")
    assert again.returncode == 1 and "session job goes on by itself: its job job is queued already" in again.stderr
    assert fleet.connection.llen("rq:queue:default") == 1
    (files(fleet, "job") / "go").touch()
    fleet.rq("resume")
    fleet.job_status("job", "finished")
    over = fleet.outlast("retry", "job", "other")
    assert over.returncode == 1
    assert "session job has finished" in over.stderr and "rq enqueue outlast.chat job message=" in over.stderr
    assert "there is no session other" in over.stderr
