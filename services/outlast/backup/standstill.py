"""The time in which no cell starts: a key in Redis that expires by itself, so that a backup that dies holds nobody up.

Who begins a cell looks for the key before and after `cell.started` (`attempt.hold`), and waits while it is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import redis

from ..errors import BackupError
from ..log.store import BACKUP_KEY

#: Seconds after which the key is gone if nobody renews it, and between two renewals.
EXPIRY, RENEWAL = 10.0, 2.0
#: Seconds after which a backup gives up: cells wait for it.
LONGEST = 600.0


class Standstill:
    """One backup's. It is renewed by a thread; what lapsed all the same is told by `demand`."""

    def __init__(self, connection: redis.Redis, name: str) -> None:
        self._connection, self._name = connection, name
        self._over = threading.Event()
        self._too_long = False
        self._began = self._until = 0.0
        #: How long it lasted, once it is over.
        self.seconds = 0.0
        self._thread = threading.Thread(target=self._renew, name="standstill", daemon=True)

    def begin(self) -> None:
        """BackupError if another backup holds the cells up."""
        sent = time.monotonic()
        if not self._connection.set(BACKUP_KEY, self._name, nx=True, px=int(EXPIRY * 1000)):
            raise BackupError("another backup is being copied; try again when it is done")
        self._began, self._until = sent, sent + EXPIRY
        self._thread.start()

    def demand(self) -> None:
        """BackupError unless no cell can have started since it began."""
        if self._too_long:
            raise BackupError(
                f"what sessions had changed was not copied in {LONGEST:g} s, and cells wait no longer for it; nothing "
                "was kept, make backup when they write less tries again"
            )
        if time.monotonic() >= self._until:
            raise BackupError(
                "cells may have started while they were held up, for Redis did not answer in time; nothing was kept, "
                "make backup tries again"
            )

    def end(self) -> None:
        """Let cells start."""
        self._over.set()
        self._thread.join()
        self.seconds = time.monotonic() - self._began
        if time.monotonic() < self._until:
            self._connection.delete(BACKUP_KEY)

    def _renew(self) -> None:
        while not self._over.wait(RENEWAL):
            sent = time.monotonic()
            if sent - self._began >= LONGEST:
                self._too_long = True  # What is left of the key runs out.
                return
            try:
                if not self._connection.set(BACKUP_KEY, self._name, xx=True, px=int(EXPIRY * 1000)):
                    self._until = 0.0
                    return
            except redis.RedisError:
                continue  # It lasts as long as it was last renewed for.
            self._until = sent + EXPIRY


@contextmanager
def standstill(connection: redis.Redis, name: str) -> Iterator[Standstill]:
    """No cell starts within, as far as `demand` says so. BackupError, RedisError."""
    held = Standstill(connection, name)
    held.begin()
    try:
        yield held
    finally:
        held.end()
