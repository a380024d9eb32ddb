"""What a job has left in Redis and in its directory; what is missing or broken is part of it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis

from ..errors import LogDamaged, RedisAway
from ..log.patience import Patience
from ..log.records import Record, RecordId
from ..log.redis_log import RedisLog, entries, stored_record
from ..log.verify import verify_log
from ..queue import keys
from . import jobs
from .judge import Outcome
from .watch import UNREADABLE, Watched

#: Seconds between two looks at what RQ says of a job.
_LOOK_SECONDS = 0.03


def remains(
    watched: Watched,
    appended: Mapping[RecordId, float],
    connection: redis.Redis,
    place: Path,
    until: float,
    cut_off: str,
) -> Outcome:
    """The outcome of the job that `watched` has followed, and its workers have `appended` to; `place` is its directory.

    Redis, and RQ, which settles a job after its log, are waited for until `until` (of the monotonic clock). `cut_off`
    says why nothing more is to be expected of jobs that are not over.
    """
    session = watched.session

    def give_up() -> bool:
        return time.monotonic() >= until

    log, patience = RedisLog(connection, session, give_up=give_up), Patience(give_up)
    try:
        stored = patience.ask(lambda: entries(connection, session))
        damage = verify_log(log).problems
        status = patience.ask(lambda: _status(connection, session))
        while watched.closed and status not in ("finished", "failed") and not give_up():
            time.sleep(_LOOK_SECONDS)
            status = patience.ask(lambda: _status(connection, session))
    except RedisAway as away:
        return Outcome(session, cut_off=f"its log cannot be read. {away}")
    records = [record for each in stored if (record := _record(session, *each))]
    ran = place / "files" / jobs.RAN
    return Outcome(
        session,
        records,
        [f"verify: {sentence.rstrip('.')}" for sentence in damage],
        status,
        # Only then is nobody left who writes them.
        _files(place, ran) if watched.closed else {},
        [int(line) for line in ran.read_text(encoding="ascii").split()] if ran.is_file() else [],
        watched.seen,
        appended,
        "" if watched.closed else "Its log cannot be followed to its end." if watched.damaged else cut_off,
        stored if len(records) < len(stored) else (),
    )


def _record(session: str, name: str, fields: dict[str, str]) -> Record | None:
    """The record of an entry; None if it cannot be read."""
    with suppress(LogDamaged, *UNREADABLE):
        record = stored_record(session, name, fields)
        _ = record.body  # Decoding it is the check.
        return record
    return None


def _status(connection: redis.Redis, session: str) -> str:
    stored: Any = connection.hget(keys.job_key(session), "status")
    return stored.decode() if stored else ""


def _files(place: Path, but: Path) -> Mapping[str, str]:
    """SHA-256 by path of files and artifacts, all but the one."""
    return {
        str(path.relative_to(place)): hashlib.sha256(path.read_bytes()).hexdigest()
        for part in ("files", "artifacts")
        for path in sorted((place / part).rglob("*"))
        if path.is_file() and not path.is_symlink() and path != but
    }
