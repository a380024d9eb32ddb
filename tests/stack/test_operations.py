"""Every command of README.md and docs/operations.md, as it stands there, from the top of the pages to their end.

One stack of its own, for the pages also recreate, restore and remove it. Where a section promises something that
can be looked at, that is looked at after it (`_AFTER`).
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.pages import ELSEWHERE, PAGES, ROOT, Command, steps
from tests.stack.stack import COMMAND, SERVICES, SMALL, Stack, docker

#: They go on until somebody stops them.
ENDLESS = ("make logs S=worker",)
#: Sections whose settings are put into `.env`; the others show values that a small machine may not have room for.
APPLIED = ("I want more sessions at a time",)

SCRIPTS = r"""
replies: ["All done."]
scripts:
  # README: sums a file and draws it.
  Sum:
    - |
      ```python
      open("totals.csv", "w").write(open("sales.csv").read().replace("sales", "total"))
      open("chart.png", "wb").write(b"\x89PNG")
      total = 42
      print(total)
      ```
    - "Summed."
    - |
      ```python
      print("still", total)
      ```
    - "Drawn."
  # A cell that ends its own kernel, whatever the model is told.
  crash:
    - &crash |
      ```python
      import os
      os.kill(os.getpid(), 9)
      ```
    - *crash
    - "I give up."
"""


@pytest.fixture
def operated(engine: None, tiny_model: Path, tmp_path: Path) -> Iterator[Stack]:
    """A stack, not yet up, on what passes for a machine without a GPU; a script takes the model's place."""
    settings = {
        "COMPOSE_FILE": "compose.yaml:compose.cpu.yaml",
        "MODELS_DIR": str(tiny_model.parent),
        "MODEL": tiny_model.name,
        "OUTLAST_MODEL": "scripted-model",
        **SMALL,
        "REDIS_MEMORY_LIMIT": "512mb",
        "VLLM_MEMORY": "2gb",
    }
    with Stack(tmp_path / "outlast", settings) as stack:
        scripted = (ROOT / "tests/stack/compose.scripted.yaml").read_text(encoding="utf-8")
        without_gpu = "    deploy: {resources: {reservations: !reset null}}\n"
        (stack.directory / "compose.cpu.yaml").write_text(scripted + without_gpu, encoding="utf-8")
        (stack.directory / "scripts.yaml").write_text(SCRIPTS, encoding="utf-8")
        (stack.directory / "data").mkdir()
        (stack.directory / "data/sales.csv").write_text("region,sales\nnorth,42\n", encoding="utf-8")
        (stack.directory / ".venv").symlink_to(sys.prefix)
        yield stack
        # The last section takes it away; without it the way out would lead to a stack of another name.
        stack.write_env()
        (tmp_path / "outlast-images.tar").unlink(missing_ok=True)


def test_every_command_of_the_pages_does_what_it_is_shown_for(operated: Stack) -> None:
    for page in PAGES:
        section = ""
        for step in [*steps(page), Command("", "true", "true")]:
            if step.section != section:
                _AFTER.get(section, _nothing)(operated)
                section = step.section
                _BEFORE.get(section, _nothing)(operated)
            if isinstance(step, Command):
                if step.text not in ELSEWHERE:
                    _type(operated, page, step)
            elif section in APPLIED:
                operated.settings |= step.lines
                operated.write_env()


def _type(stack: Stack, page: str, command: Command) -> None:
    """Type a command as an operator does; AssertionError with all that it said unless it ends with 0."""
    chosen = ("COMPOSE_", "OUTLAST_", "RQ_", "MAKE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(chosen)}
    with subprocess.Popen(
        ["bash", "-eo", "pipefail", "-c", command.script], cwd=stack.directory, env=kept, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        if command.text in ENDLESS:
            said = process.stdout.readline()
            os.killpg(process.pid, signal.SIGINT)
            assert said, f"{command.text} says nothing"
            return
        try:
            said, _ = process.communicate(timeout=COMMAND)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 0, f"{page}, {command.section}: {command.text}\nexited {process.returncode}:\n{said}"
    # What comes next looks at what the job has made.
    for job in re.findall(r"with job-id '(.+)'", said) + re.findall(r" retry (\S+)$", command.text):
        stack.job_status(job, "finished", "failed")


def _nothing(_: Stack) -> None:
    pass


# ----------------------------------------------------------------------- what sections need, and what they promise


def _it_is_up(stack: Stack) -> None:
    stack.connect()
    assert all(stack.inspect(container)["State"]["Health"]["Status"] == "healthy" for container in _containers(stack))


def _containers(stack: Stack) -> list[str]:
    return [container for service in SERVICES for container in stack.containers(service)]


def _sales_is_done(stack: Stack) -> None:
    state = stack.state("sales")
    assert state.closed is not None and state.closed.how == "finished"
    assert "Drawn." in [said.text.strip() for said in state.said if said.kind == "reply"]
    assert stack.verify("sales").ok


def _the_files_are_here(stack: Stack) -> None:
    here = [stack.directory / name for name in ("totals.csv", "results/totals.csv")]
    assert {path.read_text() for path in here} == {"region,total\nnorth,42\n"}
    assert (stack.directory / "results/chart.png").read_bytes() == b"\x89PNG"


def _the_variables_are_listed(stack: Stack) -> None:
    told = json.loads(stack.outlast("state", "sales", "--cell", "1").stdout)
    assert {each["name"]: each["type"] for each in told["variables"]}["total"] == "int"


def _one_container_has_four_workers(stack: Stack) -> None:
    [worker] = stack.containers("worker")
    assert "OUTLAST_WORKERS=4" in stack.inspect(worker)["Config"]["Env"]
    assert "4 workers are well" in stack.inside("python", "-m", "outlast.health").stdout


def _a_session_that_is_parked(stack: Stack) -> None:
    stack.enqueue("etl", "crash")
    assert stack.job_status("etl", "finished", "failed") == "failed"


def _it_went_on(stack: Stack) -> None:
    closed = stack.state("etl").closed
    assert closed is not None and closed.how == "finished"
    assert stack.verify("etl").ok


def _a_session_after_the_backup(stack: Stack) -> None:
    stack.enqueue("later", "hello")
    assert stack.finished("later").closed is not None
    # Root in there has no right to what is a session's own.
    rights = ("--cap-add", "DAC_OVERRIDE", "--cap-add", "FOWNER")
    stack.compose("run", "--rm", "--no-deps", "-T", *rights, "worker", "rm", "-r", "/var/lib/outlast/sessions/sales")


def _all_is_as_it_was(stack: Stack) -> None:
    _sales_is_done(stack)
    assert stack.log("later").head() is None
    copied = stack.outlast("cp", "sales:totals.csv", "-").stdout
    assert copied == "region,total\nnorth,42\n"
    assert stack.outlast("show", "later", check=False).returncode == 1


_old: dict[str, str] = {}


def _remember_the_passwords(stack: Stack) -> None:
    _old.update(stack.client_environment())


def _the_old_ones_are_refused(stack: Stack) -> None:
    with pytest.raises(redis.AuthenticationError), redis.Redis.from_url(_old["RQ_REDIS_URL"]) as client:
        client.ping()
    stack.connect()
    assert stack.verify("sales").ok


def _it_comes_up_with_everything(stack: Stack) -> None:
    stack.wait_healthy()
    _sales_is_done(stack)


def _it_is_gone(stack: Stack) -> None:
    assert "sales" not in stack.outlast("list", "--all").stdout
    assert stack.outlast("show", "sales", check=False).returncode == 1
    assert "sales" not in stack.inside("ls", "/var/lib/outlast/sessions").stdout


def _nothing_is_left(stack: Stack) -> None:
    label = ("--quiet", "--filter", f"label=com.docker.compose.project={stack.project}")
    for kind in (("ps", "--all"), ("volume", "ls"), ("network", "ls")):
        assert not docker(*kind, *label).stdout
    left = {path.name for path in stack.directory.iterdir()}
    assert not left & {"secrets", ".env", ".env.client", ".venv", ".make"} and {"data", "compose.yaml"} <= left


_BEFORE: dict[str, Callable[[Stack], None]] = {
    "A worker keeps dying on one job": _a_session_that_is_parked,
    "I want to go back to a backup": _a_session_after_the_backup,
    "I want new passwords": _remember_the_passwords,
}
_AFTER: dict[str, Callable[[Stack], None]] = {
    "Run it on a GPU host": _it_is_up,
    "Use it": _sales_is_done,
    "I want the files of a session": _the_files_are_here,
    "What variables does a session have?": _the_variables_are_listed,
    "I want to restart a service": _it_is_up,
    "I want to upgrade": _it_is_up,
    "I want more sessions at a time": _one_container_has_four_workers,
    "I want to go back to a backup": _all_is_as_it_was,
    "I want new passwords": _the_old_ones_are_refused,
    "A worker keeps dying on one job": _it_went_on,
    "Redis does not start": _it_comes_up_with_everything,
    "I want to delete a session for good": _it_is_gone,
    "I want to get rid of it": _nothing_is_left,
}


def test_every_section_that_is_looked_at_exists() -> None:
    sections = {step.section for page in PAGES for step in steps(page)}
    assert {*_BEFORE, *_AFTER, *APPLIED} <= sections
    assert {*ENDLESS} <= {step.text for page in PAGES for step in steps(page) if isinstance(step, Command)}
