"""`make drill` beside a running stack: it finds nothing wrong, and touches no job and leaves nothing but its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.observer import PATIENCE
from tests.stack.stack import SERVICES, Stack, cell_speaks, docker

#: The whole machine: a small one has little to share.
DRILL = ("drill", "SHARE=100%", "N=2", "KILLS=4")
#: One that draws these.
SEED, VICTIMS = "SEED=749", {"kernel", "everything", "child", "worker"}


def containers(project: str, *words: str) -> list[str]:
    label = f"label=com.docker.compose.project={project}"
    return docker("ps", "--all", "--quiet", "--no-trunc", "--filter", label, *words).stdout.split()


def left_of(project: str) -> list[str]:
    """Whatever of a project Docker still has."""
    label = f"label=com.docker.compose.project={project}"
    others = [docker(kind, "ls", "--quiet", "--filter", label).stdout.split() for kind in ("volume", "network")]
    return [*containers(project), *(name for names in others for name in names)]


def test_a_drill_finds_nothing_wrong_and_touches_no_job_but_its_own(stack: Stack, tmp_path: Path) -> None:
    session = stack.enqueue("beside-a-drill", "gated")
    stack.wait(session, cell_speaks(3))
    before = {service: [stack.inspect(it)["State"]["Pid"] for it in stack.containers(service)] for service in SERVICES}
    done = stack.make(*DRILL, SEED, f"OUTPUT={tmp_path}")
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["problems"] == [] and told["kills"] == 4 and told["acknowledged"] > 0.8 * told["records"]
    assert {json.loads(line)["victim"] for line in done.stdout.splitlines()[:-1]} == VICTIMS
    assert (tmp_path / "chart.png").read_bytes().startswith(b"\x89PNG")
    assert "Seed 749" in (tmp_path / "report.md").read_text()
    assert left_of(f"{stack.project}-drill") == [] and not (tmp_path / ".stack").exists()
    stack.let_go(session)
    state = stack.finished(session)
    assert state.attempt == 1 and stack.ran(session) == ["1", "2", "3", "4"]
    after = {service: [stack.inspect(it)["State"]["Pid"] for it in stack.containers(service)] for service in SERVICES}
    assert after == before


def test_an_interrupted_drill_leaves_nothing_behind(stack: Stack, tmp_path: Path) -> None:
    project = f"{stack.project}-drill"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COMPOSE_", "OUTLAST_"))}
    command = ["make", "--no-print-directory", *DRILL, f"OUTPUT={tmp_path}"]
    with subprocess.Popen(
        command, cwd=stack.directory, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as drill:  # fmt: skip
        until = time.monotonic() + PATIENCE
        while not containers(project, "--filter", "status=running"):
            assert time.monotonic() < until and drill.poll() is None
            time.sleep(0.1)
        # As the terminal does it: to make and to everything that it has started.
        os.killpg(drill.pid, signal.SIGINT)
        _, said = drill.communicate(timeout=PATIENCE)
    assert drill.returncode and "Interrupted: the drill's containers and volumes are removed" in said
    assert left_of(project) == [] and not (tmp_path / ".stack").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("SHARE=1%",), "SHARE=1% of this machine is too little for a drill"),
        (("N=0",), "A drill needs one job and one kill at least"),
    ],
)
def test_a_drill_that_cannot_be_is_refused_and_starts_nothing(
    stack: Stack, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    done = stack.make("drill", *words, f"OUTPUT={tmp_path / 'none'}", check=False)
    assert done.returncode and sentence in done.stderr and not (tmp_path / "none").exists()
    assert left_of(f"{stack.project}-drill") == []
