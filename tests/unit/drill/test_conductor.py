"""A drill comes to a judgement whatever its jobs do: hang, or leave a log that cannot be read, or lose their Redis."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import redis

from outlast.drill.conductor import Conductor, Order, Stuck
from outlast.drill.report import page, report
from outlast.drill.schedule import strikes
from outlast.log.records import (
    AttemptClosed,
    AttemptOpened,
    Body,
    ReplyFinished,
    SessionFinished,
    SessionOpened,
    UserMessage,
)
from outlast.log.redis_log import RedisLog, connect
from outlast.log.store import EMPTY, log_key
from outlast.queue import keys
from tests.redis_server import RedisServer

OPENED = (ReplyFinished("Well."), UserMessage("And?", "inbox 1"), ReplyFinished("Done."))
ENDED = (SessionFinished(2, 0, 1.0), AttemptClosed("finished"))
#: Seconds without any news that count as a hang here.
PATIENCE = 2


def _early(seed: int) -> bool:
    """Whether its one kill hits Redis, and at once."""
    (strike,) = strikes(seed, 1)
    return strike.victim == "redis" and strike.share < 0.03 and strike.pause < 0.1


SEED = next(filter(_early, itertools.count()))


class Sword:
    """A hand that does what the test says."""

    def __init__(self, stroke: Callable[[], None] = lambda: None) -> None:
        self._stroke = stroke

    def strike(self, victim: str, worker: str) -> float | None:
        """As `Hand`."""
        at = time.time()
        self._stroke()
        return at

    def logs(self) -> list[str]:
        """As `Hand`: each worker has opened its attempt, and one has appended a fourth record."""
        sessions = ("reference-sums", "job-1", "job-2")
        return [
            *(json.dumps({"at": 0.0, "event": "attempt.opened", "session": it, "attempt": 1}) for it in sessions),
            json.dumps({"at": 0.0, "event": "record.appended", "session": "job-2", "id": "1-4", "type": "reply.delta"}),
        ]


def job(connection: redis.Redis, session: str, *ended: Body) -> None:
    """What a worker leaves of a job, which is still running unless it has `ended`."""
    writer = RedisLog(connection, session).open_attempt(
        AttemptOpened("worker-1", "first"), holder="worker-1.00000000", expected=EMPTY, session=SessionOpened("sums")
    )
    for body in OPENED:
        writer.append(body)
    if ended:
        writer.close(*ended, state="finished")
    connection.hset(keys.job_key(session), "status", "finished" if ended else "started")


def conductor(connection: redis.Redis, place: Path, jobs: int, hand: Sword, said: list[Mapping[str, Any]]) -> Conductor:
    return Conductor(connection, place, hand, Order(jobs, 1, SEED, ("sums",), PATIENCE), said.append)


def test_a_job_that_hangs_and_one_whose_log_is_broken_have_failed_and_the_others_are_judged(
    connection: redis.Redis, tmp_path: Path
) -> None:
    for session in ("reference-sums", "job-1"):
        job(connection, session, *ENDED)
    for session in ("job-2", "job-3"):
        job(connection, session)
    connection.xadd(log_key("job-3"), {"no": "record"}, id="1-9")
    said: list[Mapping[str, Any]] = []
    told = report(conductor(connection, tmp_path, 3, Sword(), said).run())
    hung, lost, broken = told["problems"]
    assert hung.startswith(
        "job-2: failed: its log ends as still open, and RQ says started. No job has got on for 2 s"
    )
    assert lost == "job-2: lost: record 1-4 was acknowledged to the worker that appended it, and is gone"
    assert broken.startswith("job-3: failed: verify: session job-3: 1-9 is not a record")
    assert broken.endswith("; its log ends as still open, and RQ says started. Its log cannot be followed to its end")
    assert told["failed"] == 2 and (told["jobs"], told["kills"]) == (3, 1) and "| never |" in page(told)
    assert told["faults"][0]["failed"] == 1 and told["faults"][0]["sessions"] == ["job-2"]
    assert told["logs"]["job-3"][-1] == {"id": "1-9", "stored": {"no": "record"}} and len(told["logs"]["job-2"]) == 5
    assert [event["event"] for event in said if event["event"] != "over"] == ["reference", "fault", "stuck"]


def test_a_redis_that_does_not_come_back_is_reported(private_redis: Callable[[], RedisServer], tmp_path: Path) -> None:
    server = private_redis()
    with connect(server.url) as connection:
        job(connection, "reference-sums", *ENDED)
        job(connection, "job-1")
        told = report(conductor(connection, tmp_path, 7, Sword(server.kill), []).run())
    assert told["failed"] == 7 and told["lost"] == 0 and told["jobs"] == 6
    assert told["problems"][0].startswith("job-1: failed: its log cannot be read. Redis did not take or answer")
    assert told["problems"][6].startswith("job-7: failed: it was never opened. No job has got on for 2 s: job-1, ")


def test_nothing_is_disturbed_while_the_workers_logs_name_no_records(
    connection: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(connection, "reference-sums", *ENDED)
    monkeypatch.setattr(Sword, "logs", lambda self: ["12:00:01 worker.ready"])
    with pytest.raises(Stuck, match="The workers' logs name none of the records"):
        conductor(connection, tmp_path, 1, Sword(), []).run()


def test_nothing_is_judged_if_a_job_that_was_not_disturbed_went_wrong(connection: redis.Redis, tmp_path: Path) -> None:
    job(connection, "reference-sums", AttemptClosed("failed", "no room"))
    with pytest.raises(Stuck, match=r"Nothing can be compared with reference-sums.*its log ends as failed"):
        conductor(connection, tmp_path, 1, Sword(), []).run()
