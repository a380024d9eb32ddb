"""Real `rq` processes around played sessions (see workers.py)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.queue.site import Site
from tests.redis_server import RedisServer


@pytest.fixture
def site(redis_url: str) -> Iterator[Site]:
    """An empty Redis and no workers yet."""
    with Site(redis_url) as place:
        yield place


@pytest.fixture
def own_redis(private_redis) -> RedisServer:
    """A Redis that the test may kill."""
    return private_redis()


@pytest.fixture
def own_site(own_redis: RedisServer) -> Iterator[Site]:
    """As `site`, on `own_redis`."""
    with Site(own_redis.url) as place:
        yield place
