"""Whatever is killed or restarted in the middle of a job, it finishes, and no completed cell runs twice."""

from __future__ import annotations

import itertools
import os
import select
import signal

import pytest

from outlast.log.records import AttemptClosed, CellFinished
from tests.observer import bodies
from tests.stack.stack import SERVICES, Stack, cell_speaks, docker

#: Each test has a session of its own in the one stack.
_numbers = itertools.count(1)


def in_the_middle(stack: Stack) -> str:
    """A new session whose third cell runs and waits."""
    session = stack.enqueue(f"job-{next(_numbers)}", "gated")
    stack.wait(session, cell_speaks(3))
    return session


def goes_on(stack: Stack, session: str, *, again: bool) -> None:
    """The session finishes, verifies, and ran each cell once; the interrupted third twice if `again`."""
    stack.let_go(session)
    state = stack.finished(session)
    assert state.closed is not None and state.closed.how == "finished"
    stack.wait_healthy()
    assert stack.ran(session) == (["1", "2", "3", "3", "4"] if again else ["1", "2", "3", "4"])
    finished = bodies(stack.log(session).read(), CellFinished)
    assert [body.output.strip() for body in finished] == ["", "two", "working\n[1, 2, 3] True", "6"]
    assert stack.verify(session).ok
    assert stack.job_status(session, "finished") == "finished"


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_whose_first_process_is_killed_comes_back_and_the_job_goes_on(stack: Stack, service: str) -> None:
    session = in_the_middle(stack)
    before = stack.restarts(service)
    stack.kill(service)
    goes_on(stack, session, again=service == "worker")
    assert stack.restarts(service) == before + 1


def test_a_power_cut_costs_nothing_but_the_cell_that_ran(stack: Stack) -> None:
    session = in_the_middle(stack)
    stack.kill(*SERVICES)
    goes_on(stack, session, again=True)


@pytest.mark.parametrize("service", SERVICES)
def test_after_docker_kill_make_up_brings_the_container_back_and_the_job_goes_on(stack: Stack, service: str) -> None:
    session = in_the_middle(stack)
    docker("kill", *stack.containers(service))
    stack.make("up")
    goes_on(stack, session, again=service == "worker")


@pytest.mark.parametrize("service", SERVICES)
def test_a_planned_restart_drains_and_the_job_goes_on(stack: Stack, service: str) -> None:
    session = in_the_middle(stack)
    assert f"The session that ran went on: {session}." in stack.make("restart", f"S={service}").stdout
    goes_on(stack, session, again=service == "worker")
    closings = [body.how for body in bodies(stack.log(session).read(), AttemptClosed)]
    assert closings == (["drained", "finished"] if service == "worker" else ["finished"])


def test_a_drained_worker_container_exits_0_and_gives_no_strike(stack: Stack) -> None:
    session = in_the_middle(stack)
    [container] = stack.containers("worker")
    docker("stop", container)
    assert stack.inspect(container)["State"]["ExitCode"] == 0
    docker("start", container)
    goes_on(stack, session, again=True)
    assert stack.state(session).interruptions.strikes == 0


def test_under_load_several_workers_are_restarted_one_after_the_other(stack: Stack) -> None:
    stack.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "worker=2")
    try:
        sessions = [in_the_middle(stack) for _ in range(3)]
        said = stack.make("restart", "S=worker").stdout
        assert "All 3 sessions that ran went on: " in said
        for session in sessions:
            stack.let_go(session)
            assert stack.finished(session).closed == AttemptClosed("finished")
            # The interrupted cell runs again after each of the two drains that it may have met.
            assert [number for number in stack.ran(session) if number != "3"] == ["1", "2", "4"]
            closings = {body.how for body in bodies(stack.log(session).read(), AttemptClosed)}
            assert closings == {"drained", "finished"} and stack.verify(session).ok
    finally:
        stack.compose("up", "--detach", "--wait", "--scale", "worker=1")


def test_what_a_worker_runs_for_a_session_dies_with_that_worker(stack: Stack) -> None:
    session = in_the_middle(stack)
    [container] = stack.containers("worker")
    before = stack.restarts("worker")
    parents, guardian = {}, 0
    for line in docker("top", container, "-eo", "pid,ppid,args").stdout.splitlines()[1:]:
        pid, parent, words = line.split(None, 2)
        parents[int(pid)] = int(parent)
        if "guardian.py" in words and f'/{session}"' in words:
            guardian = int(pid)
    child = parents[guardian]
    below = [child, guardian, *(pid for pid, parent in parents.items() if parent == guardian)]
    assert len(below) == 3, "no kernel"
    handles = [os.pidfd_open(pid) for pid in below]
    os.kill(parents[child], signal.SIGKILL)
    for handle in handles:
        assert select.select([handle], [], [], 60)[0]
        os.close(handle)
    goes_on(stack, session, again=True)
    assert stack.restarts("worker") == before


def test_a_model_server_killed_in_the_middle_of_a_reply_costs_no_word_of_it(stack: Stack) -> None:
    session = stack.enqueue(f"job-{next(_numbers)}", "slowly")
    stack.wait(session, lambda state, record: record.type == "reply.delta" and state.cell == 1)
    stack.kill("vllm")
    state = stack.finished(session)
    assert state.closed is not None and state.closed.how == "finished"
    assert stack.ran(session) == ["1", "2"]
    replies = [said.text for said in state.said if said.kind == "reply"]
    assert replies[1].count("Now I think") == 1 and "each word of it exactly once" in replies[1]
    assert stack.verify(session).ok


def test_down_and_up_loses_nothing(stack: Stack) -> None:
    session = in_the_middle(stack)
    stack.make("down")
    assert all(not stack.containers(service) for service in SERVICES)
    stack.make("up")
    goes_on(stack, session, again=True)


def test_a_new_image_of_the_worker_takes_over_in_the_middle_of_a_job(stack: Stack) -> None:
    session = in_the_middle(stack)
    [before] = stack.containers("worker")
    (stack.directory / "services/outlast/py.typed").write_text("# another image\n", encoding="utf-8")
    stack.make("upgrade")
    [after] = stack.containers("worker")
    assert stack.inspect(after)["Image"] != stack.inspect(before)["Image"] if before in after else after != before
    goes_on(stack, session, again=True)


def test_a_session_goes_on_in_another_container_with_its_files(stack: Stack) -> None:
    stack.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "worker=2")
    try:
        session = in_the_middle(stack)
        stack.kill_holder(session)
        goes_on(stack, session, again=True)
        assert stack.log(session).head() is not None
    finally:
        stack.compose("up", "--detach", "--wait", "--scale", "worker=1")
