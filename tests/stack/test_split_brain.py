"""Two worker containers, and one is taken for dead and is not: what it holds goes on in the other, and only there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.stack import Stack, docker
from tests.stack.test_kills import goes_on, in_the_middle


@pytest.fixture(scope="module")
def two_workers(scripted_stack: Stack) -> Iterator[Stack]:
    """The stack with a second worker container."""
    scale = ("up", "--detach", "--wait", "--no-recreate", "--scale")
    scripted_stack.compose(*scale, "worker=2")
    yield scripted_stack
    scripted_stack.compose(*scale, "worker=1")


def test_a_paused_container_leaves_its_session_to_another_once_it_goes_on(two_workers: Stack) -> None:
    session = in_the_middle(two_workers)
    container = two_workers.holding_container(session)
    docker("pause", container)
    try:
        # Nothing in it can be killed from outside: the other waits for the lock, and says so.
        two_workers.wait(session, lambda state, record: state.attempt == 2 and record.type == "turn.waiting")
    finally:
        docker("unpause", container)
    goes_on_alone(two_workers, session)


def test_a_container_that_is_cut_off_leaves_its_session_to_another_without_being_told(two_workers: Stack) -> None:
    session = in_the_middle(two_workers)
    container, network = two_workers.holding_container(session), f"{two_workers.project}_inside"
    docker("network", "disconnect", network, container)
    try:
        goes_on_alone(two_workers, session)
    finally:
        docker("network", "connect", "--alias", "worker", network, container)
    two_workers.wait_healthy()


def goes_on_alone(stack: Stack, session: str) -> None:
    """Attempt 2 runs the cell again, to the session's end; the kernel of attempt 1 writes nothing more meanwhile."""
    stack.wait(session, lambda state, record: state.attempt == 2 and record.type == "cell.output")
    lives = stack.read(session, "lives.txt").split()
    goes_on(stack, session, again=True)
    later = stack.read(session, "lives.txt").split()
    old = lives[0]
    assert later.count(old) == lives.count(old) and len({*later}) == 2
    assert stack.state(session).attempt == 2
