"""A Redis that the keeper started, for each test that asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from tests.dependencies import require
from tests.kept_redis import KeptRedis

Connect = Callable[[str], redis.Redis]


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptRedis]:
    """One for all tests that leave it as it is but for its data."""
    require("redis-server")
    server = KeptRedis(tmp_path_factory.mktemp("kept-redis"))
    yield server
    server.kill()


@pytest.fixture
def kept(shared_redis: KeptRedis) -> KeptRedis:
    """The same, empty, with nothing refused so far."""
    with redis.Redis.from_url(shared_redis.admin_url) as admin:
        admin.flushall()
        admin.acl_log_reset()
    return shared_redis


@pytest.fixture
def private(tmp_path: Path) -> Iterator[KeptRedis]:
    """One that the test may kill, damage and restart."""
    require("redis-server")
    server = KeptRedis(tmp_path)
    yield server
    server.kill()


@pytest.fixture
def as_user(kept: KeptRedis) -> Iterator[Connect]:
    """Connects as a user; replies are bytes."""
    connections: list[redis.Redis] = []

    def connect(user: str) -> redis.Redis:
        connections.append(redis.Redis.from_url(kept.health_url if user == "health" else kept.url_of(user)))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


def refusals(server: KeptRedis) -> list[tuple[str, str, str]]:
    """What Redis refused to users: who, why, what."""
    with redis.Redis.from_url(server.admin_url, decode_responses=True) as admin:
        return [(entry["username"], entry["reason"], entry["object"]) for entry in admin.acl_log()]
