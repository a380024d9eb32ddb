"""What only a real server can do: die under a writer, refuse writes for a while, forget its scripts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import redis

from outlast.errors import RedisAway
from outlast.log.records import AttemptClosed, AttemptOpened, Record, SessionOpened
from outlast.log.redis_log import RedisLog, connect
from outlast.log.verify import verify_log
from tests.integration.log.worlds import delta, opened
from tests.redis_server import RedisServer


@pytest.fixture
def server(private_redis: Callable[[], RedisServer]) -> RedisServer:
    return private_redis()


@pytest.fixture
def client(server: RedisServer) -> Iterator[redis.Redis]:
    with connect(server.url) as client:
        yield client


def test_an_attempt_outlives_redis_killed_between_any_two_of_its_calls(
    server: RedisServer, client: redis.Redis
) -> None:
    outages: list[str] = []

    def restart(text: str) -> None:
        outages.append(text)
        server.restart()

    log = RedisLog(client, "s", on_wait=restart)
    expected = log.tail()
    server.kill()
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=expected, session=SessionOpened("p"))
    appended: list[Record] = []
    for number in range(6):
        if number % 2:
            server.kill()
        appended.append(writer.append(delta(number)))
    server.kill()
    assert log.inbox.deliver("message", "job", {"text": "more"}) == "l"
    server.kill()
    assert not writer.close(AttemptClosed("finished"), state="finished")
    server.kill()
    assert writer.close(AttemptClosed("drained"), state="drained")
    server.kill()
    assert log.read()[2:-1] == appended
    assert len(outages) == 8
    assert verify_log(log).problems == ()


def test_nothing_acknowledged_is_missing_after_redis_is_killed_under_a_writer(
    server: RedisServer, client: redis.Redis
) -> None:
    log = RedisLog(client, "s")
    writer = opened(log)
    acknowledged: list[Record] = []
    halfway = threading.Event()
    go_on = threading.Event()

    def write() -> None:
        while not go_on.is_set() or len(acknowledged) < 200:
            acknowledged.append(writer.append(delta(len(acknowledged))))
            if len(acknowledged) == 100:
                halfway.set()

    thread = threading.Thread(target=write)
    thread.start()
    assert halfway.wait(60)
    # The writer is in the middle of some append or other: that is the point.
    server.kill()
    known = list(acknowledged)
    server.restart()
    with connect(server.url) as other:
        assert RedisLog(other, "s").read()[2:][: len(known)] == known
    go_on.set()
    thread.join()
    assert log.read()[2:] == acknowledged
    assert verify_log(log).problems == ()


def test_a_full_redis_is_waited_for(server: RedisServer, client: redis.Redis) -> None:
    told: list[str] = []

    def free(text: str) -> None:
        told.append(text)
        client.config_set("maxmemory", 0)

    log = RedisLog(client, "s", on_wait=free)
    expected = log.tail()
    client.config_set("maxmemory", 1)
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=expected, session=SessionOpened("p"))
    client.config_set("maxmemory", 1)
    record = writer.append(delta(1))
    client.config_set("maxmemory", 1)
    log.inbox.deliver("cancel", "job", {})
    client.config_set("maxmemory", 1)
    assert writer.close(AttemptClosed("finished"), state="finished")
    assert len(told) == 4
    assert all("maxmemory" in text for text in told)
    assert [str(r.id) for r in log.read()] == ["0-1", "1-0", "1-1", "1-2"]
    assert log.read()[2] == record
    assert verify_log(log).problems == ()


def test_a_redis_that_takes_no_writes_is_waited_for(server: RedisServer, client: redis.Redis) -> None:
    told: list[str] = []

    def promote(text: str) -> None:
        told.append(text)
        client.replicaof("NO", "ONE")

    log = RedisLog(client, "s", on_wait=promote)
    writer = opened(log)
    client.replicaof("127.0.0.1", "1")
    writer.append(delta(1))
    client.replicaof("127.0.0.1", "1")
    assert writer.close(AttemptClosed("drained"), state="drained")
    assert len(told) == 2
    assert verify_log(log).problems == ()


def test_scripts_that_redis_forgot_are_loaded_again(client: redis.Redis) -> None:
    log = RedisLog(client, "s")
    writer = opened(log)
    client.script_flush()
    log.inbox.deliver("cancel", "job", {})
    client.script_flush()
    assert writer.close(AttemptClosed("drained"), state="drained")
    client.script_flush()
    opened(log, "w2", "message")
    assert verify_log(log).problems == ()


def test_somebody_at_a_terminal_is_told_at_once_that_redis_is_away(server: RedisServer, client: redis.Redis) -> None:
    log = RedisLog(client, "s", give_up=lambda: True)
    opened(log)
    server.kill()
    for question in (log.read, log.tail, log.head):
        with pytest.raises(RedisAway, match="check it and try again"):
            question()


def test_a_hanging_redis_counts_as_away(server: RedisServer) -> None:
    with connect(server.url, socket_timeout=0.2) as client, connect(server.url) as operator:
        log = RedisLog(client, "s", on_wait=lambda _: operator.execute_command("CLIENT", "UNPAUSE"))
        writer = opened(log)
        operator.execute_command("CLIENT", "PAUSE", 600_000, "WRITE")
        record = writer.append(delta(1))
        assert log.read()[2:] == [record]
        assert verify_log(log).problems == ()


@pytest.mark.parametrize("options", [{"protocol": 2}, {"protocol": 3}, {"decode_responses": True}], ids=str)
def test_the_log_reads_the_same_over_any_connection(server: RedisServer, options: dict[str, object]) -> None:
    with connect(server.url, **options) as client:
        log = RedisLog(client, "s")
        writer = opened(log)
        record = writer.append(delta(1))
        log.inbox.deliver("message", "job", {"text": "more"})
        assert [entry.source for entry in log.inbox.unread()] == ["job"]
        assert log.follow(None, 0) == log.read()
        assert log.follow(record.id, 0) == []
        head = log.head()
        assert head is not None
        assert (head.added, head.holder) == (3, "lease of w1")
        assert writer.close(AttemptClosed("drained"), state="drained")
        assert verify_log(log).problems == ()


def test_a_log_survives_the_rewriting_of_the_append_only_file(server: RedisServer, client: redis.Redis) -> None:
    log = RedisLog(client, "s")
    writer = opened(log)
    writer.append(delta(1))
    # A rewritten file must still say how many records there were, or the next opening would call it damaged.
    client.bgrewriteaof()
    while not _rewritten(client):
        pass
    server.restart()
    head = log.head()
    assert head is not None
    assert head.added == 3
    opened(log, "w2", "crash")
    assert verify_log(log).problems == ()


def _rewritten(client: redis.Redis) -> bool:
    state = client.info("persistence")
    return not state["aof_rewrite_in_progress"] and not state["aof_rewrite_scheduled"]
