"""What the pages for operators show can be run, and is run by a test; without an engine, as far as that can be seen."""

from __future__ import annotations

import ast
import itertools
import re
import shlex
import subprocess

import pytest
import yaml

from launcher.ladder import Shortage, Step, explain, give_up
from outlast.cli.main import parser
from outlast.deploy.options import BY_NAME
from outlast.settings import Settings as WorkerSettings
from tests.pages import ELSEWHERE, PAGES, ROOT, Settings, commands, named_in_sentences, steps

OPERATIONS = "docs/operations.md"
SHOWN = [command for page in PAGES for command in commands(page)]


def words(text: str) -> list[str]:
    """The words of a command, as far as the first pipe or redirection."""
    return list(itertools.takewhile(lambda word: word not in ("|", "<", ">"), shlex.split(text)))


def inside(text: str, program: str) -> list[str] | None:
    """The arguments of `program`, typed on the host or after `docker compose exec worker`; None if it is another."""
    given = words(text.removeprefix("docker compose exec worker "))
    return given[1:] if given[:1] == [program] else None


def test_every_page_shows_commands() -> None:
    assert all(len(commands(page)) >= 5 for page in PAGES) and len(SHOWN) > 50


def test_every_command_is_sound_shell() -> None:
    script = "\n".join(command.text for command in SHOWN)
    checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_a_command_in_a_sentence_is_one_that_is_run() -> None:
    known = "\n".join([*(command.text for command in SHOWN), *ELSEWHERE])
    assert not [named for named in named_in_sentences(OPERATIONS) if named not in known]


@pytest.mark.parametrize("command", ELSEWHERE)
def test_a_command_that_is_run_elsewhere_is_shown_and_the_test_that_runs_it_exists(command: str) -> None:
    shown = [each.text for each in SHOWN] + named_in_sentences(OPERATIONS)
    file, _, name = ELSEWHERE[command].partition("::")
    tests = {node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)}
    assert command in shown and name in tests


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    texts = [command.text for command in SHOWN] + named_in_sentences(OPERATIONS)
    assert {text.split()[1] for text in texts if text.startswith("make ")} <= targets


def test_every_service_that_compose_is_asked_for_exists() -> None:
    yaml.SafeLoader.add_multi_constructor("!", lambda *_: None)
    described = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    services = {name for name, service in described.items() if "profiles" not in service}
    asked = re.compile(r"docker compose (?:exec|stop|start|logs|run)((?: --?[\w-]+(?: (?:\d+|[A-Z_]+))?)*) (\w+)")
    found = {found[2] for command in SHOWN if (found := asked.match(command.text))}
    assert found == services


def test_every_outlast_command_has_arguments_that_outlast_takes() -> None:
    checked = [arguments for command in SHOWN if (arguments := inside(command.text, "outlast")) is not None]
    for arguments in checked:
        parser().parse_args(arguments)
    assert {"list", "show", "logs", "state", "files", "cp", "verify"} <= {arguments[0] for arguments in checked}


@pytest.mark.parametrize("settings", [step for step in steps(OPERATIONS) if isinstance(step, Settings)], ids=str)
def test_every_setting_that_is_shown_may_be_set_so(settings: Settings) -> None:
    assert settings.lines
    for name in settings.lines.keys() - BY_NAME.keys():
        WorkerSettings.load({name: settings.lines[name]})
    for name in settings.lines.keys() & BY_NAME.keys():
        BY_NAME[name].check(settings.lines[name])


def test_the_sentences_about_a_model_that_does_not_come_up_are_those_that_it_says() -> None:
    page = (ROOT / OPERATIONS).read_text()
    section = page.partition("## The model does not come up")[2].partition("\n## ")[0]
    quoted = re.findall(r'^\| "(.*?)" \|', section, re.M)
    steps_down = [(Step(0.9, 32768), Step(0.8, 32768)), (Step(0.7, 32768), Step(0.7, 16384))]
    said = [explain(before, after, shortage) for before, after in steps_down for shortage in Shortage]
    said += [give_up(Step(0.7, 8192), shortage, flavour) for shortage in Shortage for flavour in ("cuda", "cpu")]
    # What the launcher's main program says stands there word by word.
    said.append((ROOT / "services/vllm/launcher/__main__.py").read_text())
    assert len(quoted) > 5
    assert not [quote for quote in quoted if not any(quote in sentence for sentence in said)]


def test_the_runbook_that_redis_prints_is_on_the_page() -> None:
    runbook = (ROOT / "services/redis/keeper/aof/runbook.py").read_text()
    printed = re.findall(r"docker compose [^\\\"\n]+", runbook.replace("{data}", "/data"))
    texts = {command.text for command in SHOWN}
    assert len(printed) == 6
    assert not [line for line in printed if line.strip() not in texts]
