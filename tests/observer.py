"""Waiting for what a session's log says, wherever Redis is: beside the test, or in a container that is restarted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import redis

from outlast.log.project import Projection
from outlast.log.records import Body, Record
from outlast.log.redis_log import RedisLog
from outlast.log.verify import Verdict, verify

#: Seconds after which a test stops waiting for a record that should have come.
PATIENCE = 120.0
#: What Redis, or a proxy in its place, says or does not say while it is being restarted.
AWAY = (redis.ConnectionError, redis.TimeoutError, redis.InvalidResponse)


B = TypeVar("B", bound=Body)


class NeverHappened(AssertionError):
    """What a test waited for did not come; the message holds the end of the log."""


def bodies(records: Iterable[Record], kind: type[B]) -> list[B]:
    """What the records of one type say."""
    return [record.body for record in records if isinstance(record.body, kind)]


class Observer:
    """Reads the logs through `connection` (bytes); never writes. An outage of Redis is waited out."""

    connection: redis.Redis

    def log(self, session: str) -> RedisLog:
        """The session's log."""
        return RedisLog(self.connection, session)

    def state(self, session: str) -> Projection:
        """What the log says now."""
        state = Projection()
        for record in self.log(session).read():
            state.add(record)
        return state

    def wait(
        self, session: str, holds: Callable[[Projection, Record], bool], patience: float = PATIENCE
    ) -> tuple[Projection, Record]:
        """Follow the log from its start until `holds(state, record)`; NeverHappened if it does not."""
        log, state, after = self.log(session), Projection(), None
        deadline = time.monotonic() + patience
        records: list[Record] = []
        while time.monotonic() < deadline:
            try:
                news = list(log.follow(after, 1.0))
            except AWAY:
                time.sleep(0.05)
                continue
            for record in news:
                after = record.id
                records.append(record)
                state.add(record)
                if holds(state, record):
                    return state, record
        raise NeverHappened("\n".join(f"{record.id} {record.type} {record.raw[:300]}" for record in records[-12:]))

    def finished(self, session: str, patience: float = PATIENCE) -> Projection:
        """Wait until an attempt closes the session as finished or failed."""
        state, _ = self.wait(
            session, lambda state, _: state.closed is not None and state.closed.how in ("finished", "failed"), patience
        )
        return state

    def job_status(self, job: str, *wanted: str) -> str:
        """Wait until RQ says that the job has one of the statuses `wanted`."""
        return self._becomes(f"rq:job:{job}", "status", wanted)

    def worker_state(self, worker: str, *wanted: str) -> str:
        """Wait until RQ says that the worker is in one of the states `wanted`."""
        return self._becomes(f"rq:worker:{worker}", "state", wanted)

    def _becomes(self, key: str, field: str, wanted: Sequence[str]) -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                stored: Any = self.connection.hget(key, field)
            except AWAY:
                stored = None
            found = stored.decode() if stored else ""
            if found in wanted:
                return found
            if time.monotonic() > deadline:
                raise NeverHappened(f"{key} has {field} {found!r}, not {wanted}")
            time.sleep(0.02)

    def verify(self, session: str) -> Verdict:
        """What `outlast verify` says."""
        log = self.log(session)
        # The head first: it says how long the log is at least, and the log may grow meanwhile.
        head = log.head()
        return verify(log.read(), head)

    def holder(self, session: str) -> str:
        """Name of the worker that holds the session's open attempt."""
        head = self.log(session).head()
        if head is None or not head.holder:
            raise AssertionError(f"nobody holds {session}")
        return head.holder.rpartition(".")[0]
