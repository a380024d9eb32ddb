"""What became of a session, read from its log: the only source of a job's end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis import Redis

from ..log.project import project
from ..log.records import AttemptOpened
from ..log.redis_log import RedisLog


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kind`: finished, failed, drained, waiting; open (the newest attempt did not close); none (no session).

    `result` is what a finished job returns: plain values only, so that any client can read it.
    """

    kind: str
    reason: str = ""
    result: dict[str, Any] | None = None
    #: The worker of the newest attempt.
    worker: str = ""
    attempts: int = 0


def outcome(connection: Redis, session: str) -> Outcome:
    """Read the session's log and say how it stands."""
    records = RedisLog(connection, session).read()
    if not records:
        return Outcome("none")
    state = project(records)
    worker = ""
    for record in reversed(records):
        if record.type == AttemptOpened.TYPE:
            worker = str(getattr(record.body, "worker", ""))
            break
    if state.closed is None:
        return Outcome("open", worker=worker, attempts=state.attempt)
    result = None
    if state.closed.how == "finished":
        result = {
            "session": session,
            "answer": state.answer,
            "turns": state.total_turns,
            "cells": state.completed,
            "attempts": state.attempt,
            "seconds": round(state.seconds, 3),
        }
    kind = "open" if state.closed.how == "crashed" else state.closed.how
    return Outcome(kind, state.closed.reason, result, worker, state.attempt)
