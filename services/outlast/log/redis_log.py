"""A session's log in Redis Streams.

Redis refuses an id that is not greater than the last: that is the fence, and an append needs no lock. What must go
together is one script, and so is the append itself: a log that has lost its end must not be appended to. Works on
Redis ≥ 7 and Valkey; durable with `appendfsync always`.

Give the connection a `socket_timeout`: a Redis that hangs counts as away only once a command times out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..errors import LogDamaged
from .inbox import RedisInbox, script, text
from .journal import Journal, Outcome
from .patience import CONNECT_SECONDS, SOCKET_SECONDS, Patience, forget, never
from .records import Record, RecordId
from .store import ACTIONABLE, BACKUP_KEY, SESSIONS_KEY, Head, Tail, head_key, inbox_key, log_key

#: Seconds that one blocking read may take; shorter than any sensible socket_timeout.
_LONGEST_BLOCK = 1.0
#: Logs that are asked for their ends at once.
_AT_ONCE = 1000


class RedisLog(Journal):
    """The log of one session. Every call waits for an absent Redis unless `give_up` says otherwise."""

    def __init__(
        self,
        connection: redis.Redis,
        session: str,
        *,
        give_up: Callable[[], bool] = never,
        on_wait: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        patience = Patience(give_up, on_wait, reconnect=lambda: forget(connection))
        inbox = RedisInbox(connection, session, patience=patience)
        super().__init__(RedisStore(connection, session), inbox, patience=patience, clock=clock)


def connect(url: str, **options: Any) -> redis.Redis:
    """A connection fit for the log: it reports a failure at once instead of repeating the command by itself."""
    options = {"socket_timeout": SOCKET_SECONDS, "retry": Retry(NoBackoff(), 0), **options}
    if not url.startswith("unix:"):
        options.setdefault("socket_connect_timeout", min(CONNECT_SECONDS, options["socket_timeout"]))
    return redis.Redis.from_url(url, **options)


def sessions(connection: redis.Redis) -> list[str]:
    """Every session's id, the newest first."""
    names: Any = connection.zrevrange(SESSIONS_KEY, 0, -1)
    return [text(name) for name in names]


def ends(connection: redis.Redis, names: Sequence[str]) -> dict[str, str]:
    """Session → id of the last record of its log; empty for one without a log."""
    found: dict[str, str] = {}
    for start in range(0, len(names), _AT_ONCE):
        some = names[start : start + _AT_ONCE]
        with connection.pipeline(transaction=False) as asked:
            for name in some:
                asked.xrevrange(log_key(name), count=1)
            answers: list[Any] = asked.execute()
        found |= {name: text(last[0][0]) if last else "" for name, last in zip(some, answers, strict=True)}
    return found


def entries(connection: redis.Redis, session: str) -> list[tuple[str, dict[str, str]]]:
    """Whatever is stored as the session's log, by id, whether it is a record or not."""
    stored: Any = connection.xrange(log_key(session))
    return [(text(name), _texts(fields)) for name, fields in stored]


class RedisStore:
    """The primitive operations on one session's keys."""

    def __init__(self, connection: redis.Redis, session: str) -> None:
        self._connection = connection
        self._session = session
        self._log, self._head, self._inbox = log_key(session), head_key(session), inbox_key(session)
        self._append = connection.register_script(script("append"))
        self._open = connection.register_script(script("open_attempt"))
        self._close = connection.register_script(script("close_attempt"))

    @property
    def session(self) -> str:
        return self._session

    def add(self, record: Record, after: RecordId) -> bool:
        arguments = [str(after), str(record.id), *record.fields().values()]
        outcome = _outcome(self._append(keys=[self._log], args=arguments))
        if outcome.what == "moved" and not outcome.detail:
            raise LogDamaged(f"session {self._session}: its log was deleted; restore Redis's data.")
        return outcome.what == "done"

    def last(self) -> Record | None:
        entries: Any = self._connection.xrevrange(self._log, count=1)
        return self._records(entries)[0] if entries else None

    def at(self, record_id: RecordId) -> Record | None:
        entries: Any = self._connection.xrange(self._log, str(record_id), str(record_id))
        return self._records(entries)[0] if entries else None

    def tail(self) -> tuple[Record | None, int]:
        with self._connection.pipeline(transaction=True) as both:
            both.xrevrange(self._log, count=1)
            both.xlen(self._log)
            entries, length = both.execute()
        return (self._records(entries)[0] if entries else None), length

    def page(self, after: RecordId | None, limit: int) -> list[Record]:
        entries: Any = self._connection.xrange(self._log, f"({after}" if after else "-", "+", count=limit)
        return self._records(entries)

    def await_page(self, after: RecordId | None, limit: int, seconds: float) -> list[Record]:
        deadline = time.monotonic() + seconds
        while True:
            left = min(deadline - time.monotonic(), _LONGEST_BLOCK)
            # To Redis, BLOCK 0 means for ever.
            block = max(1, int(left * 1000))
            reply: Any = self._connection.xread({self._log: str(after or RecordId(0, 0))}, count=limit, block=block)
            if reply:
                streams = next(iter(reply.values())) if isinstance(reply, dict) else reply[0][1]
                return self._records(streams[0] if isinstance(reply, dict) else streams)
            if time.monotonic() >= deadline:
                return []

    def head(self) -> Head | None:
        with self._connection.pipeline(transaction=True) as both:
            both.hgetall(self._head)
            both.xinfo_stream(self._log)
            stored, info = both.execute(raise_on_error=False)
        if isinstance(stored, Exception):
            raise stored
        if not stored:
            return None
        # A missing stream is an error reply of the second command, and no reason to hide the head.
        added = info.get("entries-added", 0) if isinstance(info, Mapping) else 0
        try:
            return Head.from_fields(_texts(stored), int(added))
        except ValueError as error:
            raise LogDamaged(f"session {self._session}: {error}.") from error

    def open(self, records: Sequence[Record], expected: Tail, head: dict[str, str], new: dict[str, str]) -> Outcome:
        arguments = [str(expected.id or ""), expected.digest, self._session, head["changed"]]
        arguments += _flat_records(records) + _flat(head) + _flat(new)
        return _outcome(self._open(keys=[self._log, self._head, SESSIONS_KEY], args=arguments))

    def close(self, records: Sequence[Record], expected: RecordId, head: dict[str, str]) -> Outcome:
        keeps = ACTIONABLE if head["state"] == "finished" else ()
        arguments = [str(expected), str(len(keeps)), *keeps, *_flat_records(records), *_flat(head)]
        return _outcome(self._close(keys=[self._log, self._head, self._inbox], args=arguments))

    def backup(self) -> str:
        return text(self._connection.get(BACKUP_KEY) or "")

    def _records(self, entries: Sequence[tuple[Any, Mapping[Any, Any]]]) -> list[Record]:
        return [
            stored_record(self._session, text(name), _texts(fields)) for name, fields in entries
        ]


def _texts(fields: Mapping[Any, Any]) -> dict[str, str]:
    return {text(key): text(value) for key, value in fields.items()}


def stored_record(session: str, name: str, fields: dict[str, str]) -> Record:
    """The record of a stored entry; LogDamaged if it is not one, to the byte."""
    try:
        record = Record.from_fields(RecordId.parse(name), fields)
    except ValueError as error:
        raise LogDamaged(f"session {session}: {name} is not a record ({error}).") from error
    if record.fields() != fields:
        raise LogDamaged(f"session {session}: {name} is not stored as Outlast stores records; it was tampered with.")
    return record


def _flat_records(records: Sequence[Record]) -> list[str]:
    """The count, then what the scripts expect of each record; `fields()` keeps the scripts' order."""
    flat = [str(len(records))]
    for record in records:
        flat += [str(record.id), *record.fields().values()]
    return flat


def _flat(fields: Mapping[str, str]) -> list[str]:
    flat = [str(len(fields))]
    for pair in fields.items():
        flat += pair
    return flat


def _outcome(reply: Any) -> Outcome:
    return Outcome(*(text(part) for part in reply))
