"""One stack for all tests that a script can serve, and one with the real model; both need a Docker Engine and root."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dependencies import missing
from tests.stack.stack import ROOT, Stack, docker, with_scripted_model

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # A build of an image may take minutes; nothing here is bounded by the speed of the machine.
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker Engine with Compose that this user may use, as root: first processes are killed from the host."""
    if shutil.which("docker") is None:
        missing("there is no docker command on this machine")
    if docker("version", check=False).returncode:
        missing("no Docker Engine answers here (tools/engine starts one)")
    if docker("compose", "version", check=False).returncode:
        missing("Docker has no Compose here (tools/engine links one)")
    if os.geteuid():
        missing("the tests of the stack kill containers' processes from the host, which only root may")


@pytest.fixture(scope="session")
def tiny_model(engine: None) -> Path:
    """The directory that holds the tiny real model, made once; the wheel that its image needs is there too."""
    (ROOT / ".make").mkdir(exist_ok=True)
    with open(ROOT / ".make/fetching", "w", encoding="ascii") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # one of several processes of tests at a time
        subprocess.run([ROOT / "tools/torch-wheel"], check=True, capture_output=True, timeout=1800)
        made = subprocess.run([HERE / "tiny-model"], check=True, capture_output=True, text=True, timeout=1800)
    return Path(made.stdout.strip().splitlines()[-1])


@pytest.fixture(scope="session")
def scripted_stack(engine: None, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack whose model server is a script."""
    stack = with_scripted_model(tmp_path_factory.mktemp("stack"), tiny_model)
    with stack:
        stack.make("up")
        stack.connect()
        yield stack


@pytest.fixture
def stack(scripted_stack: Stack) -> Stack:
    """The running stack, healthy at the start of each test."""
    scripted_stack.wait_healthy()
    return scripted_stack
