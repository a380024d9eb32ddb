"""The server that tests and demo start: durable, and ours."""

from __future__ import annotations

from collections.abc import Callable

import redis

from tests.redis_server import RedisServer


def test_a_killed_server_comes_back_with_everything_it_had_confirmed(private_redis: Callable[[], RedisServer]) -> None:
    server = private_redis()
    first = server.pid
    with redis.Redis.from_url(server.url) as connection:
        connection.set("kept", "yes")
    server.kill()
    server.restart()
    assert server.pid != first
    with redis.Redis.from_url(server.url) as connection:
        assert connection.get("kept") == b"yes"
        assert connection.config_get("append*")["appendfsync"] == "always"


def test_a_test_starts_with_an_empty_server(connection: redis.Redis) -> None:
    assert connection.dbsize() == 0
    connection.set("left", "behind")


def test_what_another_test_left_is_gone(connection: redis.Redis) -> None:
    assert connection.dbsize() == 0
    connection.set("left", "behind")
