"""The in-memory twin of the log and its inbox, for tests and for whatever needs no Redis.

It keeps what Redis would keep (entries of text fields, a head of text fields) under the same rules, so that two
writers of one `MemoryStore` fence each other as they would in Redis. Safe to use from several threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ..errors import LogDamaged
from .inbox import InboxEntry, checked, encode, entry
from .journal import Journal, Outcome
from .patience import Patience, never
from .records import Record, RecordId
from .redis_log import stored_record
from .store import ACTIONABLE, Head, Tail

T = TypeVar("T")


@dataclass
class Stored:
    """What is stored of one session."""

    log: list[tuple[RecordId, dict[str, str]]] = field(default_factory=list)
    head: dict[str, str] = field(default_factory=dict)
    inbox: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Entries ever appended, and inbox entries ever left.
    added: int = 0
    delivered: int = 0


class MemoryStore:
    """All sessions of one make-believe Redis; every operation goes through `execute`, where tests cut in."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.stored: dict[str, Stored] = {}
        self.opened: list[str] = []
        self.backup = ""

    def execute(self, operation: Callable[[], T]) -> T:
        """Carry out one operation alone."""
        with self.changed:
            result = operation()
            self.changed.notify_all()
            return result

    def sessions(self) -> list[str]:
        """Every session's id, the newest first."""
        return self.execute(lambda: self.opened[::-1])


class MemoryLog(Journal):
    """The log of one session; loses everything with its `MemoryStore`."""

    def __init__(
        self,
        store: MemoryStore,
        session: str,
        *,
        give_up: Callable[[], bool] = never,
        on_wait: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        patience = Patience(give_up, on_wait)
        inbox = MemoryInbox(store, session, patience=patience)
        super().__init__(SessionStore(store, session), inbox, patience=patience, clock=clock)


class SessionStore:
    """The primitive operations on one session."""

    def __init__(self, store: MemoryStore, session: str) -> None:
        self._store = store
        self._session = session

    @property
    def session(self) -> str:
        return self._session

    @property
    def _kept(self) -> Stored:
        return self._store.stored.get(self._session) or Stored()

    def add(self, record: Record, after: RecordId) -> bool:
        def operation() -> bool:
            kept = self._kept
            if not kept.log:
                raise LogDamaged(f"session {self._session}: its log was deleted; restore the store's data.")
            if kept.log[-1][0] != after:
                return False
            _append(kept, [record])
            return True

        return self._store.execute(operation)

    def last(self) -> Record | None:
        return self.tail()[0]

    def at(self, record_id: RecordId) -> Record | None:
        return self._store.execute(lambda: next((r for r in self._records() if r.id == record_id), None))

    def tail(self) -> tuple[Record | None, int]:
        def operation() -> tuple[Record | None, int]:
            records = self._records()
            return (records[-1] if records else None), len(records)

        return self._store.execute(operation)

    def page(self, after: RecordId | None, limit: int) -> list[Record]:
        return self._store.execute(lambda: [r for r in self._records() if after is None or r.id > after][:limit])

    def await_page(self, after: RecordId | None, limit: int, seconds: float) -> list[Record]:
        with self._store.changed:
            self._store.changed.wait_for(lambda: any(after is None or i > after for i, _ in self._kept.log), seconds)
            return self.page(after, limit)

    def head(self) -> Head | None:
        def operation() -> Head | None:
            kept = self._kept
            return Head.from_fields(kept.head, kept.added) if kept.head else None

        return self._store.execute(operation)

    def open(self, records: Sequence[Record], expected: Tail, head: dict[str, str], new: dict[str, str]) -> Outcome:
        def operation() -> Outcome:
            kept = self._store.stored.setdefault(self._session, Stored())
            last = kept.log[-1][0] if kept.log else None
            least = int(kept.head.get("length", 0))
            if len(kept.log) < max(least, kept.added):
                return Outcome("damaged", f"the log has {len(kept.log)} records, but there were more")
            if last != expected.id:
                return Outcome("moved", str(last or ""))
            if kept.log and len(kept.log) == least and kept.head["digest"] != expected.digest:
                return Outcome("damaged", f"record {last} is not the one that the head names")
            if not kept.log:
                kept.head.update(new)
                self._store.opened.append(self._session)
            _append(kept, records)
            kept.head.update(head)
            return Outcome("done")

        return self._store.execute(operation)

    def close(self, records: Sequence[Record], expected: RecordId, head: dict[str, str]) -> Outcome:
        def operation() -> Outcome:
            kept = self._kept
            if not kept.log or kept.log[-1][0] != expected:
                return Outcome("moved", str(kept.log[-1][0]) if kept.log else "")
            if head["state"] == "finished" and any(e["kind"] in ACTIONABLE for e in kept.inbox.values()):
                return Outcome("inbox")
            _append(kept, records)
            kept.head.update(head)
            return Outcome("done")

        return self._store.execute(operation)

    def backup(self) -> str:
        return self._store.execute(lambda: self._store.backup)

    def _records(self) -> list[Record]:
        return [stored_record(self._session, str(name), fields) for name, fields in self._kept.log]


class MemoryInbox:
    """The inbox of one session."""

    def __init__(self, store: MemoryStore, session: str, *, patience: Patience | None = None) -> None:
        self._store = store
        self._session = session
        self._patience = patience or Patience()

    def deliver(self, kind: str, source: str, body: Mapping[str, Any]) -> str:
        left = {"kind": checked(kind), "source": source, "body": encode(body)}

        def operation() -> str:
            kept = self._store.stored.setdefault(self._session, Stored())
            if left not in kept.inbox.values():
                kept.delivered += 1
                kept.inbox[f"{kept.delivered}-0"] = left
            return kept.head.get("holder", "")

        return self._patience.ask(lambda: self._store.execute(operation))

    def unread(self) -> list[InboxEntry]:
        def operation() -> list[InboxEntry]:
            kept = self._store.stored.get(self._session) or Stored()
            return [entry(name, held) for name, held in kept.inbox.items()]

        return self._patience.ask(lambda: self._store.execute(operation))

    def remove(self, *ids: str) -> None:
        def operation() -> None:
            kept = self._store.stored.get(self._session) or Stored()
            for name in ids:
                kept.inbox.pop(name, None)

        self._patience.ask(lambda: self._store.execute(operation))


def _append(kept: Stored, records: Sequence[Record]) -> None:
    for record in records:
        kept.log.append((record.id, record.fields()))
        kept.added += 1
