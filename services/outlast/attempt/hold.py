"""One worker's hold on a session: its writer and its projection, always in step.

Two threads append: the attempt's own, and the one that waits for a save (`saving.py`). A lock keeps the projection in
the order of the log. The rest is for the attempt's own thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..log.project import Projection, project
from ..log.records import Body, Record, TurnWaiting
from ..log.store import Writer


class Hold:
    """What an open attempt knows and may write. After `Fenced` it must not be used again."""

    def __init__(self, session: str, writer: Writer, records: list[Record], worker: str) -> None:
        self.session = session
        self.worker = worker
        self.state: Projection = project(records)
        self._writer = writer
        self._lock = threading.Lock()
        self._opened_at = time.monotonic()
        self._waited = 0.0
        #: What is waited for, and since when (monotonic).
        self._waiting: tuple[str, float] | None = None
        self._seconds_before = self.state.seconds
        #: Called with every record that was appended; for the worker's own log.
        self.on_record: Callable[[Record], None] = lambda record: None

    @property
    def number(self) -> int:
        """The attempt's number, from 1."""
        return self._writer.attempt

    @property
    def seconds(self) -> float:
        """Running time of the session so far, earlier attempts included, waits excluded."""
        now = self._waiting[1] if self._waiting else time.monotonic()
        return self._seconds_before + now - self._opened_at - self._waited

    def wait(self, why: str) -> None:
        """A wait for something outside (the model server, the lock) begins; nothing if one has begun."""
        if self._waiting is None:
            self._waiting = why, time.monotonic()
            self.append(TurnWaiting(why))

    def resume(self) -> None:
        """The wait, if there was one, is over."""
        if self._waiting is not None:
            why, since = self._waiting
            seconds = time.monotonic() - since
            self._waited += seconds
            self._waiting = None
            self.append(TurnWaiting(why, round(seconds, 3)))

    def append(self, body: Body) -> Record:
        """Append durably, then go on from it. Waits while Redis is away; Fenced, RedisAway."""
        with self._lock:
            record = self._writer.append(body)
            self.state.add(record)
        self.on_record(record)
        return record

    def close(self, *bodies: Body, state: str) -> bool:
        """End the attempt with these records; False, and nothing written, if the inbox has something to do first."""
        return self._writer.close(*bodies, state=state)
