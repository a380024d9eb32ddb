"""Drives `kernel_process.py` from the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[3] / "services/outlast/kernel/state"
_program = Path(__file__).with_name("kernel_process.py")


@dataclass
class Kernels:
    """Starts kernels in one working directory, each for one list of steps."""

    python: Path
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def checkpoints(self) -> Path:
        return self.directory / "checkpoints"

    @property
    def work(self) -> Path:
        return self.directory / "work"

    def run(self, *steps: list[Any]) -> list[dict[str, Any]]:
        """What came of each step."""
        done = self._run(*steps)
        assert done.returncode == 0, done.stderr
        outcomes: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return outcomes

    def run_to_death(self, *steps: list[Any]) -> None:
        """Steps of which one kills the kernel with SIGKILL."""
        assert self._run(*steps).returncode == -signal.SIGKILL

    def _run(self, *steps: list[Any]) -> subprocess.CompletedProcess[str]:
        self.work.mkdir(exist_ok=True)
        return subprocess.run(
            [str(self.python), "-B", str(_program), str(PACKAGE)],
            input=json.dumps(steps),
            cwd=self.work,
            env={**os.environ, "MPLBACKEND": "Agg", **self.environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def save(self, *cells: str, cell: int = 1, before: list[list[Any]] | None = None) -> dict[str, Any]:
        """The outcome of a save after these cells, which all succeed."""
        *ran, saved = self.run(
            *(before or []), *(["cell", code] for code in cells), ["save", str(self.checkpoints), cell]
        )
        for outcome in ran:
            assert not outcome.get("error"), outcome["error"]
        return saved

    def restore(self, manifest: str, *cells: str) -> list[dict[str, Any]]:
        """The outcomes of a restore in a new kernel and of these cells after it."""
        return self.run(["restore", str(self.checkpoints / manifest)], *(["cell", code] for code in cells))

    def manifest(self, path: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.checkpoints / path).read_text())
        return read
