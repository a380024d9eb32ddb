"""One worker's hold on a session: its writer and its projection, always in step."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..log.project import Projection, project
from ..log.records import Body, Record
from ..log.store import Writer


class Hold:
    """What an open attempt knows and may write. After `Fenced` it must not be used again."""

    def __init__(self, session: str, writer: Writer, records: list[Record], worker: str) -> None:
        self.session = session
        self.worker = worker
        self.state: Projection = project(records)
        self._writer = writer
        self._opened_at = time.monotonic()
        self._waited = 0.0
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
        return self._seconds_before + time.monotonic() - self._opened_at - self._waited

    def waited(self, seconds: float) -> None:
        """Take a wait for something outside (model server, lock, Redis) out of the running time."""
        self._waited += seconds

    def append(self, body: Body) -> Record:
        """Append durably, then go on from it. Waits while Redis is away; Fenced, RedisAway."""
        record = self._writer.append(body)
        self.state.add(record)
        self.on_record(record)
        return record

    def close(self, *bodies: Body, state: str) -> bool:
        """End the attempt with these records; False, and nothing written, if the inbox has something to do first."""
        return self._writer.close(*bodies, state=state)
