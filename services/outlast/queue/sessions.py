"""Reads where a session stands, for `decide`, and leaves things in its inbox. Nothing here writes a log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import redis

from outlast.attempt.request import Request
from outlast.log.inbox import RedisInbox
from outlast.log.patience import Patience, at_once
from outlast.log.records import RecordId, SessionOpened, UserMessage
from outlast.log.redis_log import RedisStore
from outlast.queue import keys
from outlast.queue.decide import Standing

#: Records read at a time when a message is looked for.
_PAGE = 500


@dataclass(frozen=True, slots=True)
class View:
    """A session's standing; who holds it; the request that opened it (None: it does not exist)."""

    standing: Standing
    holder: str = ""
    opened: SessionOpened | None = None


class Sessions:
    """The sessions as a worker sees them. Every method may raise redis.RedisError, and LogDamaged;
    `deliver` RedisAway."""

    def __init__(self, connection: redis.Redis) -> None:
        self._connection = connection

    def view(
        self, request: Request, raw: Mapping[bytes, bytes], own_lease: str, meanwhile: Callable[[], object]
    ) -> View:
        """Where the session of `request` stands; `raw` is the job's hash. `meanwhile` is called between pages."""
        store = RedisStore(self._connection, request.session)
        head = store.head()
        if head is None:
            return View(Standing())
        first = store.at(RecordId(0, 1))
        opened = first.body if first is not None else None
        assert opened is None or isinstance(opened, SessionOpened)
        other = head.holder not in ("", own_lease)
        standing = Standing(
            state=head.state,
            held=other and bool(self._connection.hexists(keys.LEASES, head.holder)),
            prompt=opened.prompt if opened is not None else "",
            attempt=head.attempt,
            said=self._said(store, request.job, meanwhile) if request.function == "chat" else None,
            taken_up_at=_attempt(raw, keys.ATTEMPT_FIELD),
            waited_for=_attempt(raw, keys.WAITED_FIELD),
        )
        return View(standing, head.holder, opened)

    def deliver(self, session: str, kind: str, source: str, body: Mapping[str, str]) -> None:
        """Leave an entry in the inbox; one that is there and unread is not left twice."""
        RedisInbox(self._connection, session, patience=Patience(at_once)).deliver(kind, source, body)

    @staticmethod
    def _said(store: RedisStore, source: str, meanwhile: Callable[[], object]) -> str | None:
        after: RecordId | None = None
        while True:
            page = store.page(after, _PAGE)
            for record in page:
                if record.type == UserMessage.TYPE:
                    body = record.body
                    if isinstance(body, UserMessage) and body.source == source:
                        return body.text
            if len(page) < _PAGE:
                return None
            after = page[-1].id
            meanwhile()


def _attempt(raw: Mapping[bytes, bytes], field: str) -> int | None:
    stored = raw.get(field.encode(), b"").decode()
    return int(stored) if stored.isdigit() else None
