"""Reading sessions for the command line: what is logged, and what still waits in RQ's queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import redis

from ..log.patience import at_once
from ..log.redis_log import RedisLog, connect, sessions
from .text import one_line


class NotFound(Exception):
    """There is no such session; the message is the sentence for the user."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in a queue. `place` counts from 1; `call` is how RQ describes it."""

    job: str
    queue: str
    place: int
    call: str
    created: str


class Source:
    """One Redis. Nothing here writes, and nothing pickled is read."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = connect(url)

    def ping(self) -> None:
        """redis.RedisError if it cannot be reached."""
        self._connection.ping()

    def sessions(self) -> list[str]:
        """Every session's id, the newest first."""
        return sessions(self._connection)

    def log(self, session: str) -> RedisLog:
        """Its log, which reports an absent Redis at once instead of waiting for it."""
        return RedisLog(self._connection, session, give_up=at_once)

    def known(self, session: str) -> RedisLog:
        """Its log; NotFound if the session was never opened."""
        log = self.log(session)
        if log.head() is None:
            for job in self.queued():
                if job.job == session:
                    raise NotFound(
                        f"session {session} has not begun: its job is number {job.place} in queue {job.queue}."
                    )
            raise NotFound(f"there is no session {one_line(session)}; `outlast list` shows those that there are.")
        return log

    def queued(self) -> list[Waiting]:
        """Our jobs that wait for a worker, in the order in which their queues will give them out."""
        jobs: list[Waiting] = []
        for name in sorted(_texts(self._connection.smembers("rq:queues"))):
            for place, job in enumerate(_texts(self._connection.lrange(name, 0, -1)), 1):
                stored: Any = self._connection.hmget(f"rq:job:{job}", "description", "created_at")
                call, created = (value.decode("utf-8", "replace") if value else "" for value in stored)
                if call.startswith("outlast."):
                    jobs.append(Waiting(job, name.removeprefix("rq:queue:"), place, call, created))
        return jobs

    def close(self) -> None:
        self._connection.close()


def _texts(reply: Any) -> list[str]:
    return [value.decode("utf-8", "replace") for value in reply]


def reason(error: redis.RedisError) -> str:
    """Redis's own words, on one line."""
    return one_line(str(error), 200).rstrip(".")
