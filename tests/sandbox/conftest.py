"""The real stack, in whose worker container the cells run as an attempt runs them."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.case import Allowed, Attack
from tests.sandbox.cells import Cells
from tests.stack.conftest import engine, scripted_stack, tiny_model
from tests.stack.stack import Stack

__all__ = ["engine", "scripted_stack", "tiny_model"]

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def cells(scripted_stack: Stack) -> Iterator[Cells]:
    """Cells in the worker's own container, beside its workers."""
    command = ["docker", "compose", "exec", "-T", "worker", "/opt/outlast/bin/python", "-c"]
    with Cells(command, scripted_stack.directory) as running:
        yield running


@pytest.fixture(autouse=True)
def terminals(request: pytest.FixtureRequest) -> Iterator[None]:
    """One case at a time that needs terminals: all containers of a machine have one number of them, and one takes all.
    """
    given = request.node.callspec.params.values() if hasattr(request.node, "callspec") else ()
    if not any(isinstance(case, (Attack, Allowed)) and case.terminals for case in given):
        yield
        return
    with (Path(tempfile.gettempdir()) / "outlast-tests-terminals.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
