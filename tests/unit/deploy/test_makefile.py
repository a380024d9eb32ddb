"""The Makefile hands things on as they were typed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest
from rq.cli.helpers import parse_function_args

from tests.dependencies import missing
from tests.unit.deploy.stand_in import Host

#: Before a test takes the PATH away.
MAKE, BASH = shutil.which("make"), shutil.which("bash")


def make(host: Host, *words: str) -> subprocess.CompletedProcess[str]:
    """`make …` in the checkout; make, its shell and Python are the machine's own, `docker` is the stand-in."""
    if MAKE is None or BASH is None:
        missing("make or bash is not on this machine")
    path = f"{host.programs}:{os.defpath}:{os.path.dirname(BASH)}"
    environment = {"PATH": path, "PYTHON": sys.executable, "HOME": str(host.directory)}
    command = [MAKE, "--no-print-directory", *words]
    return subprocess.run(command, cwd=host.directory, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "prompt",
    [
        "print hello world",
        "keep rows where year>=2020",
        "cost $5, $HOME, $(shell touch evil) and `touch evil`; touch evil",
        "\"double\" 'single' \\ # not a comment",
        "@file :json %literal = : % @",
        "two\nlines\tand a tab",
        "Grüße 🙂",
        "=", 
        "--job-id x",
    ],
)  # fmt: skip
def test_a_prompt_reaches_the_job_as_it_was_typed(host: Host, prompt: str) -> None:
    host.answer("docker compose exec", "Enqueued\n")
    done = make(host, "enqueue", f"PROMPT={prompt}")
    assert done.returncode == 0 and done.stdout == "Enqueued\n", done
    assert not (host.directory / "evil").exists()
    [call] = host.calls()
    assert call[1:-1] == ["compose", "exec", "-T", "worker", "rq", "enqueue", "outlast.run"]
    assert parse_function_args(call[-1:]) == ([], {"prompt": prompt})


def test_a_job_gets_the_name_that_is_asked_for(host: Host) -> None:
    host.answer("docker compose exec", "Enqueued\n")
    make(host, "enqueue", "PROMPT=x", "ID=sales")
    assert host.calls()[0][5:10] == ["rq", "enqueue", "--job-id", "sales", "outlast.run"]


def test_settings_on_the_command_line_reach_the_start(host: Host) -> None:
    host.answer("docker info", '{"ServerVersion":""}', err="no", code=1)
    done = make(host, "up", "REDIS_PORT=none")
    assert done.returncode == 2 and "the environment: REDIS_PORT='none' is not a whole number" in done.stdout


def test_cleaning_leaves_what_is_the_operators(host: Host) -> None:
    kept = [".env", ".env.client", "secrets/redis_client", "models/m/x", "data/x.csv"]
    for name in kept:
        (host.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (host.directory / name).touch()
    for name in ("demo", "bench", "tests", ".make"):
        (host.directory / name).mkdir()
    (host.directory / "services").unlink()
    (host.directory / "services").mkdir()
    assert make(host, "clean").returncode in (0, 2)
    assert all((host.directory / name).exists() for name in kept) and not (host.directory / ".make").exists()
    assert host.calls() == []
