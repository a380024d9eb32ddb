"""What is killed, and when: drawn from a seed, and nothing else. Pure.

A moment is a share of all the work that there is (replies of all jobs), not a time: so the kills meet the whole of it
on a fast machine and on a slow one, and the last of them comes before the last job ends.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

#: What can be killed, and how often out of all kills. `container`: every process of all workers; `everything`: those,
#: Redis and the model server, at once.
WEIGHTS = {
    "worker": 3, "child": 3, "guardian": 2, "kernel": 3, "redis": 3, "model": 2, "container": 1, "everything": 1,
}  # fmt: skip
VICTIMS = tuple(WEIGHTS)

#: Those that belong to the worker of one session.
OF_A_SESSION = ("worker", "child", "guardian", "kernel")
#: Those that cost a running session its attempt.
ENDS_ATTEMPT = ("worker", "child", "container", "everything")

#: No kill before the first of these shares of the work, or after the second.
FIRST, LAST = 0.01, 0.97
#: Seconds after the moment that the work is at its share, at most: the moment itself comes with a record.
LONGEST_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Strike:
    """One kill: `pause` seconds after `share` (0 to 1) of the work is done; `pick` (0 to 1) picks a session."""

    victim: str
    share: float
    pause: float
    pick: float


def strikes(seed: int, kills: int) -> list[Strike]:
    """The kills in their order; every victim has its part of them."""
    chance = random.Random(f"drill {seed}")  # noqa: S311  # a seed that repeats is the point; nothing is kept secret
    victims = list(itertools.islice(_victims(chance), kills))
    shares = sorted(chance.uniform(FIRST, LAST) for _ in victims)
    return [
        Strike(victim, share, chance.uniform(0, LONGEST_PAUSE), chance.random())
        for victim, share in zip(victims, shares, strict=True)
    ]


def _victims(chance: random.Random) -> Iterator[str]:
    """Rounds of all victims by their weights, each round shuffled."""
    while True:
        round_ = [victim for victim, weight in WEIGHTS.items() for _ in range(weight)]
        chance.shuffle(round_)
        yield from round_
