"""The log's rules over any store of records: the chain, the fence, and replies that were lost.

A `Store` knows six primitive operations and no rules. Whatever asks one again after a lost reply finds out
from the record at the id whether the first try counted: if it is the one meant (same digest), it did.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from .. import points
from ..errors import Fenced, LogDamaged
from .inbox import Inbox
from .patience import Patience
from .records import AttemptOpened, Body, Record, RecordId, SessionOpened
from .store import EMPTY, HEAD_PROMPT_CHARS, Head, Tail

#: Records fetched at a time, so that a long log never holds Redis up.
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an atomic change did: done, moved (the log ended elsewhere), inbox (something to act on), damaged."""

    what: str
    detail: str = ""


class Store(Protocol):
    """One session's storage. Each method is one atomic operation, and may raise redis.RedisError."""

    @property
    def session(self) -> str: ...

    def add(self, record: Record, after: RecordId) -> bool:
        """Append if the log ends at `after`, else False. LogDamaged if there is no log to append to."""
        ...

    def last(self) -> Record | None: ...

    def at(self, record_id: RecordId) -> Record | None: ...

    def tail(self) -> tuple[Record | None, int]:
        """The last record and the number of records."""
        ...

    def page(self, after: RecordId | None, limit: int) -> list[Record]: ...

    def await_page(self, after: RecordId | None, limit: int, seconds: float) -> list[Record]: ...

    def head(self) -> Head | None: ...

    def open(self, records: Sequence[Record], expected: Tail, head: dict[str, str], new: dict[str, str]) -> Outcome:
        """Append `records` if the log ends at `expected` and agrees with its head, then update the head with
        `head`, and with `new` too if the log was empty; a new session joins the index."""
        ...

    def close(self, records: Sequence[Record], expected: RecordId, head: dict[str, str]) -> Outcome:
        """Append `records` if the log ends at `expected`, and update the head; with head state `finished`,
        only if the inbox holds nothing actionable."""
        ...

    def backup(self) -> str: ...


def _position(tail: Tail) -> dict[str, str]:
    return {"length": str(tail.length), "last": str(tail.id), "digest": tail.digest}


class Journal:
    """A `Log` over a store."""

    def __init__(
        self, store: Store, inbox: Inbox, *, patience: Patience | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._patience = patience or Patience()
        self._clock = clock

    @property
    def session(self) -> str:
        return self._store.session

    @property
    def inbox(self) -> Inbox:
        return self._inbox

    @property
    def patience(self) -> Patience:
        """How it waits; for whatever else is asked over the same connection."""
        return self._patience

    @property
    def waited(self) -> float:
        return self._patience.waited

    def read(self, after: RecordId | None = None) -> list[Record]:
        records: list[Record] = []
        while True:
            start = records[-1].id if records else after
            page = self._patience.ask(partial(self._store.page, start, _PAGE))
            records += page
            if len(page) < _PAGE:
                return records

    def tail(self) -> Tail:
        last, length = self._patience.ask(self._store.tail)
        return EMPTY if last is None else Tail(last.id, last.digest, length)

    def head(self) -> Head | None:
        return self._patience.ask(self._store.head)

    def follow(self, after: RecordId | None, seconds: float) -> list[Record]:
        return self._patience.ask(lambda: self._store.await_page(after, _PAGE, seconds))

    def open_attempt(
        self, opening: AttemptOpened, *, holder: str, expected: Tail, session: SessionOpened | None = None
    ) -> AttemptWriter:
        if expected.id is None and session is None:
            raise ValueError(f"the log of session {self.session} is empty: its opening is needed")
        number = 1 if expected.id is None else expected.id.attempt + 1
        now = self._clock()
        records: list[Record] = []
        new: dict[str, str] = {}
        if expected.id is None and session is not None:
            records.append(Record.make(RecordId(0, 1), now, expected.digest, session))
            prompt = session.prompt[:HEAD_PROMPT_CHARS].encode("utf-8", "replace").decode()
            new = {"prompt": prompt, "opened": repr(now), "queue": session.queue}
        prev = records[-1].digest if records else expected.digest
        records.append(Record.make(RecordId(number, 0), now, prev, opening))
        opened = records[-1]
        tail = Tail(opened.id, opened.digest, expected.length + len(records))
        head = {"attempt": str(number), "state": "running", "holder": holder, "changed": repr(now), **_position(tail)}
        types = [record.type for record in records]
        points.appending("before", *types)
        self._patience.ask(lambda: self._open(records, expected, head, new))
        points.appending("after", *types)
        return AttemptWriter(self._store, opened.id, tail, self._patience, self._clock)

    def _open(self, records: list[Record], expected: Tail, head: dict[str, str], new: dict[str, str]) -> None:
        outcome = self._store.open(records, expected, head, new)
        if outcome.what == "damaged":
            raise LogDamaged(f"session {self.session}: {outcome.detail}; run `outlast verify {self.session}`.")
        if outcome.what == "moved":
            stored = self._store.at(records[-1].id)
            if stored is None or stored.digest != records[-1].digest:
                raise Fenced(
                    f"attempt {records[-1].id.attempt} of session {self.session} was not opened: the log ends at "
                    f"{outcome.detail or 'nothing'}, not at {expected.id or 'nothing'}; read it again and retry."
                )


class AttemptWriter:
    """A `Writer` over a store. The chain is built here; the store only refuses."""

    def __init__(
        self, store: Store, last: RecordId, tail: Tail, patience: Patience, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._patience = patience
        self._clock = clock
        self._lock = threading.RLock()
        self._last = last
        self._tail = tail
        #: Sent, but the answer was given up on: it may or may not be in the log. True for a closing.
        self._unsure: tuple[list[Record], bool] | None = None
        self._closed = False

    @property
    def attempt(self) -> int:
        return self._last.attempt

    @property
    def tail(self) -> Tail:
        return self._tail

    def append(self, body: Body) -> Record:
        with self._lock:
            self._settle()
            if self._closed:
                raise Fenced(f"attempt {self.attempt} of session {self._store.session} is closed; open another.")
            (record,) = records = self._make((body,))
            self._unsure = records, False
            points.appending("before", record.type)
            self._patience.insist(lambda again: self._add(record, again))
            points.appending("after", record.type)
            self._advance(records)
            return record

    def close(self, *bodies: Body, state: str) -> bool:
        if not bodies:
            raise ValueError("an attempt closes with at least one record")
        with self._lock:
            self._settle()
            if self._closed:
                return True
            records = self._make(bodies)
            self._unsure = records, True
            head = {"state": state, "holder": "", "changed": repr(records[-1].at), **_position(self._after(records))}
            types = [record.type for record in records]
            points.appending("before", *types)
            closed = self._patience.ask(lambda: self._close(records, head))
            if closed:
                points.appending("after", *types)
                self._advance(records)
            self._closed, self._unsure = closed, None
            return closed

    def backup(self) -> str:
        return self._patience.ask(self._store.backup)

    def _make(self, bodies: Sequence[Body]) -> list[Record]:
        records: list[Record] = []
        last, prev, now = self._last, self._tail.digest, self._clock()
        for body in bodies:
            last = RecordId(last.attempt, last.sequence + 1)
            records.append(Record.make(last, now, prev, body))
            prev = records[-1].digest
        return records

    def _after(self, records: Sequence[Record]) -> Tail:
        return Tail(records[-1].id, records[-1].digest, self._tail.length + len(records))

    def _advance(self, records: Sequence[Record]) -> None:
        self._tail, self._last, self._unsure = self._after(records), records[-1].id, None

    def _add(self, record: Record, again: bool) -> None:
        # After an outage that was met, the end is compared to the digest, too, before anything is sent.
        if again and self._landed(record):
            return
        if not self._store.add(record, self._last) and not self._landed(record):
            raise LogDamaged(
                f"session {self._store.session}: the log refuses {record.id} though it ends at {self._last}; "
                f"a record was removed. Run `outlast verify {self._store.session}`."
            )

    def _close(self, records: Sequence[Record], head: dict[str, str]) -> bool:
        outcome = self._store.close(records, self._last, head)
        if outcome.what == "moved" and not self._landed(records[-1]):
            raise LogDamaged(f"session {self._store.session}: the log ends at {outcome.detail}, not at {self._last}.")
        return outcome.what != "inbox"

    def _settle(self) -> None:
        """Find out what became of a record whose answer was given up on, or cut off by an exception."""
        if self._unsure is not None:
            records, closing = self._unsure
            if self._patience.ask(lambda: self._landed(records[-1])):
                self._advance(records)
                self._closed = closing
            self._unsure = None

    def _landed(self, record: Record) -> bool:
        """Whether `record` is in the log; False: it is not, and the log still ends where this writer left it.

        The end is read before the record, so that a try still on its way cannot look like another's record.
        """
        last = self._store.last()
        stored = self._store.at(record.id)
        if stored is not None and stored.digest == record.digest:
            return True
        if stored is None and last is not None and last.id == self._last and last.digest == self._tail.digest:
            return False
        if last is None or last.id <= self._last:
            raise LogDamaged(
                f"session {self._store.session}: the log ends at {last.id if last else 'nothing'}, but {self._last} "
                f"had been acknowledged; restore Redis's data, then run `outlast verify {self._store.session}`."
            )
        raise Fenced(
            f"attempt {self.attempt} of session {self._store.session} is over: the log ends at {last.id}, "
            "written by another attempt; stop, nothing more is appended."
        )
