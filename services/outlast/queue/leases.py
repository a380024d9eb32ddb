"""Leases: how a worker shows that it lives, and how the others learn that it does not.

A worker raises its counter in `outlast:leases` four times a lease. Nobody compares clocks: a sweeper samples all
counters by its own monotonic clock and calls a lease lapsed only when it saw it unchanged over a whole lease of
timely samples. A late sample means that Redis, or the sweeper itself, was away, and says nothing about others, so
it starts every count again: after an outage nobody takes over healthy attempts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis
from rq.defaults import RQ_KEY_PREFIX
from rq.worker_registration import REDIS_WORKER_KEYS

from outlast.points import Point, reach
from outlast.queue import keys
from outlast.queue.scripts import script

#: Questions that a worker may ask between two renewals: where each answer takes long, so does its next renewal.
QUESTIONS = 10


@dataclass(frozen=True, slots=True)
class Seen:
    """A counter, and when (seconds by the sweeper's clock) it was first seen at that value."""

    counter: int
    since: float


class LapsedLeases:
    """Pure: fed with samples, tells which leases have lapsed. `lease_seconds` is that of every worker."""

    def __init__(self, lease_seconds: float) -> None:
        self._lease_seconds = lease_seconds
        self._seen: dict[str, Seen] = {}
        self._last: float | None = None
        self._notice = 0.0

    def outage(self, notice: float = 0.0) -> None:
        """A sample could not be had: start every count again, `notice` seconds after the next that can.

        So long others may take to notice that the outage is over.
        """
        self._seen.clear()
        self._last, self._notice = None, max(self._notice, notice)

    def sample(self, asked: float, answered: float, counters: Mapping[str, int]) -> dict[str, int]:
        """Add one sample, asked for and answered at these times; returns the lapsed leases with their counters."""
        late = self._last is None or answered - self._last > self._lease_seconds / 2
        if late or answered - asked > self._lease_seconds / 2:
            self._seen.clear()
        since, self._notice = answered + self._notice, 0.0
        self._last = answered
        before, self._seen = self._seen, {}
        for lease, counter in counters.items():
            known = before.get(lease)
            unchanged = known is not None and known.counter == counter
            # `asked` and not `answered`: the counter may have been raised any time after it was read.
            self._seen[lease] = known if known is not None and unchanged else Seen(counter, since)
        return {
            lease: seen.counter
            for lease, seen in self._seen.items()
            if asked - seen.since >= self._lease_seconds + QUESTIONS * (answered - asked)
        }


class Leases:
    """The leases in Redis. Every method may raise redis.RedisError."""

    def __init__(self, connection: redis.Redis) -> None:
        self._connection = connection
        self._beat = script(connection, "beat")
        self._recover = script(connection, "recover")

    def register(self, lease: str) -> None:
        """Begin a lease."""
        self._connection.hset(keys.LEASES, lease, "1")

    def beat(self, lease: str) -> tuple[bool, dict[str, int]]:
        """Renew `lease`; (False if it is gone, the counters of all)."""
        reply: Any = self._beat(keys=[keys.LEASES], args=[lease])
        flat = [part.decode() for part in reply[1]]
        return bool(reply[0]), {name: int(counter) for name, counter in zip(flat[::2], flat[1::2], strict=True)}

    def of_worker(self, name: str) -> dict[str, int]:
        """The leases that a worker of this name has (or had)."""
        stored: Any = self._connection.hgetall(keys.LEASES)
        counters = {lease.decode(): int(counter) for lease, counter in stored.items()}
        return {lease: counter for lease, counter in counters.items() if keys.worker_of(lease) == name}

    def recover(self, lease: str, seen: int | None = None) -> list[str] | None:
        """Put back what `lease` held, if it still stands at `seen` (None: it is our own, we leave).

        The ids of the jobs, or None if it was renewed or somebody else was first.
        """
        registration = f"{RQ_KEY_PREFIX}:worker:{keys.worker_of(lease)}"
        reach(Point.RECOVERING)
        jobs: Any = self._recover(
            keys=[keys.LEASES, keys.hand_key(lease), registration, REDIS_WORKER_KEYS],
            args=[lease, "" if seen is None else seen, RQ_KEY_PREFIX],
        )
        reach(Point.RECOVERED)
        return None if jobs is None else [job.decode("utf-8", "replace") for job in jobs]
