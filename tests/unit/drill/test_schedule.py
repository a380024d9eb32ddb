"""The kills of a drill: the same for the same seed, all over the work, every victim among them."""

from __future__ import annotations

from collections import Counter

from outlast.drill.schedule import FIRST, LAST, VICTIMS, WEIGHTS, strikes


def test_a_seed_repeats_its_kills_and_another_has_others() -> None:
    assert strikes(7, 60) == strikes(7, 60) != strikes(8, 60)


def test_every_victim_has_its_part() -> None:
    rounds = 60 // sum(WEIGHTS.values())
    counted = Counter(strike.victim for strike in strikes(3, 60))
    assert all(counted[victim] >= rounds * WEIGHTS[victim] for victim in VICTIMS)


def test_the_kills_come_in_order_and_before_the_work_is_done() -> None:
    shares = [strike.share for strike in strikes(5, 200)]
    assert shares == sorted(shares) and shares[0] >= FIRST and shares[-1] <= LAST
    assert shares[20] < 0.2 and shares[180] > 0.8
