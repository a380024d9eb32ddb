"""Lanes hand out each number once, and say what failed."""

from __future__ import annotations

from bench.lanes import run_lanes


def test_every_job_up_to_the_last_is_run_exactly_once() -> None:
    done: list[int] = []
    assert run_lanes(3, 20, lambda number: not done.append(number)) == []  # type: ignore[func-returns-value]  # append returns None, and its `not` is what continues the lane
    assert sorted(done) == list(range(1, 21))


def test_a_lane_that_fails_says_so_and_the_others_go_on() -> None:
    done: list[int] = []

    def work(number: int) -> bool:
        if number == 2:
            raise LookupError("gone")
        done.append(number)
        return True

    assert run_lanes(2, 6, work) == ["job 2: LookupError: gone"]
    assert sorted(done) == [1, 3, 4, 5, 6]


def test_lanes_without_a_number_of_jobs_end_when_the_work_says_so() -> None:
    done: list[int] = []
    assert run_lanes(1, None, lambda number: not done.append(number) and number < 4) == []  # type: ignore[func-returns-value]  # append returns None, and its `not` is what continues the lane
    assert done == [1, 2, 3, 4]
