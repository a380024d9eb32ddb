"""The display of a start, on a terminal and in a pipe."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from outlast.deploy import progress, stack
from outlast.deploy.progress import Display, _cut, state
from outlast.deploy.stack import Container
from tests.unit.deploy.stand_in import container


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 7.0))


def one(service: str = "redis", **changes: Any) -> Container:
    made = stack._container(container(service))
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({}, "ready"),
        ({"health": ""}, "ready"),
        ({"health": "starting"}, "starting"),
        ({"health": "unhealthy"}, "unhealthy"),
        ({"status": "created"}, "waiting"),
        ({"status": "exited"}, "stopped"),
        ({"status": "restarting"}, "restarting"),
        ({"status": "paused"}, "paused"),
    ],
)
def test_one_word_says_where_a_container_is(changes: dict[str, str], word: str) -> None:
    assert state(one(**changes)) == word


def test_a_service_without_a_container_waits() -> None:
    assert state(None) == "waiting"


def test_a_pipe_gets_a_line_for_each_change_and_none_for_numbers_that_count() -> None:
    stream = io.StringIO()
    display = Display(stream)
    display.show(["redis"], [])
    display.show(["redis"], [one(health="starting", said="loading, 1 s")])
    display.show(["redis"], [one(health="starting", said="loading, 2 s")])
    display.show(["redis"], [one()])
    display.note("no passing line goes to a pipe")
    assert stream.getvalue().splitlines() == [
        "  redis: waiting, 0 s", "  redis: starting, 0 s (loading, 1 s)", "  redis: ready, 0 s",
    ]  # fmt: skip


def test_a_terminal_shows_each_service_in_its_place() -> None:
    stream = Terminal()
    display = Display(stream)
    display.show(["redis", "vllm"], [one()])
    display.show(["redis", "vllm"], [one(), one("vllm", health="starting", said="loading")])
    first, second = stream.getvalue().split("\x1b[2F")
    assert first.count("\n") == second.count("\n") == 2 and "vllm" in second and "loading" in second


def test_a_row_is_cut_to_the_terminal_without_losing_its_colours_end() -> None:
    assert _cut("\x1b[32mabcdef\x1b[0m", 5) == "\x1b[32mabcd\x1b[0m"


def test_the_containers_of_a_scaled_service_have_their_numbers() -> None:
    stream = io.StringIO()
    Display(stream).show(["worker"], [one("worker", number="2", id="b"), one("worker")])
    assert stream.getvalue().splitlines() == ["  worker 1: ready, 0 s", "  worker 2: ready, 0 s"]


def test_of_a_container_that_is_being_replaced_the_newer_is_shown() -> None:
    stream = io.StringIO()
    older = one("worker", id="old", created=1.0)
    Display(stream).show(["worker"], [one("worker", created=2.0, health="starting"), older])
    assert stream.getvalue() == "  worker: starting, 0 s (worker says how it is)\n"


def test_what_a_check_said_before_the_container_was_restarted_is_not_shown() -> None:
    described = container("worker")
    described["State"]["StartedAt"] = "2100-01-01T00:00:00Z"
    assert stack._container(described).said == ""


def test_what_a_check_says_cannot_move_the_cursor() -> None:
    described = container("worker")
    described["State"]["Health"]["Log"][0]["Output"] = "first\nbad \x1b[2J end\n"
    assert stack._container(described).said == "bad ·[2J end"


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("2026-11-22T12:00:00.5Z", 1795348800.5),
        ("2026-11-22T12:00:00Z", 1795348800.0),
        ("2026-11-22T13:00:00.123456789+01:00", 1795348800.123456789),
        ("", 0.0),
    ],
)
def test_times_are_read_as_docker_writes_them(stamp: str, seconds: float) -> None:
    assert stack.seconds(stamp) == pytest.approx(seconds)
