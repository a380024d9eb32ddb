"""When a lease counts as lapsed. The clock is a number; the lease is two seconds, samples come every half."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from outlast.queue.leases import LapsedLeases

LEASE, STEP = 2.0, 0.5


class Sweeper:
    """Feeds samples at a steady pace."""

    def __init__(self) -> None:
        self.leases = LapsedLeases(LEASE)
        self.now = 100.0

    def see(self, counters: Mapping[str, int], *, after: float = STEP, takes: float = 0.0) -> dict[str, int]:
        self.now += after
        asked = self.now
        self.now += takes
        return self.leases.sample(asked, self.now, counters)

    def until_lapsed(self, counters: Mapping[str, int], most: int = 20) -> int:
        """Samples until something lapses."""
        for number in range(1, most + 1):
            if self.see(counters):
                return number
        return most + 1


def test_a_lease_that_is_not_renewed_lapses_after_a_whole_lease() -> None:
    sweeper = Sweeper()
    seen = [sweeper.see({"a": 7}) for _ in range(5)]
    assert seen == [{}, {}, {}, {}, {"a": 7}]


def test_a_lease_that_is_renewed_does_not_lapse() -> None:
    sweeper = Sweeper()
    # Renewed at the last moment each time: unchanged over four samples, changed in the fifth.
    assert not any(sweeper.see({"a": count // 4}) for count in range(100))


def test_only_the_lease_that_stands_still_lapses() -> None:
    sweeper = Sweeper()
    lapsed = [sweeper.see({"dead": 1, "alive": count}) for count in range(10)]
    assert lapsed[4] == {"dead": 1} and all("alive" not in found for found in lapsed)


def test_a_lease_that_appears_later_is_counted_from_then() -> None:
    sweeper = Sweeper()
    for _ in range(10):
        sweeper.see({"other": 1})
    assert sweeper.until_lapsed({"new": 1}) == 5


def test_a_lease_that_vanishes_and_returns_is_counted_anew() -> None:
    sweeper = Sweeper()
    for _ in range(4):
        sweeper.see({"a": 1})
    sweeper.see({})
    assert sweeper.until_lapsed({"a": 1}) == 5


def test_a_late_sample_restarts_the_clock_of_all() -> None:
    sweeper = Sweeper()
    for _ in range(4):
        sweeper.see({"a": 1, "b": 2})
    # Half a lease without a sample: who knows whether anybody could renew.
    assert not sweeper.see({"a": 1, "b": 2}, after=LEASE / 2 + 0.01)
    assert sweeper.until_lapsed({"a": 1, "b": 2}) == 4


def test_an_outage_of_redis_restarts_the_clock_of_all() -> None:
    sweeper = Sweeper()
    for _ in range(4):
        sweeper.see({"a": 1})
    sweeper.leases.outage()
    assert not sweeper.see({"a": 1})
    assert sweeper.until_lapsed({"a": 1}) == 4


def test_after_an_outage_that_others_may_notice_late_the_clock_starts_that_much_later() -> None:
    sweeper = Sweeper()
    sweeper.see({"a": 1})
    sweeper.leases.outage(notice=5.0)
    # Renewed first at the last moment, 5 s after the outage, and never again.
    assert not any(sweeper.see({"a": 1}) for _ in range(10))
    assert sweeper.until_lapsed({"a": 2}) == 5
    sweeper.leases.outage(notice=5.0)
    # The same outage, met again in another way.
    sweeper.leases.outage()
    assert sweeper.until_lapsed({"a": 2}) == 15


def test_a_sample_that_redis_was_slow_to_answer_restarts_the_clock() -> None:
    sweeper = Sweeper()
    for _ in range(4):
        sweeper.see({"a": 1})
    assert not sweeper.see({"a": 1}, after=0.0, takes=LEASE / 2 + 0.01)
    assert not sweeper.see({"a": 1})


def test_where_redis_answers_slowly_a_renewal_may_come_late() -> None:
    sweeper = Sweeper()
    # Ten answers of 0.2 s each between two renewals; the sweeper itself asks for less at the time.
    renewed = [sweeper.see({"a": number // 8}, after=0.3, takes=0.2) for number in range(40)]
    assert not any(renewed)
    assert any(sweeper.see({"a": 99}, after=0.3, takes=0.2) for _ in range(10))


def test_a_lease_is_not_judged_by_the_time_an_answer_took() -> None:
    sweeper = Sweeper()
    for _ in range(4):
        sweeper.see({"a": 1})
    # Asked just short of a lease after the first sample and answered just past it: the read may lie before.
    assert not sweeper.see({"a": 1}, after=STEP - 0.2, takes=0.4)


@given(st.lists(st.tuples(st.floats(0.01, 3.0), st.floats(0, 1.5), st.booleans(), st.booleans()), max_size=60))
def test_a_lease_never_lapses_within_a_lease_of_its_last_renewal(steps: list[tuple[float, float, bool, bool]]) -> None:
    sweeper, counter, renewed_at = Sweeper(), 0, 100.0
    for after, takes, renews, outage in steps:
        if outage:
            sweeper.leases.outage()
        if renews:
            counter, renewed_at = counter + 1, sweeper.now + after
        if sweeper.see({"a": counter}, after=after, takes=takes):
            assert sweeper.now - takes - renewed_at >= LEASE
