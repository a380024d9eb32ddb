"""Following logs as a client does: what has been seen once must stay."""

from __future__ import annotations

import time

import redis

from ..errors import LogDamaged, RedisAway
from ..log.patience import at_once
from ..log.project import Projection
from ..log.records import RecordId
from ..log.redis_log import RedisLog
from .judge import Seen

#: What the body of a record raises that is not one.
UNREADABLE = (ValueError, TypeError, AttributeError, KeyError)


class Watched:
    """One session: `seen` by record, `state` as of the newest, `holder` the lease id of who holds it."""

    def __init__(self, connection: redis.Redis, session: str) -> None:
        self.session = session
        self.log = RedisLog(connection, session, give_up=at_once)
        self.seen: dict[RecordId, Seen] = {}
        self.state = Projection()
        self.last = RecordId(0, 0)
        #: It has an entry that cannot be read; nothing behind that is seen.
        self.damaged = False

    @property
    def over(self) -> bool:
        """Its log has been closed for good, or cannot be followed any further."""
        return self.damaged or self.closed

    @property
    def closed(self) -> bool:
        """Its log has been closed for good."""
        return self.state.closed is not None and self.state.closed.how in ("finished", "failed")

    def look(self) -> bool:
        """See what is new; False while Redis is away."""
        try:
            news = self.log.read(self.last)
            now = time.time()
            for record in news:
                self.state.add(record)
                self.seen[record.id] = Seen(record, now)
                self.last = record.id
        except RedisAway:
            return False
        except (LogDamaged, *UNREADABLE):
            self.damaged = True
        return True

    def holder(self) -> str:
        """Lease id of the worker that holds the open attempt; empty if nobody does or Redis is away."""
        try:
            head = self.log.head()
        except (RedisAway, LogDamaged):
            return ""
        return head.holder if head is not None else ""
