"""When a cell has run too long or has stalled."""

from __future__ import annotations

import math

from outlast.kernel.causes import Cause
from outlast.kernel.limits import STALL_BYTES, STALL_TICKS, Watch
from outlast.kernel.processes import Work

IDLE = Work(100, 1000)


def says(breach: Cause | None) -> str:
    assert breach is not None
    return breach.says


def test_without_limits_a_cell_may_run_for_ever() -> None:
    watch = Watch(0.0, 0, 0)
    assert watch.breach(1e9) is None and watch.wait(5.0) == math.inf and watch.sample_seconds == 0


def test_a_cell_is_over_its_time_from_the_limit_on_and_not_before() -> None:
    watch = Watch(100.0, 10, 0)
    assert watch.breach(109.9) is None and watch.wait(104.0) == 6.0
    assert "longer than its limit of 10 s" in says(watch.breach(110.0))


def test_a_cell_that_does_nothing_stalls() -> None:
    watch = Watch(0.0, 0, 300)
    for second in range(300):
        watch.seen(float(second), 0, IDLE)
        assert watch.breach(float(second)) is None
    assert "for 300 s it printed nothing" in says(watch.breach(300.0))


def test_output_processor_time_and_disk_traffic_each_put_a_stall_off() -> None:
    for outputs, work in [(1, IDLE), (0, Work(100 + STALL_TICKS, 1000)), (0, Work(100, 1000 + STALL_BYTES))]:
        watch = Watch(0.0, 0, 300)
        watch.seen(0.0, 0, IDLE)
        watch.seen(299.0, outputs, work)
        assert watch.breach(598.0) is None and watch.breach(599.0)


def test_time_in_which_nobody_listened_to_a_cell_counts_towards_no_limit() -> None:
    for watch in (Watch(0.0, 10, 0), Watch(0.0, 0, 10)):
        watch.held_up(300.0)
        assert watch.breach(309.0) is None and watch.wait(305.0) == 5.0 and watch.breach(310.0)


def test_the_kernels_own_housekeeping_puts_no_stall_off() -> None:
    watch = Watch(0.0, 0, 300)
    watch.seen(0.0, 0, IDLE)
    watch.seen(299.0, 0, Work(100 + STALL_TICKS - 1, 1000 + STALL_BYTES - 1))
    assert watch.breach(300.0)


def test_slow_work_that_adds_up_puts_a_stall_off() -> None:
    watch = Watch(0.0, 0, 300)
    for second in range(600):
        watch.seen(float(second), 0, Work(100 + second // 10, 1000))
        assert watch.breach(float(second)) is None


def test_a_process_that_takes_its_share_along_counts_as_something_happening() -> None:
    watch = Watch(0.0, 0, 300)
    watch.seen(0.0, 0, IDLE)
    watch.seen(299.0, 0, Work(0, 0))
    assert watch.breach(300.0) is None
