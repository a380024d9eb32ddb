"""What is said of an .env: by its line, with what was probably meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from outlast.deploy import dotenv, envfile
from outlast.deploy.options import BY_NAME, OPTIONS, REPLACED, in_words, size
from outlast.settings import OF_THE_STACK, Settings

ROOT = Path(__file__).parents[3]


def told(tmp_path: Path, *lines: str, environ: dict[str, str] | None = None, used: tuple[str, ...] = ()) -> list[str]:
    """What is bad about such a file."""
    file = tmp_path / ".env"
    file.write_text("\n".join(lines))
    found = envfile.findings(file, environ or {}, used)
    return [f"{finding.said} {finding.mend}".strip() for finding in found if finding.verdict == "bad"]


def test_the_example_itself_is_an_env_without_a_mistake(tmp_path: Path) -> None:
    assert told(tmp_path, (ROOT / ".env.example").read_text()) == []


def test_every_setting_of_the_stack_may_be_written_with_its_default(tmp_path: Path) -> None:
    assert told(tmp_path, *(f"{option.name}={option.default}" for option in OPTIONS)) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("REDIS_PROT=6380", ".env:2: REDIS_PROT is not a setting of this stack. Did you mean REDIS_PORT?"),
        ("FROBNICATE=1", ".env:2: FROBNICATE is not a setting of this stack. See .env.example for those that are."),
        ("OUTLAST_LEAS=3", ".env:2: OUTLAST_LEAS is not a setting of Outlast; did you mean OUTLAST_LEASE?"),
        ("OUTLAST_WORKERS=two", ".env:2: OUTLAST_WORKERS='two' is not a whole number of at least 1."),
        ("REDIS_PORT=redis", ".env:2: REDIS_PORT='redis' is not a whole number from 1 to 65535."),
        ("REDIS_PORT=", ".env:2: REDIS_PORT='' is not a whole number from 1 to 65535."),
        ("REDIS_MEMORY=2 gigs", ".env:2: REDIS_MEMORY='2 gigs' is not a whole number with mb or gb after it."),
        ("WORKER_MEMORY=lots", ".env:2: WORKER_MEMORY='lots' is not a size like 512mb or 2gb."),
        ("WORKER_MEMORY=64mb", ".env:2: WORKER_MEMORY='64mb' is not a size of at least 512mb."),
        ("GPU_MEMORY_UTILIZATION=90", ".env:2: GPU_MEMORY_UTILIZATION='90' is not a number from 0.1 to 0.98."),
        ("MODEL=../../etc", ".env:2: MODEL='../../etc' is not the name of a model, like Qwen/Qwen3-4B-Instruct-2507."),
        ("SHUTDOWN_TIMEOUT=600", ".env:2: SHUTDOWN_TIMEOUT='600' is not a whole number from 0 to 105."),
        ("OUTLAST_RUNTIME=a b", ".env:2: OUTLAST_RUNTIME='a b' is not the name of a container runtime, like runsc."),
        ("OUTLAST_RUNTIM=runsc", ".env:2: OUTLAST_RUNTIM is not a setting of Outlast; did you mean OUTLAST_RUNTIME?"),
        ("BASE_IMAGE=a b", ".env:2: BASE_IMAGE='a b' is not the name of an image."),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, line: str, said: str) -> None:
    assert told(tmp_path, "# mine", line) == [said]


@pytest.mark.parametrize("name", REPLACED)
def test_what_an_older_env_had_is_told_with_what_takes_its_place(tmp_path: Path, name: str) -> None:
    [said] = told(tmp_path, f"{name}=x")
    assert said == f".env:1: {name} does not reach the containers: {REPLACED[name]}. Take the line out."


def test_the_worker_passes_over_what_is_the_stacks_in_its_env_and_over_nothing_else(tmp_path: Path) -> None:
    assert {option.name for option in OPTIONS if option.name.startswith("OUTLAST_")} == OF_THE_STACK
    lines = [f"{name}=runsc" for name in OF_THE_STACK]
    assert told(tmp_path, *lines) == []
    assert Settings.load(dict(line.split("=") for line in lines)) == Settings()


def test_mistakes_come_in_the_order_of_their_lines(tmp_path: Path) -> None:
    found = told(tmp_path, "OUTLAST_LEASE=x", "NO=1", "OUTLAST_NO=1", "REDIS_PORT=x")
    assert [said.split(":")[1] for said in found] == ["1", "2", "3", "4"]


def test_what_compose_and_an_operators_own_files_take_is_allowed(tmp_path: Path) -> None:
    own = tmp_path / "compose.override.yaml"
    own.write_text("services: {redis: {labels: {mine: '${MY_LABEL:-x}', other: $OTHER}}}")
    lines = ("MY_LABEL=1", "OTHER=2", "COMPOSE_PROFILES=x", "DOCKER_HOST=unix:///x")
    assert told(tmp_path, *lines, used=tuple(envfile.names_used([own, tmp_path / "none.yaml"]))) == []


def test_the_environment_is_checked_where_it_wins_over_the_file(tmp_path: Path) -> None:
    [said] = told(tmp_path, environ={"REDIS_PORT": "x"})
    assert said == "the environment: REDIS_PORT='x' is not a whole number from 1 to 65535."


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    [finding] = envfile.findings(tmp_path / ".env", {}, ())
    assert finding.said == ".env cannot be read (it is not UTF-8)."


def test_values_are_read_as_compose_reads_them() -> None:
    text = "A=1\n# B=2\n export C = 3 # three\nD='a b' # x\nE=\"q\\\"#\"\nF=a#b\nG: yaml\nA=4\nnonsense\n"
    read = {entry.name: (entry.value, entry.line) for entry in dotenv.read(text)}
    assert read == {"C": ("3", 3), "D": ("a b", 4), "E": ('q"#', 5), "F": ("a#b", 6), "G": ("yaml", 7), "A": ("4", 8)}


def test_a_line_is_set_where_the_example_has_it() -> None:
    assert dotenv.with_line_set("# about A\n#A=1\n#AB=2\n", "A", "3\\1") == "# about A\nA=3\\1\n#AB=2\n"
    assert dotenv.with_line_set("A=1", "B", "2") == "A=1\nB=2\n"


@pytest.mark.parametrize(("text", "count"), [("512", 512), ("2GB", 2 << 30), ("1.5g", 3 << 29), ("64m", 64 << 20)])
def test_sizes_are_powers_of_1024(text: str, count: int) -> None:
    assert size(text) == count


def test_sizes_are_shown_in_the_units_of_the_settings() -> None:
    assert (in_words(6 << 30), in_words(512 << 20)) == ("6.0 GB", "512 MB")


def test_compose_and_the_table_have_the_same_settings_with_the_same_defaults() -> None:
    """Those that compose.yaml takes; the rest are Compose's own, and what the CPU override says otherwise."""
    text = (ROOT / "compose.yaml").read_text()
    taken = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", text))
    taken |= {name: "" for name in re.findall(r"^ +([A-Z_]+):$", text, re.M)}
    for name in ("OUTLAST_MODEL", "OUTLAST_CONTEXT_WINDOW", "OUTLAST_WORKERS", "COMPOSE_ENV_FILES"):
        del taken[name]
    own = {"COMPOSE_FILE", "COMPOSE_PROJECT_NAME"}
    assert taken == {option.name: option.default for option in OPTIONS if option.name not in own}
    assert yaml.safe_load(text)["name"] == BY_NAME["COMPOSE_PROJECT_NAME"].default
