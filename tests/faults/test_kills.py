"""The promise itself: whatever is killed, the session goes on from the last logged message."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from outlast.log.records import CellInterrupted, CellReplayed
from tests.fleet import Fleet, kill
from tests.integration.sessions import GATE, cell, files, let_go, outputs, ran, script, types
from tests.observer import PATIENCE, bodies

Start = Callable[..., Fleet]


@pytest.fixture
def start(tmp_path: Path, kernel_python: Path) -> Iterator[Start]:
    """Starts a fleet that ends with the test."""
    with ExitStack() as stack:
        yield lambda replies, **options: stack.enter_context(
            Fleet(tmp_path, replies, kernel_python, warm_workers=True, **options)
        )


#: The first reply stays where it is, longer than it takes until its first part is logged.
STALL = {"kind": "stall", "after": 20, "reply": 0}
THREE = script(
    cell(1, "x = [1, 2]"),
    cell(2, "y = x\ny.append(3)\nprint('two')"),
    cell(3, "print('working', flush=True)\n" + GATE + "print(x, y is x)"),
    cell(4, "print(sum(y))"),
)


def test_a_killed_worker_child_and_kernel_cost_nothing_but_the_cell_that_ran(start: Start) -> None:
    fleet = start(THREE)
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.cell == 3)
    fleet.kill_holder("job")
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.attempt == 2)
    let_go(fleet, "job")
    state = fleet.finished("job")
    records = fleet.log("job").read()
    assert state.closed is not None and state.closed.how == "finished"
    assert outputs(records) == ["", "two", "working\n[1, 2, 3] True", "6"]
    assert ran(fleet, "job") == ["1", "2", "3", "3", "4"]
    assert "ran.txt" in bodies(records, CellReplayed)[0].files
    assert fleet.verify("job").ok
    assert fleet.job_status("job", "finished") == "finished"


def test_a_variable_that_could_not_be_saved_is_named_and_the_interrupted_cell_still_runs(start: Start) -> None:
    keeps = cell(1, "kept = 5\nlost = (n for n in range(9))")
    fleet = start(script(keeps, cell(2, "print('working', flush=True)\n" + GATE + "print(kept)"), cell(3)))
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.cell == 2)
    fleet.kill_holder("job")
    let_go(fleet, "job")
    state = fleet.finished("job")
    assert ran(fleet, "job") == ["1", "2", "2", "3"]
    assert outputs(fleet.log("job").read())[1] == "working\n5"
    kinds = [said.kind for said in state.said]
    assert kinds == ["user", "reply", "output", "reply", "output", "note", "reply", "output", "reply"]
    assert "lost" in state.said[5].text and "generator" in state.said[5].text and "kept" not in state.said[5].text


def test_a_first_checkpoint_that_could_not_be_written_is_named_after_a_kill(start: Start) -> None:
    spoil = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (99, 99))\nlost = 'x' * 1_000"
    fleet = start(script(cell(1, spoil), cell(2, "print('working', flush=True)\n" + GATE), cell(3)))
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.cell == 2)
    fleet.kill_holder("job")
    let_go(fleet, "job")
    state = fleet.finished("job")
    assert state.closed is not None and state.closed.how == "finished"
    assert ran(fleet, "job") == ["1", "2", "2", "3"]
    assert any(said.kind == "note" and "the variables of cell 1" in said.text for said in state.said)


def test_a_reply_cut_by_a_kill_is_continued_and_not_asked_again(start: Start) -> None:
    long_words = " ".join(f"word{number}" for number in range(60))
    fleet = start([{"text": f"{long_words}\n```python\nprint('ok')\n```", "delay": 0.05}, "Done."])
    fleet.model.control(STALL)
    fleet.enqueue("job")
    fleet.wait("job", lambda _, record: record.type == "reply.delta")
    logged = fleet.state("job").partial
    fleet.kill_holder("job")
    state = fleet.finished("job")
    assert state.said[1].text == f"{long_words}\n```python\nprint('ok')\n```"
    continued = [a for a in fleet.model.arrivals if a.continued and a.body.get("max_tokens") != 1]
    assert len(continued) == 1
    assert continued[0].body["messages"][-1]["content"].startswith(logged)
    assert fleet.verify("job").ok


def test_a_server_that_cannot_continue_is_asked_again_and_the_text_does_not_double(start: Start) -> None:
    text = " ".join(f"word{number}" for number in range(40))
    fleet = start({"replies": [{"text": text, "delay": 0.05}], "continues": False})
    fleet.model.control(STALL)
    fleet.enqueue("job")
    fleet.wait("job", lambda _, record: record.type == "reply.delta")
    fleet.kill_holder("job")
    state = fleet.finished("job")
    assert state.answer == text
    assert "reply.discarded" in types(fleet.log("job").read())


def test_the_conversation_after_a_kill_is_byte_for_byte_that_of_an_undisturbed_session(start: Start) -> None:
    fleet = start(THREE)
    fleet.enqueue("calm")
    fleet.wait("calm", lambda state, record: record.type == "cell.output" and state.cell == 3)
    let_go(fleet, "calm")
    calm = fleet.finished("calm")
    fleet.enqueue("stormy")
    fleet.wait("stormy", lambda state, record: record.type == "cell.output" and state.cell == 3)
    fleet.kill_holder("stormy")
    let_go(fleet, "stormy")
    stormy = fleet.finished("stormy")
    assert stormy.wire() == calm.wire()


def test_a_killed_child_alone_is_noticed_at_once_by_its_worker(start: Start) -> None:
    fleet = start(THREE, workers=1)
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.cell == 3)
    child = psutil.Process(fleet.workers["worker-1"].pid).children()[0]
    descendants = child.children(recursive=True)
    kill(child.pid)
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.attempt == 2)
    _gone, alive = psutil.wait_procs(descendants, timeout=PATIENCE)
    assert not alive
    let_go(fleet, "job")
    assert fleet.finished("job").closed.how == "finished"  # type: ignore[union-attr]  # None would fail the test, as it should
    assert fleet.verify("job").ok


def test_a_killed_kernel_is_a_strike_and_the_cell_runs_again(start: Start) -> None:
    once = "import os\nif not os.path.exists('died'):\n    open('died', 'w').close()\n    os.abort()\nprint('alive', x)"
    fleet = start(script(cell(1, "x = 7"), cell(2, once)), workers=1)
    fleet.enqueue("job")
    state = fleet.finished("job")
    assert outputs(fleet.log("job").read()) == ["", "alive 7"]
    assert state.attempt == 1
    assert ran(fleet, "job") == ["1", "2", "2"]


def test_a_cell_that_kills_its_kernel_twice_is_reported_to_the_model(start: Start) -> None:
    fleet = start(script(cell(1, "x = 7"), cell(2, "import os\nos.abort()"), cell(3, "print(x)")), workers=1)
    fleet.enqueue("job")
    state = fleet.finished("job")
    said = outputs(fleet.log("job").read())
    assert state.closed is not None and state.closed.how == "finished"
    assert "SIGABRT" in said[1] and ".." not in said[1] and said[2] == "7"
    assert ran(fleet, "job") == ["1", "2", "2", "3"]


def test_a_session_whose_cells_only_kill_is_parked_with_the_cause_and_can_be_requeued(start: Start) -> None:
    deadly = "import os, signal\nif not os.path.exists('mend'): os.kill(os.getpid(), signal.SIGKILL)"
    fleet = start(script(cell(1, deadly), cell(2, deadly)), workers=1)
    fleet.enqueue("job")
    state = fleet.finished("job")
    assert state.closed is not None and state.closed.how == "failed" and "SIGKILL" in state.closed.reason
    assert fleet.job_status("job", "failed") == "failed"
    (files(fleet, "job") / "mend").touch()
    assert fleet.rq("requeue", "--queue", "default", "job").returncode == 0
    state, _ = fleet.wait("job", lambda state, _: state.attempt == 2 and state.closed is not None)
    assert state.closed is not None and state.closed.how == "finished"


def test_ask_reports_the_interrupted_cell_instead_of_running_it_again(start: Start) -> None:
    fleet = start(THREE)
    fleet.enqueue("job", "go", "on_interrupt=ask")
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.cell == 3)
    fleet.kill_holder("job")
    state = fleet.finished("job")
    assert ran(fleet, "job") == ["1", "2", "3", "4"]
    assert "interrupted" in outputs(fleet.log("job").read())[2]
    assert state.closed is not None and state.closed.how == "finished"


def test_a_drained_session_goes_on_elsewhere_and_the_worker_exits_0(start: Start) -> None:
    fleet = start(THREE, workers=1)
    fleet.enqueue("job")
    fleet.enqueue("behind")
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.cell == 3)
    worker = fleet.workers.pop("worker-1")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE) == 0
    assert fleet.connection.lrange("rq:queue:default", 0, -1) == [b"job", b"behind"]
    assert fleet.state("job").closed.how == "drained"  # type: ignore[union-attr]  # None would fail the test, as it should
    fleet.start_worker("worker-2")
    let_go(fleet, "job")
    state = fleet.finished("job")
    assert state.interruptions.strikes == 0
    assert outputs(fleet.log("job").read())[3] == "6"
    assert fleet.verify("job").ok


def test_a_worker_stopped_beyond_its_lease_with_no_other_to_take_over_costs_no_strike(start: Start) -> None:
    fleet = start(THREE, workers=1)
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.cell == 3)
    tree = fleet.tree("worker-1")
    for process in tree[:2]:
        process.send_signal(signal.SIGSTOP)
    psutil.wait_procs(tree[3:], timeout=PATIENCE)
    for process in tree[:2]:
        process.send_signal(signal.SIGCONT)
    let_go(fleet, "job")
    state = fleet.finished("job")
    assert [body.kind for body in bodies(fleet.log("job").read(), CellInterrupted)] == ["death"]
    assert state.closed is not None and state.closed.how == "finished" and state.strikes == 0


def test_redis_killed_in_the_middle_loses_nothing(start: Start) -> None:
    fleet = start(THREE)
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.cell == 3)
    before = fleet.log("job").read()
    fleet.redis.kill()
    let_go(fleet, "job")
    fleet.redis.restart()
    state = fleet.finished("job")
    after = fleet.log("job").read()
    assert after[: len(before)] == before
    assert state.attempt == 1
    assert fleet.job_status("job", "finished") == "finished"
    assert ran(fleet, "job") == ["1", "2", "3", "4"]
    assert fleet.verify("job").ok


def test_an_absent_model_server_costs_the_session_only_time(start: Start) -> None:
    fleet = start(script(cell(1, GATE)), workers=1)
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "cell.started")
    fleet.model.control({"kind": "status", "status": 503, "times": 2}, {"kind": "cut", "after": 0, "times": 1})
    let_go(fleet, "job")
    state = fleet.finished("job")
    assert state.attempt == 1 and state.closed is not None and state.closed.how == "finished"
    assert "turn.waiting" in types(fleet.log("job").read())


def test_an_error_of_outlast_itself_parks_the_session_after_three_attempts_without_progress(start: Start) -> None:
    fleet = start(script(cell(1)), workers=1)
    fleet.workspaces.joinpath("job").write_text("in the way of the session's directory")
    fleet.enqueue("job")
    state = fleet.finished("job")
    assert state.closed is not None and state.closed.how == "failed" and "internal error" in state.closed.reason
    assert state.attempt == 4
    fleet.workspaces.joinpath("job").unlink()
    assert fleet.job_status("job", "failed")
    assert fleet.rq("requeue", "--queue", "default", "job").returncode == 0
    state, _ = fleet.wait("job", lambda state, _: state.attempt == 5 and state.closed is not None)
    assert state.closed is not None and state.closed.how == "finished"


def test_no_process_of_a_killed_session_is_left(start: Start) -> None:
    daemon = "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '1000'], start_new_session=True)\n"
    fleet = start(script(cell(1, daemon + GATE)), workers=1)
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "cell.started")
    worker = psutil.Process(fleet.workers["worker-1"].pid)

    def sleeper() -> psutil.Process | None:
        with suppress(psutil.NoSuchProcess):
            return next((p for p in worker.children(recursive=True) if p.name() == "sleep"), None)
        return None

    while (daemon_process := sleeper()) is None:
        os.sched_yield()
    kill(worker.pid)
    _gone, alive = psutil.wait_procs([daemon_process], timeout=PATIENCE)
    assert not alive
