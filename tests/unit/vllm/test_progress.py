"""Hung, busy, idle, loading: told apart by what moves, not by whether the server answers."""

from __future__ import annotations

import pytest

from launcher.progress import Progress, patience
from launcher.state import STALE, State, judge


def test_figures_that_move_are_progress() -> None:
    assert Progress("1", 10).after("2", 70) == Progress("2", 70)


@pytest.mark.parametrize("figures", ["1", None])
def test_the_same_figures_or_no_answer_are_none(figures: str | None) -> None:
    after = Progress("1", 10).after(figures, 70)
    assert after.quiet(70) == 60


def test_a_quiet_server_is_asked_long_before_it_counts_as_hung() -> None:
    assert patience(300) == 60
    assert patience(10) == 2.5


LOADING = State("loading", since=100, at=140)
SERVING = State("serving", since=100, at=140, quiet=3, stall=300)


@pytest.mark.parametrize(
    ("state", "healthy", "sentence"),
    [
        (None, False, "starting"),
        (LOADING, False, "loading the model, 40 s"),
        (State("loading", 100, 140, note="share 0.8"), False, "loading the model, 40 s (share 0.8)"),
        (SERVING, True, "serving, last progress 3 s ago"),
        (State("serving", 100, 140, quiet=149, stall=300), True, "serving, last progress 149 s ago"),
        (State("serving", 100, 140, 160, 300), False, "no progress for 160 s; it is restarted at 300 s"),
        (State("stopping", 100, 140), False, "stopping"),
        (State("ended", 100, 140, note="It does not fit."), False, "ended (It does not fit.)"),
    ],
)
def test_the_health_check_tells_the_states_apart(state: State | None, healthy: bool, sentence: str) -> None:
    assert judge(state, 140) == (healthy, sentence)


def test_a_launcher_that_stands_still_is_unhealthy_whatever_it_wrote_last() -> None:
    healthy, sentence = judge(SERVING, 140 + STALE + 1)
    assert not healthy
    assert judge(State("ended", 100, 140), 140 + STALE + 1) == (False, "ended")
    assert "launcher has stood still" in sentence
