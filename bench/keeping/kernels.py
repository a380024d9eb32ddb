"""Kernels of Outlast for the figures of the state: real ones, with a workspace each."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from outlast.errors import KernelDied
from outlast.kernel.client import Kernel
from outlast.kernel.workspace import Workspace
from outlast.settings import Settings
from outlast.stop import StopSignal


class Failed(Exception):
    """What was measured did not come to its end; the message is one line that says why."""


@dataclass(frozen=True)
class Session:
    """A kernel that answers, and its workspace. `patience`: seconds that one cell may take."""

    workspace: Workspace
    kernel: Kernel
    stop: StopSignal
    patience: float

    def run(self, code: str, cell: int = 1) -> str:
        """What the cell printed; Failed if it did not end well."""
        try:
            result = self.kernel.run(
                "python",
                code,
                cell=cell,
                stop=self.stop,
                on_output=lambda text: None,
                cell_timeout=self.patience,
                cell_stall=0,
            )
        except KernelDied as died:
            raise Failed(died.cause) from died
        if result.status != "ok":
            lines = result.output.strip().splitlines() or [result.status]
            raise Failed(lines[-1][:300])
        return result.output


@contextmanager
def session(place: Path, python: Path, *, inputs: tuple[Path, ...] = (), patience: float = 1800.0) -> Iterator[Session]:
    """A new kernel with the workspace at `place`, which stays; it finds the input files in its directory."""
    # A socket's path must be short.
    runtime = tempfile.mkdtemp(prefix="outlast-")
    settings = Settings(
        workspaces=str(place.parent),
        runtime_dir=runtime,
        kernel_python=str(python),
        lease=30.0,
        sandbox="reduced",
        data=str(inputs[0].parent if inputs else place),
    )
    workspace = Workspace.open(settings, place.name)
    workspace.link_inputs(inputs)
    stop = StopSignal()
    try:
        with Kernel.launch(workspace, settings, session=place.name) as kernel:
            kernel.ready(stop)
            yield Session(workspace, kernel, stop, patience)
    finally:
        stop.close()
        shutil.rmtree(runtime, ignore_errors=True)
