"""What `outlast list` tells of sessions that wait, and what the command asks of Redis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from outlast.cli.main import main
from outlast.log.redis_log import RedisLog
from tests.integration.cli.test_commands import on_a_terminal
from tests.unit.cli.sample import play

#: All that the command says to Redis: what the ACL user `client` must be allowed.
ASKED = {
    "auth", "client", "exec", "exists", "hello", "hgetall", "hget", "hmget", "llen", "lpos", "lrange", "multi", "ping",
    "select", "smembers", "xinfo", "xlen", "xrange", "xread", "xrevrange", "zrevrange",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _address(redis_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OUTLAST_REDIS_URL", redis_url)
    monkeypatch.setenv("OUTLAST_WORKSPACES", str(tmp_path))


def enqueue(connection: redis.Redis, *jobs: str, queue: str = "default") -> None:
    """Jobs as RQ queues them, without a log."""
    with connection.pipeline() as pipe:
        pipe.sadd("rq:queues", f"rq:queue:{queue}")
        pipe.rpush(f"rq:queue:{queue}", *jobs)
        for job in jobs:
            call = {"description": "outlast.run(prompt='x')", "created_at": "2026-11-20T08:00:00Z"}
            pipe.hset(f"rq:job:{job}", mapping=call)
        pipe.execute()


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def calls(connection: redis.Redis) -> dict[str, int]:
    """How often each command was run since the last `config_resetstat`."""
    told: dict[str, Any] = connection.info("commandstats")
    counted: dict[str, int] = {}
    for name, value in told.items():
        command = name.removeprefix("cmdstat_").partition("|")[0]
        counted[command] = counted.get(command, 0) + value["calls"]
    return counted


def test_a_waiting_session_has_its_place_in_its_own_queue(
    connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    play(RedisLog(connection, "sales"))
    enqueue(connection, "a", "b")
    enqueue(connection, "c", "sales", queue="gpu")
    assert main(["list"]) == 0
    assert [(row["session"], row["queue"], row["place"], row["of"]) for row in listed(capsys)] == [
        ("a", "default", 1, 2), ("b", "default", 2, 2), ("c", "gpu", 1, 2), ("sales", "gpu", 2, 2),
    ]  # fmt: skip
    shown = on_a_terminal("list")
    assert "queued 2 of 2 " in shown and "queued 2 of 2 in gpu" in shown


def test_a_suspended_queue_is_said(connection: redis.Redis, capsys: pytest.CaptureFixture[str]) -> None:
    enqueue(connection, "a")
    assert "uspended" not in on_a_terminal("list")
    connection.set("rq:suspended", 1)
    assert "Suspended: no worker takes a job from any queue until `rq resume`." in on_a_terminal("list")
    assert main(["list"]) == 0
    assert [row["suspended"] for row in listed(capsys)] == [True]


def test_ten_thousand_waiting_jobs_cost_a_bounded_number_of_questions(
    connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    enqueue(connection, *(f"job-{number}" for number in range(10_000)))
    connection.rpush("rq:queue:default", "sales")
    play(RedisLog(connection, "sales"))
    connection.config_resetstat()
    assert main(["list"]) == 0
    rows = listed(capsys)
    assert [row["session"] for row in rows] == [*(f"job-{number}" for number in range(20)), "sales"]
    assert rows[-1]["place"] == rows[-1]["of"] == 10_001
    assert sum(calls(connection).values()) < 700
    assert "Queue default holds 10001 jobs; `outlast list --all` shows more." in on_a_terminal("list")
    assert main(["list", "--all"]) == 0
    assert len(listed(capsys)) == 10_001


def test_jobs_of_others_are_passed_over_however_many_they_are(
    connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    connection.rpush("rq:queue:default", *(f"other-{number}" for number in range(1200)))
    enqueue(connection, "mine")
    assert main(["list"]) == 0
    assert [(row["session"], row["place"], row["of"]) for row in listed(capsys)] == [("mine", 1201, 1201)]
    assert main(["show", "mine"]) == 1
    assert "its job is number 1201 of 1201 in queue default" in capsys.readouterr().err


def test_the_command_asks_redis_for_these_things_only_and_none_of_them_writes(
    connection: redis.Redis, capsys: pytest.CaptureFixture[str], tmp_path: Path, redis_url: str
) -> None:
    play(RedisLog(connection, "sales"))
    (tmp_path / "sales" / "files").mkdir(parents=True)
    enqueue(connection, "a")
    connection.zadd("rq:failed:default", {"b": 1})
    connection.hset("rq:job:b", mapping={"description": "outlast.run()", "status": "failed"})
    readers = [f"+{name}" for name in ASKED - {"auth", "hello"}]
    connection.acl_setuser("reader", enabled=True, passwords=["+word"], keys=["rq:*", "outlast:*"], commands=readers)
    try:
        connection.acl_log_reset()
        url = redis_url.replace("redis://", "redis://reader:word@")
        for arguments in (
            ["list"], ["list", "--all"], ["show", "sales"], ["show", "a"], ["show", "b"], ["show", "none"],
            ["logs", "sales"], ["logs", "-f", "sales"], ["verify", "--all"], ["files", "sales"], ["cp", "none:x", "."],
        ):  # fmt: skip
            assert main(["--redis-url", url, *arguments]) in (0, 1)
        assert connection.acl_log() == []
    finally:
        connection.acl_deluser("reader")
    told: dict[str, Any] = connection.command()
    assert [name for name in ASKED if "write" in told[name]["flags"]] == []
