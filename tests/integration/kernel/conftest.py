"""Kernels for the tests: one that a whole module shares, and a maker of private ones."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from outlast.kernel.client import Kernel
from outlast.kernel.results import CellResult
from outlast.kernel.workspace import Workspace
from outlast.settings import Settings
from outlast.stop import StopSignal

_numbers = itertools.count()


class Session:
    """A workspace, a kernel on it, and short ways to use them."""

    def __init__(self, settings: Settings, session: str, attempt: int = 0) -> None:
        self.settings = settings
        self.name = session
        self.workspace = Workspace.open(settings, session)
        self.stop = StopSignal()
        self.live: list[str] = []
        self.is_closed = False
        self.kernel = Kernel.launch(self.workspace, settings, session=session, attempt=attempt)

    def ready(self, on_wait: Callable[[str], None] | None = None) -> Session:
        self.kernel.ready(self.stop, on_wait)
        return self

    def run(
        self, code: str, language: str = "python", *, timeout: float = 0, stall: float = 0, **more: Any
    ) -> CellResult:
        self.live.clear()
        more.setdefault("on_output", self.live.append)
        return self.kernel.run(
            language, code, **{"cell": 1, "stop": self.stop, "cell_timeout": timeout, "cell_stall": stall, **more}
        )

    def close(self) -> None:
        self.kernel.close()
        if not self.is_closed:
            self.stop.close()
        self.is_closed = True


NewSession = Callable[..., Session]


@pytest.fixture(scope="module")
def settings(kernel_python: Path) -> Iterator[Settings]:
    # Not under pytest's own directory: a socket's path must be short.
    directory = tempfile.mkdtemp(prefix="outlast-")
    yield Settings(
        workspaces=f"{directory}/sessions",
        runtime_dir=f"{directory}/run",
        kernel_python=str(kernel_python),
        lease=5.0,
        sandbox="reduced",
    )
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def shared(settings: Settings) -> Iterator[Session]:
    session = Session(settings, "shared").ready()
    yield session
    session.close()


@pytest.fixture
def new_session(settings: Settings) -> Iterator[NewSession]:
    """Makes a session of its own (`name`; settings as keywords), which ends with the test."""
    sessions: list[Session] = []

    def make(name: str = "", **changed: Any) -> Session:
        sessions.append(Session(replace(settings, **changed), name or f"own-{next(_numbers)}"))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()
