"""Workers whose sessions are played instead of run: what a session does is written in its prompt or message.

`rq worker --worker-class tests.integration.queue.workers.Worker` starts one. The log is real; there is no model
and no kernel.

| text              | what the child does                                                        |
| ----------------- | -------------------------------------------------------------------------- |
| hold …            | until the key `go:<session>` exists; closes as drained or failed when told  |
| fail …            | closes as failed                                                           |
| crash …           | opens the attempt, then is killed by its own hand                          |
| broken …          | is killed before it opens the session                                      |
| refuse …          | raises Refused before it opens the session                                 |
| stubborn …        | as hold, but deaf to every request to stop                                 |
| anything else     | finishes                                                                   |
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import redis

import outlast.queue
from outlast import points
from outlast.attempt.request import Request
from outlast.errors import Fenced, RedisAway, Refused
from outlast.log.records import AttemptClosed, AttemptOpened, SessionFinished, SessionOpened, UserMessage
from outlast.log.redis_log import RedisLog
from outlast.log.store import EMPTY, Tail
from outlast.queue import watch
from outlast.settings import Settings
from outlast.stop import StopSignal


@dataclass(frozen=True)
class Outcome:
    kind: str
    reason: str = ""
    result: dict[str, Any] | None = None


class Played:
    """Stands in for `outlast.attempt`."""

    def prepare(self) -> None: ...

    def run_session(
        self,
        request: Request,
        *,
        newest: int,
        holder: str,
        worker: str,
        connection: redis.Redis,
        settings: Settings,
        stop: StopSignal,
    ) -> None:
        if request.text.startswith("refuse"):
            raise Refused("This was refused by the session.")
        if request.text.startswith("broken"):
            os.kill(os.getpid(), signal.SIGKILL)
        log = RedisLog(connection, request.session, give_up=lambda: bool(stop))
        with contextlib.suppress(Fenced, RedisAway):
            self._play(log, request, newest, holder, worker, connection, stop)

    def _play(
        self,
        log: RedisLog,
        request: Request,
        newest: int,
        holder: str,
        worker: str,
        connection: redis.Redis,
        stop: StopSignal,
    ) -> None:
        records = log.read()
        tail = Tail(records[-1].id, records[-1].digest, len(records)) if records else EMPTY
        if tail.id is not None and tail.id.attempt > newest:
            return
        opening = AttemptOpened(worker, "crash" if records else "first", request.job, "here")
        writer = log.open_attempt(opening, holder=holder, expected=tail, session=opened(request))
        connection.rpush(f"began:{request.session}", f"{writer.attempt} {os.getpid()}")
        seen = {record.body.source for record in records if isinstance(record.body, UserMessage)}

        def read_inbox() -> None:
            for entry in log.inbox.unread():
                if entry.kind == "message" and entry.source not in seen:
                    seen.add(entry.source)
                    writer.append(UserMessage(entry.body["text"], entry.source))
                log.inbox.remove(entry.id)

        read_inbox()
        if request.text.startswith("crash"):
            os.kill(os.getpid(), signal.SIGKILL)
        if request.text.startswith("fail"):
            writer.close(AttemptClosed("failed", "It failed as told."), state="failed")
            return
        while request.text.startswith(("hold", "stubborn")) and not _may_go(connection, request.session):
            if stop and not request.text.startswith("stubborn"):
                how = "drained" if stop.reason == "drain" else "failed"
                writer.close(AttemptClosed(how, f"stopped: {stop.reason}"), state=how)
                return
            if request.text.startswith("hold and read"):
                read_inbox()
            time.sleep(0.01)
        while True:
            read_inbox()
            if writer.close(SessionFinished(1, 1, 0.0), AttemptClosed("finished"), state="finished"):
                return

    def outcome(self, connection: redis.Redis, session: str) -> Outcome:
        records = RedisLog(connection, session).read()
        if not records:
            return Outcome("none")
        last = records[-1].body
        if not isinstance(last, AttemptClosed):
            return Outcome("open")
        result = {"attempts": records[-1].id.attempt} if last.how == "finished" else None
        return Outcome(last.how, last.reason, result)


def opened(request: Request) -> SessionOpened:
    return SessionOpened(request.text, dict(request.options), max_seconds=request.max_seconds)


def _may_go(connection: redis.Redis, session: str) -> bool:
    try:
        return bool(connection.exists(f"go:{session}"))
    except redis.RedisError:
        return False


class Worker(outlast.queue.Worker):
    """Sessions are played."""

    attempts = Played()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class KilledWhenTaken(Worker):
    """Dies between taking a job and anything else."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        points.arm(points.Point.TAKEN, _die)
        return super().work(*args, **kwargs)


class KilledWhenStarted(Worker):
    """Dies between marking a job as started and forking."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        points.arm(points.Point.STARTED, _die)
        return super().work(*args, **kwargs)


class KilledWhenEnded(Worker):
    """Dies when the session has ended and RQ does not know it."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        points.arm(points.Point.ENDED, _die)
        return super().work(*args, **kwargs)


class Impatient(Worker):
    """Kills a child that was asked to stop after a moment."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        watch.STOP_SECONDS = 0.2
        return super().work(*args, **kwargs)


def _kill_redis_once() -> None:
    points.disarm()
    os.kill(int(os.environ["TEST_REDIS_PID"]), signal.SIGKILL)


class RedisKilledWhenEnded(Worker):
    """Kills the test's Redis when a session has ended and RQ does not know it."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        points.arm(points.Point.ENDED, _kill_redis_once)
        return super().work(*args, **kwargs)


class RedisKilledWhenNamed(Worker):
    """Kills the test's Redis when that has answered for the first time, before it is told the worker's name."""

    def _set_connection(self, connection: redis.Redis) -> redis.Redis:
        tell = connection.client_setname

        def kill_first(name: str) -> Any:
            connection.client_setname = tell  # type: ignore[method-assign]  # no crash point is so early
            os.kill(int(os.environ["TEST_REDIS_PID"]), signal.SIGKILL)
            return tell(name)

        connection.client_setname = kill_first  # type: ignore[method-assign]  # the same
        return super()._set_connection(connection)


class RedisKilledWhenTaken(Worker):
    """Kills the test's Redis when a job has been taken."""

    def work(self, *args: Any, **kwargs: Any) -> bool:
        points.arm(points.Point.TAKEN, _kill_redis_once)
        return super().work(*args, **kwargs)
