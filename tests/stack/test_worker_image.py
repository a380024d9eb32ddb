"""The worker's image: what is in it, what is not, and that it runs where nothing may be written."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack.stack import ROOT, build, docker

IMAGE = "outlast-worker:local"
#: As compose.yaml runs it, but for the networks and volumes.
CONFINED = (
    "--rm", "--init", "--network", "none", "--read-only", "--security-opt", "no-new-privileges",
    "--cap-drop", "ALL", "--cap-add", "SETUID", "--cap-add", "SETGID", "--cap-add", "KILL",
    "--memory", "2g", "--pids-limit", "256", "--tmpfs", "/tmp:mode=1777,exec,size=256m",
    "--tmpfs", "/run/outlast:mode=0711,size=16m",
)  # fmt: skip
#: What cells may count on, by the names under which they are imported.
PROMISED = ("pandas", "numpy", "pyarrow", "matplotlib.pyplot", "sklearn.linear_model", "openpyxl", "duckdb", "polars")
BYTES = 2_000_000_000
#: In place of the volume, which takes its owner and its mode from the image.
SESSIONS = ("--tmpfs", "/var/lib/outlast/sessions:mode=0711")


@pytest.fixture(scope="module")
def image(engine: None) -> str:
    """The image, built from what lies here; its layers are cached."""
    return build(IMAGE, "images/worker/Dockerfile")


@pytest.fixture(scope="module")
def worker(image: str) -> Iterator[str]:
    """A confined container that does nothing, to look around in."""
    name = docker("run", "--detach", *CONFINED, image, "sleep", "infinity").stdout.strip()
    yield name
    docker("rm", "--force", name)


def _in(worker: str, *command: str) -> subprocess.CompletedProcess[str]:
    return docker("exec", worker, *command, check=False)


def _said(worker: str, *command: str) -> str:
    done = _in(worker, *command)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_is_smaller_than_two_gigabytes_and_labelled(image: str) -> None:
    told: dict[str, Any] = json.loads(docker("image", "inspect", image).stdout)[0]
    assert told["Size"] < BYTES
    labels = told["Config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "AGPL-3.0-only"
    assert {"title", "description", "version"} <= {name.rpartition(".")[2] for name in labels}
    assert told["Config"]["Healthcheck"]["Test"][-1] == "outlast.health"
    history = docker("history", "--no-trunc", "--format", "{{.CreatedBy}}", image).stdout
    # But for the directory that Docker puts them into.
    assert "secret" not in history.lower().replace("/run/secrets ", "") and "password" not in history.lower()


def test_its_root_may_become_others_and_end_them_and_nothing_else(worker: str) -> None:
    # KILL, SETGID and SETUID are the bits 5, 6 and 7.
    assert "CapEff:\t00000000000000e0" in _said(worker, "grep", "CapEff", "/proc/self/status")
    # What others may pass and not list, and what they may not even pass. The first is a volume in a stack, which takes
    # its owner and its mode from here.
    for place, mode in (("/var/lib/outlast/sessions", "711"), ("/run/outlast", "711"), ("/run/secrets", "700")):
        assert _said(worker, "stat", "-c", "%u %a", place) == f"0 {mode}", place
    assert _in(worker, "touch", "/tmp/x", "/run/outlast/x").returncode == 0
    assert _in(worker, "chown", "1", "/tmp/x").returncode == 1
    for place in ("/x", "/opt/outlast/x", "/opt/kernel/x", "/var/lib/outlast/sessions/x", "/home/x"):
        assert _in(worker, "touch", place).returncode == 1, place


def test_cells_may_import_what_is_promised(worker: str) -> None:
    _said(worker, "/opt/kernel/bin/python", "-I", "-c", f"import {', '.join(PROMISED)}, ipykernel, zoneinfo")
    work = (
        "import duckdb, polars, pandas, pyarrow; frame = pandas.DataFrame({'a': [1, 2]});"
        "frame.to_excel('/tmp/a.xlsx'); frame.to_parquet('/tmp/a.parquet');"
        "print(duckdb.sql('select sum(a) from frame').fetchall()[0][0],"
        "polars.read_parquet('/tmp/a.parquet')['a'].sum(), pandas.read_excel('/tmp/a.xlsx')['a'].sum())"
    )
    assert _said(worker, "/opt/kernel/bin/python", "-I", "-c", work) == "3 3 3"


@pytest.mark.parametrize("name", ["outlast", "redis", "rq", "interpreter", "openai", "litellm", "pip"])
def test_a_cell_can_import_nothing_of_the_workers(worker: str, name: str) -> None:
    tried = _in(worker, "/opt/kernel/bin/python", "-I", "-c", f"import {name}")
    assert tried.returncode == 1 and f"No module named '{name}'" in tried.stderr


def test_a_worker_can_import_nothing_of_the_cells(worker: str) -> None:
    for name in ("pandas", "pyarrow", "polars", "pip"):
        tried = _in(worker, "python", "-c", f"import {name}")
        assert tried.returncode == 1 and f"No module named '{name}'" in tried.stderr


def test_bash_and_node_are_there(worker: str) -> None:
    assert _said(worker, "bash", "-c", "echo ${BASH_VERSION%%.*}") == "5"
    assert _said(worker, "/opt/kernel/bin/node", "-e", "console.log(6 * 7)") == "42"


def test_everything_is_compiled_because_nothing_can_be_compiled_later(worker: str) -> None:
    for environment, modules in (("outlast", "outlast.queue, outlast.attempt.session"), ("kernel", "sklearn, polars")):
        loaded = "[module.__cached__ for module in sys.modules.values() if getattr(module, '__cached__', None)]"
        code = f"import sys; import {modules}; print(*{loaded})"
        cached = _said(worker, f"/opt/{environment}/bin/python", "-c", code).split()
        assert len(cached) > 200 and {path.split("/")[1] for path in cached} == {"opt", "usr"}
        assert _in(worker, "ls", *cached).stderr == ""


def test_it_does_not_start_with_settings_that_are_wrong(image: str) -> None:
    refused = docker("run", *CONFINED, "--env", "OUTLAST_LEESE=1", image, check=False)
    assert refused.returncode == 2
    assert refused.stderr == "outlast: OUTLAST_LEESE is not a setting of Outlast; did you mean OUTLAST_LEASE?\n"
    secret = "OUTLAST_REDIS_PASSWORD_FILE=/run/secrets/redis_worker"
    refused = docker("run", *CONFINED, *SESSIONS, "--env", secret, image, check=False)
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1
    assert f"{secret} cannot be read" in refused.stderr


def test_without_redis_it_waits_says_so_and_leaves_well_when_it_is_stopped(image: str) -> None:
    nowhere = ("--env", "OUTLAST_REDIS_URL=redis://127.0.0.1:1/0")
    confined = [word for word in CONFINED if word != "--rm"]
    name = docker("run", "--detach", *confined, *SESSIONS, *nowhere, image).stdout.strip()
    try:
        while "2 of 2 workers are waiting" not in (health := _in(name, "python", "-m", "outlast.health")).stdout:
            assert not health.stderr, docker("logs", name).stderr
        assert (health.returncode, health.stdout) == (0, "2 of 2 workers are waiting for Redis; they take no job.\n")
        docker("stop", name)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", name).stdout.strip() == "0"
        events = docker("logs", name).stderr
        assert events.count('"event": "redis.awaited"') == 2 and '"event": "supervisor.left"' in events
    finally:
        docker("rm", "--force", name)


def test_more_packages_for_cells_are_a_matter_of_two_build_arguments() -> None:
    recipe = (ROOT / "images/worker/Dockerfile").read_text()
    assert "ARG KERNEL_PACKAGES" in recipe and "ARG KERNEL_REQUIREMENTS=images/worker/kernel-extra.txt" in recipe
    lines = (ROOT / "images/worker/kernel-extra.txt").read_text().splitlines()
    assert lines and all(line.startswith("#") for line in lines)
