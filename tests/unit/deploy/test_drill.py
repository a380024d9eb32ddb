"""What `make drill` refuses, how much of the machine it takes, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from outlast.deploy.docker import DeployError
from outlast.deploy.drill import IMAGES, room
from outlast.deploy.drill_report import lines, wrong
from tests.unit.deploy.conftest import Done
from tests.unit.deploy.stand_in import NO_ENGINE, Host

GB = 1 << 30
FAULT = {"number": 1, "victim": "redis", "after": 1.0, "sessions": ["job-1"], "went_on": 0.5}
ZERO = dict.fromkeys(("lost", "duplicated", "rerun", "different", "failed"), 0)
TOLD: dict[str, Any] = {
    "seed": 7, "jobs": 2, "kills": 1, "ordered": {"jobs": 2, "kills": 1}, "seconds": 9.0, **ZERO, "problems": [],
    "faults": [FAULT | ZERO],
    "recovery": {"redis": {"count": 1, "min": 0.5, "median": 0.5, "p90": 0.5, "p99": 0.5, "max": 0.5}},
}  # fmt: skip


def test_a_drill_takes_a_quarter_of_a_large_machine() -> None:
    taken = room(None, {"NCPU": 16, "MemTotal": 64 * GB})
    assert (taken.share, taken.cpus, taken.memory) == (25, 4, 16 * GB)


def test_on_a_small_machine_it_takes_the_least_that_it_can_run_with_and_says_so() -> None:
    assert room(None, {"NCPU": 2, "MemTotal": 64 * GB}).share == 50
    with pytest.raises(DeployError, match="SHARE=50% or more"):
        room(25, {"NCPU": 2, "MemTotal": 64 * GB})


def test_a_machine_that_is_too_small_is_told_so() -> None:
    with pytest.raises(DeployError, match="run it on a larger one"):
        room(None, {"NCPU": 2, "MemTotal": 2 * GB})


def test_all_containers_together_have_no_more_than_the_share() -> None:
    taken = room(20, {"NCPU": 8, "MemTotal": 32 * GB})
    assert taken.worker_memory + 1.5 * GB <= taken.memory == 0.2 * 32 * GB


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--kills", "0"), "one kill at least"),
        (("--share", "120%"), "is not a share of this machine"),
        (("--share", "5%"), "is too little for a drill"),
    ],
)
def test_what_cannot_be_drilled_is_refused_before_anything_is_made(
    host: Host, run: Callable[..., Done], words: tuple[str, ...], sentence: str
) -> None:
    before = host.files()
    done = run("drill", *words)
    assert done.code == 1 and sentence in done.err and host.files() == before
    assert all(call[1] in ("info", "image") for call in host.calls())


@pytest.mark.parametrize("image", IMAGES)
def test_without_images_it_says_what_makes_them(host: Host, run: Callable[..., Done], image: str) -> None:
    host.answer(f"docker image inspect --format {{{{.Id}}}} {image}", err="No such image", code=1)
    done = run("drill")
    assert done.code == 1 and f"There is no image {image}, and a drill builds none: make up does." in done.err


def test_without_an_engine_it_says_so(host: Host, run: Callable[..., Done]) -> None:
    host.answer("docker info", err=NO_ENGINE, code=1)
    assert "no Docker Engine answers" in run("drill").err


def test_programs_get_a_line_for_each_kill_and_one_for_all() -> None:
    fault, total = (json.loads(line) for line in lines(TOLD, as_json=True))
    assert fault["victim"] == "redis" and total["kills"] == 1 and "faults" not in total


def test_people_get_a_table_and_every_violation() -> None:
    shown = "\n".join(lines({**TOLD, "lost": 1, "problems": ["job-1: lost: record 1-2"]}, as_json=False))
    assert "redis            1     0.50" in shown and "job-1: lost: record 1-2" in shown and "1 lost, 0 dup" in shown


def test_one_violation_of_any_kind_is_enough() -> None:
    assert wrong(TOLD) == 0 and all(wrong({**TOLD, kind: 1}) == 1 for kind in ZERO)
