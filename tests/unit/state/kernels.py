"""Drives `kernel_process.py` from the tests: kernels that start cold, and kernels forked from a warm one."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parents[3] / "services/outlast/kernel/state"
_program = Path(__file__).with_name("kernel_process.py")
#: A net for a kernel that hangs: far above what any list of steps takes.
_hung_seconds = 60
#: The same where it may first import large libraries, and compile them.
_importing_seconds = 170


def _environment() -> dict[str, str]:
    # One thread each: what a nursery imports must not start any, or its forks could hang.
    alone = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    return {**os.environ, "MPLBACKEND": "Agg", **alone}


class Nursery:
    """A process that has imported some modules and forks a kernel from itself for each list of steps."""

    def __init__(self, python: Path, modules: tuple[str, ...]) -> None:
        self._command = [str(python), "-B", "-P", str(_program), str(PACKAGE), ",".join(modules) or ","]
        self._process: subprocess.Popen[str] | None = None
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115  # open as long as the process that writes it

    def start(self) -> None:
        """Begin to import, without waiting for it."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True,
                env=_environment(),
            )  # fmt: skip
            self._ready = False

    def run(self, directory: Path, steps: tuple[list[Any], ...], patience: float) -> tuple[int, list[dict[str, Any]]]:
        """How the kernel ended and what came of its steps."""
        self.start()
        if not self._ready:
            self._answer(_importing_seconds)
            self._ready = True
        assert self._process is not None and self._process.stdin is not None
        request = {"steps": steps, "directory": str(directory), "patience": patience}
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = self._answer()
        return answer["status"], answer["outcomes"]

    def _answer(self, patience: float = _hung_seconds) -> Any:
        process = self._process
        assert process is not None and process.stdout is not None
        there, _, _ = select.select([process.stdout], [], [], patience)
        line = process.stdout.readline() if there else ""
        if not line:
            self.stop()
            self._said.seek(0)
            raise AssertionError(f"the kernel hung or took the nursery with it; it said: {self._said.read()[-2000:]}")
        return json.loads(line)

    def close(self) -> None:
        """Stop, for good."""
        self.stop()
        self._said.close()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@dataclass
class Kernels:
    """Starts kernels in one working directory, each for one list of steps.

    Warm ones are saved in a kernel of the one nursery and restored in a kernel of the other: the two have neither
    addresses nor hashes of strings in common. A test that changes the `environment` needs cold ones.
    """

    python: Path
    directory: Path
    nurseries: tuple[Nursery, Nursery] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    #: Words before the command, for cold ones that run within something.
    within: tuple[str, ...] = ()

    @property
    def checkpoints(self) -> Path:
        return self.directory / "checkpoints"

    @property
    def work(self) -> Path:
        return self.directory / "work"

    def run(self, *steps: list[Any]) -> list[dict[str, Any]]:
        """What came of each step."""
        status, outcomes = self._run(steps)
        assert status == 0, f"the kernel ended with {status}"
        return outcomes

    def run_to_death(self, *steps: list[Any], patience: float = 0) -> None:
        """Steps of which one kills the kernel with SIGKILL."""
        assert self._run(steps, patience=patience)[0] == -signal.SIGKILL

    def run_perhaps_to_death(self, *steps: list[Any], patience: float = 0) -> list[dict[str, Any]] | None:
        """What came of each step, or None if the kernel was killed."""
        status, outcomes = self._run(steps, patience=patience)
        assert status in (0, -signal.SIGKILL), f"the kernel ended with {status}"
        return outcomes if status == 0 else None

    def _run(
        self, steps: tuple[list[Any], ...], nursery: int = 0, patience: float = 0
    ) -> tuple[int, list[dict[str, Any]]]:
        self.work.mkdir(exist_ok=True)
        if self.nurseries is not None and not self.environment:
            return self.nurseries[nursery].run(self.work, steps, patience)
        done = subprocess.run(
            [*self.within, str(self.python), "-B", "-P", str(_program), str(PACKAGE)],
            input=json.dumps(steps),
            cwd=self.work,
            env={**_environment(), **self.environment},
            capture_output=True,
            text=True,
            timeout=_importing_seconds,
        )
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        return done.returncode, json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else []

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
        return self.run_elsewhere(["restore", self.path(manifest)], *(["cell", code] for code in cells))

    def run_elsewhere(self, *steps: list[Any]) -> list[dict[str, Any]]:
        """As `run`, in a kernel that has nothing in common with the one that saved."""
        status, outcomes = self._run(steps, nursery=1)
        assert status == 0, f"the kernel ended with {status}"
        return outcomes

    def path(self, manifest: str) -> str:
        """Where the manifest lies that a save named."""
        return str(self.checkpoints / "manifests" / manifest)

    def manifest(self, name: str) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(Path(self.path(name)).read_text())
        return read

    def put_work_back(self, kept: Path | None = None) -> None:
        """The working directory as it was when it was copied to `kept`, or empty."""
        shutil.rmtree(self.work, ignore_errors=True)
        if kept is None:
            self.work.mkdir()
        else:
            kept.rename(self.work)
