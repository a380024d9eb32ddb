"""The commands that the pages for operators show, taken from the pages themselves.

A line of a block marked `sh` is a command; what follows ` #` is a remark. Lines of a block that only prepare the shell
(`. file`, `set -a …`) hold for the lines after them. A block marked `ini` holds lines of `.env`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: In the order in which an operator meets them.
PAGES = ("README.md", "docs/operations.md")

#: Commands that are not run where all others are, on one stack from the top of the pages to their end
#: (tests/stack/test_operations.py), and the test that runs each instead.
ELSEWHERE = {
    "make model": "tests/integration/vllm/test_fetch.py::test_a_model_is_fetched_without_what_the_server_does_not_read",
    "make model MODEL=Qwen/Qwen3-8B": (
        "tests/integration/vllm/test_fetch.py::test_a_model_is_fetched_without_what_the_server_does_not_read"
    ),
    "make drill": "tests/stack/test_drill.py::test_a_drill_finds_nothing_wrong_and_touches_no_job_but_its_own",
    "make drill SEED=4711 N=200 KILLS=1000 SHARE=50%": (
        "tests/stack/test_drill.py::test_a_drill_finds_nothing_wrong_and_touches_no_job_but_its_own"
    ),
    "make venv": "tests/unit/test_environment.py::test_an_environment_without_a_stamp_is_made_anew",
    "docker kill": (
        "tests/stack/test_kills.py::test_after_docker_kill_make_up_brings_the_container_back_and_the_job_goes_on"
    ),
    "rq worker --worker-class outlast.queue.Worker": (
        "tests/faults/test_kills.py::test_a_drained_session_goes_on_elsewhere_and_the_worker_exits_0"
    ),
}

_FENCE = re.compile(r"```(\w*)")
_REMARK = re.compile(r"\s+# .*$")
_PREPARES = re.compile(r"\. |set -a;")
#: Beginnings of what is a command in a sentence too, where it stands between backquotes.
_COMMAND = re.compile(r"(make|docker|rq|outlast) \S")


@dataclass(frozen=True)
class Command:
    """One command as it stands on a page; `script` is what bash has to be given for it."""

    section: str
    text: str
    script: str


@dataclass(frozen=True)
class Settings:
    """Lines of `.env`, name → value."""

    section: str
    lines: dict[str, str]


def steps(page: str) -> Iterator[Command | Settings]:
    """What a page shows, from top to bottom."""
    section, language = "", None
    prepared: list[str] = []
    settings: dict[str, str] = {}
    for line in (ROOT / page).read_text(encoding="utf-8").splitlines():
        if fence := _FENCE.match(line):
            if language == "ini":
                yield Settings(section, settings)
            language = None if language is not None else fence[1]
            prepared, settings = [], {}
        elif language is None and line.startswith("#"):
            section = line.lstrip("# ")
        elif language == "ini":
            name, _, value = line.partition("=")
            settings[name] = value
        elif language == "sh" and (text := _REMARK.sub("", line).strip()):
            yield Command(section, text, "\n".join([*prepared, text]))
            if _PREPARES.match(text):
                prepared.append(text)


def commands(page: str) -> list[Command]:
    """The commands of a page, from top to bottom."""
    return [step for step in steps(page) if isinstance(step, Command)]


def named_in_sentences(page: str) -> list[str]:
    """Commands between backquotes, outside of blocks."""
    text = re.sub(r"(?ms)^```.*?^```", "", (ROOT / page).read_text(encoding="utf-8"))
    spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)]
    return [span for span in spans if _COMMAND.match(span)]
