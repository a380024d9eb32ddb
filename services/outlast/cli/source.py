"""Reading sessions for the command line: what is logged, and what still waits in RQ's queues."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import redis

from ..attempt.payload import inflate
from ..log.patience import at_once
from ..log.redis_log import RedisLog, connect, sessions
from ..log.store import head_key
from .output import Trouble
from .text import one_line

#: Lease → how often it was renewed.
_LEASES = "outlast:leases"

#: Characters of the reason of a failed job.
_REASON = 600

#: Jobs of one queue whose place is looked up, and jobs that are asked for at once.
_PLACES, _BATCH = 100_000, 500


class NotFound(Trouble):
    """There is no such session; the message is the sentence for the user."""


@dataclass(frozen=True, slots=True)
class Queue:
    """One of RQ's queues. `jobs` is in the order in which it will give them out, the first 100,000 of `length`."""

    name: str
    jobs: tuple[str, ...]
    length: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in a queue. `call` is how RQ describes it."""

    job: str
    call: str
    created: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A job that RQ has as failed; `reason` is one line."""

    job: str
    queue: str
    call: str
    #: Seconds since 1970; 0 if RQ does not say.
    created: float
    reason: str


class Source:
    """One Redis. Nothing but `enqueue` writes, and nothing pickled is read."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = connect(url)

    def ping(self) -> None:
        """redis.RedisError if it cannot be read. (PING itself is refused by a Redis that takes no writes for now.)"""
        self.suspended()

    def sessions(self) -> list[str]:
        """Every session's id, the newest first."""
        return sessions(self._connection)

    def held(self) -> list[str]:
        """The sessions with an open attempt, the newest first."""
        names = self.sessions()
        with self._connection.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hget(head_key(name), "holder")
            return [name for name, holder in zip(names, pipe.execute(), strict=True) if holder]

    def renewals(self, lease: str) -> int:
        """How often the worker with this lease has renewed it; 0 if there is none."""
        stored: Any = self._connection.hget(_LEASES, lease)
        return int(stored or 0)

    def log(self, session: str) -> RedisLog:
        """Its log, which reports an absent Redis at once instead of waiting for it."""
        return RedisLog(self._connection, session, give_up=at_once)

    def known(self, session: str) -> RedisLog:
        """Its log; NotFound if the session was never opened."""
        log = self.log(session)
        if log.head() is None:
            for queue, place, length in self._places(session):
                raise NotFound(
                    f"session {session} has not begun: its job is number {place} of {length} in queue {queue}."
                )
            raise NotFound(self._why_none(session))
        return log

    def _why_none(self, name: str) -> str:
        """Why there is no session `name`: most often its job was refused, and the reason is all that there is."""
        call, status, reason = self._job(name)
        shown = one_line(name)
        if status == "failed":
            return f"job {shown} failed and opened no session: {reason or 'RQ keeps no reason'}"
        if call.startswith("outlast.chat("):
            return f"{shown} is no session but the job {one_line(call)}; `outlast list` shows the sessions."
        return f"there is no session {shown}; `outlast list` shows those that there are."

    def failed(self, most: int) -> list[Failed]:
        """The newest `most` of our jobs that failed, of those that RQ still knows; with or without a session."""
        jobs: list[Failed] = []
        for queue in self._queue_names():
            for job in _texts(self._connection.zrevrange(f"rq:failed:{queue}", 0, most - 1)):
                call, status, reason = self._job(job)
                if call.startswith("outlast.") and status == "failed":
                    created: Any = self._connection.hget(f"rq:job:{job}", "created_at")
                    jobs.append(Failed(job, queue, call, _seconds(created), reason))
        return jobs

    def _job(self, job: str) -> tuple[str, str, str]:
        """RQ's description, status and latest error of a job; empty where there is none."""
        try:
            stored: Any = self._connection.hmget(f"rq:job:{job}", "description", "status")
            latest: Any = self._connection.xrevrange(f"rq:results:{job}", count=1)
        except redis.ResponseError:  # a key of another type: not RQ's
            return "", "", ""
        call, status = (value.decode("utf-8", "replace") if value else "" for value in stored)
        packed = latest[0][1].get(b"exc_string", b"") if latest else b""
        try:
            reason = inflate(base64.b64decode(packed)).decode("utf-8", "replace")
        except ValueError:
            reason = ""
        return call, status, one_line(reason, _REASON)

    def status(self, job: str) -> str:
        """What RQ says of a job: queued, started, finished, failed and so on; "" if it knows none of that id."""
        return self._job(job)[1]

    def enqueue(self, queue: str, session: str, prompt: str, options: Mapping[str, Any]) -> None:
        """Enqueue the request that opened a session once more, as `rq enqueue` does, whatever RQ has of it."""
        from rq import Queue  # it takes as long to import as everything else here together
        from rq.registry import FailedJobRegistry

        Queue(queue, connection=self._connection).enqueue_call(
            "outlast.run", (prompt,), dict(options), job_id=session, description=f"outlast.run({prompt[:200]!r})"
        )
        FailedJobRegistry(queue, connection=self._connection).remove(session)

    def suspended(self) -> bool:
        """Whether `rq suspend` keeps the workers from taking jobs."""
        return bool(self._connection.exists("rq:suspended"))

    def queues(self) -> list[Queue]:
        """Every queue, by name."""
        names = self._queue_names()
        with self._connection.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.lrange(f"rq:queue:{name}", 0, _PLACES - 1)
                pipe.llen(f"rq:queue:{name}")
            replies = pipe.execute()
        return [
            Queue(name, tuple(_texts(jobs)), length)
            for name, jobs, length in zip(names, replies[::2], replies[1::2], strict=True)
        ]

    def waiting(self, jobs: Sequence[str], most: int | None) -> list[Waiting]:
        """The first `most` of these jobs that are ours, in their order; without `most` all of them."""
        ours: list[Waiting] = []
        for start in range(0, len(jobs), _BATCH):
            batch = jobs[start : start + _BATCH]
            with self._connection.pipeline(transaction=False) as pipe:
                for job in batch:
                    pipe.hmget(f"rq:job:{job}", "description", "created_at")
                replies = pipe.execute()
            for job, stored in zip(batch, replies, strict=True):
                call, created = (value.decode("utf-8", "replace") if value else "" for value in stored)
                if call.startswith("outlast."):
                    ours.append(Waiting(job, call, created))
                    if len(ours) == most:
                        return ours
        return ours

    def _places(self, job: str) -> list[tuple[str, int, int]]:
        """Queue, place in it from 1, and its length, for each queue that the job waits in: one at most, by rights."""
        names = self._queue_names()
        with self._connection.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.lpos(f"rq:queue:{name}", job)
                pipe.llen(f"rq:queue:{name}")
            replies = pipe.execute()
        found = zip(names, replies[::2], replies[1::2], strict=True)
        return [(name, place + 1, length) for name, place, length in found if place is not None]

    def _queue_names(self) -> list[str]:
        return sorted(key.removeprefix("rq:queue:") for key in _texts(self._connection.smembers("rq:queues")))

    def close(self) -> None:
        self._connection.close()


def _texts(reply: Any) -> list[str]:
    return [value.decode("utf-8", "replace") for value in reply]


def _seconds(stored: bytes | None) -> float:
    """RQ's way to write a time, as seconds since 1970."""
    try:
        return datetime.fromisoformat((stored or b"").decode()).timestamp()
    except ValueError:
        return 0.0


def reason(error: redis.RedisError) -> str:
    """Redis's own words, on one line."""
    return one_line(str(error), 200).rstrip(".")
