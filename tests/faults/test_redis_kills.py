"""SIGKILL to Redis under writers that never pause; `python -m bench outages` does it two hundred times."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from bench.outages import strike
from tests.redis_server import RedisServer


def test_nothing_that_redis_acknowledged_to_eight_writers_is_missing_after_it_is_killed(
    private_redis: Callable[[], RedisServer],
) -> None:
    result = strike(private_redis(), Random(), kills=5, records=2_000)
    assert result.problems == [] and result.records >= 2_000 and result.outages >= 5
