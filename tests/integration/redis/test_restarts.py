"""What was acknowledged is there after a kill, whoever wrote it and however."""

from __future__ import annotations

import time

import redis

from outlast.log.redis_log import RedisLog
from outlast.log.verify import verify
from tests.kept_redis import KeptRedis
from tests.unit.cli.sample import play

#: Each as a user without leave for much else: Redis replays the file under its own rules.
WRITES = (
    ("rq:plain", ["SET rq:plain x"]),
    ("rq:both", ["MULTI", "HSET rq:both a 1", "HSET rq:both b 2", "EXEC"]),
    ("rq:script", ["EVAL redis.call('SET','rq:script',1);redis.call('SET','rq:other',1) 0"]),
)


def test_transactions_and_scripts_of_every_user_survive_a_kill(private: KeptRedis) -> None:
    for user in ("client", "worker", "admin"):
        with redis.Redis.from_url(private.url_of(user)) as connection:
            connection.ping()
            with redis.Redis.from_url(private.admin_url) as admin:
                admin.flushall()
            for _, commands in WRITES:
                with connection.client() as one:
                    for words in commands:
                        one.execute_command(*words.split())
        private.restart()
        with redis.Redis.from_url(private.admin_url) as admin:
            assert [key for key, _ in WRITES if not admin.exists(key)] == [], user
            assert admin.hgetall("rq:both") == {b"a": b"1", b"b": b"2"}


def test_a_log_survives_a_kill_and_a_rewrite_of_the_file(private: KeptRedis) -> None:
    with redis.Redis.from_url(private.url) as worker, redis.Redis.from_url(private.admin_url) as admin:
        log = RedisLog(worker, "sales")
        play(log)
        before = log.read()
        private.restart()
        assert log.read() == before and verify(before, log.head()).ok
        admin.bgrewriteaof()
        # The process that rewrites it would outlive the server, with the keeper's lock.
        while _is_rewriting(admin):
            time.sleep(0.01)
        private.restart()
        assert log.read() == before and verify(before, log.head()).ok
    assert "CRITICAL" not in private.log_text()


def _is_rewriting(admin: redis.Redis) -> bool:
    told = admin.info("persistence")
    return bool(told["aof_rewrite_in_progress"] or told["aof_rewrite_scheduled"])


def test_a_stop_is_clean(private: KeptRedis) -> None:
    with redis.Redis.from_url(private.url) as worker:
        worker.set("rq:x", 1)
        pid = private.pid
        private.stop()
        assert f"{pid}:signal-handler" in private.log_text() and "bye bye" in private.log_text()
        private.restart()
        assert worker.get("rq:x") == b"1"
