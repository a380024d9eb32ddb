"""One request to the model server, read by a thread of its own.

The caller waits on a queue and not on the socket, so that a stop, or a limit on silence, wakes it at once. Who
gives up shuts the socket down: the server sees the hang-up immediately and stops generating, and the thread
ends with it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from ..errors import Stopped
from ..stop import StopSignal

T = TypeVar("T")

#: The exchange whose request the current thread sends.
_sending = threading.local()


class Silent(Exception):
    """Nothing came within the limit."""


class Ended:
    """The work is over; `error` is what it raised, if anything."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error


class Woken:
    """A stop was asked for."""


class Exchange(Generic[T]):
    """`work` runs in a thread and hands over items with the function that it is given."""

    def __init__(self, work: Callable[[Callable[[T], None]], None], stop: StopSignal | None = None) -> None:
        self._stop = stop
        self._items: SimpleQueue[T | Ended | Woken] = SimpleQueue()
        self._lock = threading.Lock()
        self._hung_up = False
        self._socket: socket.socket | None = None
        self._unsubscribe = stop.subscribe(lambda: self._items.put(Woken())) if stop is not None else None
        # A daemon: a look-up or connect that hangs must not keep the process from ending.
        threading.Thread(target=self._run, args=(work,), name="model-request", daemon=True).start()

    def next(self, limit: float) -> T | None:
        """The next item, None at the end of the work; Silent after `limit` seconds, Stopped, or the work's error."""
        deadline = time.monotonic() + limit
        while True:
            if self._stop:
                raise Stopped(self._stop.reason)
            try:
                item = self._items.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                raise Silent from None
            if isinstance(item, Ended):
                if item.error is not None:
                    raise item.error
                return None
            if not isinstance(item, Woken):
                return item

    def hang_up(self) -> None:
        """Nobody waits for the answer any more. May be called twice."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        with self._lock:
            self._hung_up = True
            self._shut_down()

    def _run(self, work: Callable[[Callable[[T], None]], None]) -> None:
        _sending.exchange = self
        try:
            work(self._items.put)
        except Exception as error:
            self._items.put(Ended(error))
        else:
            self._items.put(Ended(None))

    def _traced(self, event: str, info: dict[str, Any]) -> None:
        # Events of the HTTP library: each new connection passes by here before it carries a request.
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            with self._lock:
                self._socket = info["return_value"].get_extra_info("socket")
                if self._hung_up:
                    self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is not None:
            # The plain socket's method: that of a TLS socket would pull its state from under the reading thread.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
            self._socket = None


def trace(request: Any) -> None:
    """Hook of the HTTP client, called in the exchange's thread: shows the exchange its connection."""
    request.extensions["trace"] = _sending.exchange._traced
