"""A host with stand-ins, and the commands of the Makefile run on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from outlast.deploy.main import main
from outlast.deploy.options import OPTIONS
from tests.unit.deploy.stand_in import Host


def statvfs(left: int) -> os.statvfs_result:
    """A disk with so many bytes left."""
    return os.statvfs_result((1, 1, left, left, left, 0, 0, 0, 0, 255))


class Done(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    def bad(self) -> list[str]:
        """The lines with ✗."""
        return [line for line in self.out.splitlines() if line.startswith("✗")]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    host = Host(tmp_path)
    monkeypatch.chdir(host.directory)
    monkeypatch.setenv("PATH", str(host.programs))
    # A disk of a terabyte, however full the one below this test is.
    monkeypatch.setattr(os, "statvfs", lambda _: statvfs(1 << 40))
    for name in ("COMPOSE_ENV_FILES", "DOCKER_HOST", *(option.name for option in OPTIONS)):
        monkeypatch.delenv(name, raising=False)
    return host


@pytest.fixture
def run(host: Host, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command as `python3 -m outlast.deploy` does."""

    def command(*words: str) -> Done:
        capsys.readouterr()
        code = main(words)
        return Done(code, *capsys.readouterr())

    return command
