"""The health check, asked of a real Redis in each of its states."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from tests.integration.redis.damage import fill
from tests.kept_redis import KeptRedis


def health(server: KeptRedis) -> tuple[int, str]:
    """Exit code and sentence."""
    done = server.keeper(module="keeper.health")
    assert done.stderr == "" and done.stdout.count("\n") == 1
    return done.returncode, done.stdout.strip()


@pytest.fixture
def admin(private: KeptRedis) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(private.admin_url) as connection:
        yield connection


def refused(server: KeptRedis, error: str) -> bool:
    """Whether Redis refuses a write with that error; so that the health check is proved right."""
    with redis.Redis.from_url(server.url) as worker:
        try:
            worker.set("rq:x", "x")
        except redis.RedisError as reason:
            return error in f"{type(reason).__name__} {reason}"
    return False


def test_a_redis_that_takes_writes(private: KeptRedis) -> None:
    code, sentence = health(private)
    assert code == 0 and sentence.startswith("Redis takes writes: ") and " of 64 MB (" in sentence


def test_a_full_redis(private: KeptRedis, admin: redis.Redis) -> None:
    with redis.Redis.from_url(private.url) as worker:
        worker.set("rq:large", bytes(2 << 20))
    admin.config_set("maxmemory", "2mb")
    code, sentence = health(private)
    assert code == 1 and sentence.endswith(" of 2 MB; it refuses writes until REDIS_MEMORY is raised.")
    assert refused(private, "OutOfMemoryError")


def test_a_replica_is_read_only(private: KeptRedis, admin: redis.Redis) -> None:
    admin.replicaof("127.0.0.1", 1)
    code, sentence = health(private)
    assert code == 1 and sentence.startswith("Redis is read-only: it is a replica")
    assert refused(private, "ReadOnlyError")


def test_a_redis_that_cannot_save_is_read_only(private: KeptRedis, admin: redis.Redis) -> None:
    # A directory in the snapshot's place lets every save fail, for root too.
    (private.data / "dump.rdb").mkdir()
    with pytest.raises(redis.ResponseError):
        admin.save()
    admin.bgsave()
    while admin.info("persistence")["rdb_bgsave_in_progress"]:
        pass
    code, sentence = health(private)
    assert code == 1 and sentence.startswith("Redis is read-only: its last snapshot could not be written")
    assert refused(private, "MISCONF")


@contextmanager
def loading_slowly(server: KeptRedis) -> Iterator[None]:
    """redis-server on the same files, half a millisecond for each key; it answers after every 1024 of them."""
    command = ["redis-server", str(server.runtime / "redis.conf"), "--key-load-delay", "500"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", server.port)).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None
        yield
    finally:
        process.kill()
        process.wait()


def test_a_loading_redis(private: KeptRedis) -> None:
    with redis.Redis.from_url(private.url) as worker, worker.pipeline(transaction=False) as many:
        for number in range(40_000):
            many.set(f"rq:{number}", "x")
        many.execute()
    private.kill()
    with loading_slowly(private):
        code, sentence = health(private)
        assert code == 1 and sentence.startswith("Redis is loading its data: ")
        assert refused(private, "BusyLoadingError")


def test_a_redis_that_is_down(private: KeptRedis) -> None:
    private.kill()
    assert health(private) == (1, "Redis does not answer (Connection refused).")


def test_a_redis_that_the_keeper_still_prepares(private: KeptRedis) -> None:
    private.kill()
    (private.runtime / "health").unlink()
    code, sentence = health(private)
    assert code == 1 and sentence.startswith("Redis is not there yet: its files are looked at")


def test_a_redis_that_hangs(private: KeptRedis) -> None:
    os.kill(private.pid, signal.SIGSTOP)
    try:
        assert health(private) == (1, "Redis does not answer (timed out).")
    finally:
        os.kill(private.pid, signal.SIGCONT)


def test_a_redis_that_somebody_elses_password_does_not_open(private: KeptRedis) -> None:
    fill(private)
    Path(private.runtime / "health").write_text("somebody else's")
    code, sentence = health(private)
    assert code == 1 and sentence.startswith("Redis does not answer (WRONGPASS")
