"""One worker's hold on a session: its writer and its projection, always in step.

Two threads append: the attempt's own, and the one that waits for a save (`saving.py`). A lock keeps the projection in
the order of the log. The rest is for the attempt's own thread.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable

from ..errors import Stopped
from ..log.project import Projection, project
from ..log.records import Body, Record, TurnWaiting
from ..log.store import Writer
from ..stop import StopSignal

#: Seconds between two looks whether a backup is still being copied.
_LOOK = 0.1

#: What the log says of a wait for Redis, and seconds from which on it does.
REDIS_AWAY, LEAST_SECONDS = "Redis was away", 1.0


class Hold:
    """What an open attempt knows and may write. After `Fenced` it must not be used again.

    `redis_waited` gives the seconds for which this attempt has waited for Redis. They are no running time, and the log
    says so as soon as it can be written to again. `waited_before`: those from before its opening was made.
    """

    def __init__(
        self,
        session: str,
        writer: Writer,
        records: list[Record],
        worker: str,
        redis_waited: Callable[[], float] = lambda: 0.0,
        waited_before: float = 0.0,
    ) -> None:
        self.session = session
        self.worker = worker
        self.state: Projection = project(records)
        self._writer = writer
        self._lock = threading.Lock()
        self._redis_waited = redis_waited
        self._logged_outages = waited_before
        self._opened_at = self.now()
        self._waited = 0.0
        #: What is waited for, and since when.
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
        now = self._waiting[1] if self._waiting else self.now()
        return self._seconds_before + now - self._opened_at - self._waited

    def wait(self, why: str, since: float | None = None) -> None:
        """A wait for something outside (the model server, the lock) begins; nothing if one has begun.

        `since`: when it did, by `now`, where that is known only afterwards.
        """
        if self._waiting is None:
            self._waiting = why, self.now() if since is None else since
            self.append(TurnWaiting(why))

    def resume(self) -> None:
        """The wait, if there was one, is over."""
        if self._waiting is not None:
            why, since = self._waiting
            seconds = self.now() - since
            self._waited += seconds
            self._waiting = None
            # However short: without its length it would be another beginning.
            self.append(TurnWaiting(why, max(round(seconds, 3), 0.001)))

    def await_backup(self, stop: StopSignal) -> None:
        """Return once no backup is being copied. A cell that ran meanwhile would change files behind the log's copy.

        To be asked before `cell.started` and again after it: a backup that was not there the first time and has copied
        the log by the second has `cell.started` in its copy, or this attempt waits. Stopped.
        """
        try:
            while name := self._writer.backup():
                if stop:
                    raise Stopped(stop.reason)
                self.wait(f"the backup {name} is being copied")
                select.select([stop], [], [], _LOOK)
        finally:
            self.resume()

    def append(self, body: Body) -> Record:
        """Append durably, then go on from it. Waits while Redis is away; Fenced, RedisAway."""
        with self._lock:
            records = [self._add(body)]
            if outage := self._outage():
                self._logged_outages += outage.seconds
                records.append(self._add(outage))
        for record in records:
            self.on_record(record)
        return records[0]

    def _add(self, body: Body) -> Record:
        record = self._writer.append(body)
        self.state.add(record)
        return record

    def _outage(self) -> TurnWaiting | None:
        """What the log does not say yet of outages, if it is enough to say."""
        seconds = round(self._redis_waited() - self._logged_outages, 3)
        return TurnWaiting(REDIS_AWAY, seconds) if seconds >= LEAST_SECONDS else None

    def now(self) -> float:
        """Seconds of a clock that stands still while Redis is waited for."""
        return time.monotonic() - self._redis_waited()

    def close(self, *bodies: Body, state: str) -> bool:
        """End the attempt with these records; False, and nothing written, if the inbox has something to do first."""
        outage = self._outage()
        return self._writer.close(*((outage,) if outage else ()), *bodies, state=state)
