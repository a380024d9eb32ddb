"""Medians, goals, ratios."""

from __future__ import annotations

import pytest

from bench.figure import Beside, Row
from bench.sample import Goal, Sample


def test_a_sample_knows_its_median_worst_and_shares() -> None:
    sample = Sample.of([3.0, 1.0, 2.0, 10.0])
    assert (sample.median, sample.worst, sample.count) == (2.5, 10.0, 4)
    assert [sample.at_least_of(share) for share in (0.1, 0.5, 0.75, 0.76, 1.0)] == [1.0, 2.0, 3.0, 10.0, 10.0]
    assert sample.scaled(2).values == (6.0, 2.0, 4.0, 20.0)


def test_a_sample_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Sample.of([])


@pytest.mark.parametrize(
    ("goal", "reached"),
    [
        (Goal(), None),
        (Goal(median=2.0), True),
        (Goal(median=1.9), False),
        (Goal(median=2.0, worst=3.0), True),
        (Goal(median=2.0, worst=2.9), False),
        (Goal(ratio=1.0), True),
        (Goal(ratio=0.9), False),
        (Goal(ratio=1.0, worst=2.0), False),
    ],
)
def test_a_goal_is_reached_only_if_every_bound_holds(goal: Goal, reached: bool | None) -> None:
    assert goal.reached(Sample.of([1.0, 2.0, 3.0]), Sample.of([2.0])) is reached


def test_nothing_measured_is_neither_reached_nor_missed() -> None:
    assert Goal(median=1.0).reached(None) is None
    assert Goal(ratio=1.0).reached(Sample.of([1.0]), None) is None


def test_a_violation_is_never_a_goal_reached() -> None:
    good = Row("f", "w", Sample.of([1.0]), goal=Goal(median=2.0))
    assert good.reached is True
    assert Row("f", "w", Sample.of([1.0]), goal=Goal(median=2.0), violations=("lost",)).reached is False


def test_the_ratio_of_a_goal_is_to_the_first_beside_it() -> None:
    beside = (Beside("bare", Sample.of([10.0])), Beside("stock", Sample.of([300.0])))
    assert Row("f", "w", Sample.of([11.0]), goal=Goal(ratio=1.15), beside=beside).reached is True
    assert Row("f", "w", Sample.of([12.0]), goal=Goal(ratio=1.15), beside=beside).reached is False
