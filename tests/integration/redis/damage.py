"""Ways to spoil an append-only file, and the data directory seen whole."""

from __future__ import annotations

from pathlib import Path

import redis

from tests.kept_redis import KeptRedis

KEYS = ("rq:one", "rq:two", "rq:three")


def fill(server: KeptRedis) -> None:
    """Three values, one after the other, the second and third in a transaction with another."""
    with redis.Redis.from_url(server.url) as worker:
        worker.set(KEYS[0], "1")
        for number, key in enumerate(KEYS[1:], 2):
            with worker.pipeline(transaction=True) as both:
                both.set(key, str(number))
                both.hset("rq:last", "key", key)
                both.execute()


def kept_keys(server: KeptRedis) -> list[str]:
    """Those of the values that are there."""
    with redis.Redis.from_url(server.url) as worker:
        return [key for key in KEYS if worker.exists(key)]


def increment(server: KeptRedis) -> Path:
    """The file that Redis appends to."""
    return max((server.data / "appendonlydir").glob("*.incr.aof"), key=lambda path: int(path.name.split(".")[2]))


def contents(data: Path) -> dict[str, bytes]:
    """Every file of the directory but the lock."""
    files = (path for path in data.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(data)): path.read_bytes() for path in files}
