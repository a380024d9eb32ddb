"""Waiting for Redis: what counts as away, and how long to knock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import redis

from ..errors import RedisAway

T = TypeVar("T")

#: Seconds after which a command without an answer counts as failed, and a connection that nobody takes. The second is
#: short: Linux repeats what it sends into a network that is down ever more rarely, and would notice late that it is up.
SOCKET_SECONDS, CONNECT_SECONDS = 5.0, 1.0

#: Seconds between the first two tries, and between two tries at most.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0

#: Seconds after which a pause looks again whether the caller has lost patience.
_LOOK = 0.1

#: Errors of a Redis that is away, or that answers but takes no writes for now. redis-py gives these replies classes
#: of their own and takes the code out of the text. A wrong password is among them (a ConnectionError to redis-py),
#: rightly so: secrets are rotated under running workers. An answer that is not Redis's (InvalidResponse) comes from a
#: proxy on the way: Docker's own may look for a restarted container where the host has no route (decision 12).
_AWAY = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,
    redis.OutOfMemoryError,
    redis.exceptions.ClusterDownError,
    redis.InvalidResponse,
)

#: The same, for replies without a class. Searched anywhere in the text, because a script's error may wrap them.
_FOR_NOW = ("OOM ", "READONLY ", "MISCONF ", "MASTERDOWN ", "NOREPLICAS ", "LOADING ", "BUSY ", "CLUSTERDOWN ")


def forget(connection: redis.Redis) -> None:
    """Close the connections that nobody uses at the moment.

    The address may lead elsewhere by now, and one that is open to a server that was replaced, and that says READONLY
    ever since, would not notice.
    """
    connection.connection_pool.disconnect(inuse_connections=False)


def never() -> bool:
    """The patience of a worker."""
    return False


def at_once() -> bool:
    """The patience of somebody at a terminal: the first failure is reported."""
    return True


def refusal_of_login(error: redis.RedisError) -> str:
    """The sentence for a wrong user or password; empty for any other error. Waiting mends it only for who had it right.
    """
    if not isinstance(error, redis.AuthenticationError):
        return ""
    return (
        f"Redis refuses the login ({error}); set the user in the address of Redis, and its password there or in the "
        "file that OUTLAST_REDIS_PASSWORD_FILE names, to what Redis was given."
    )


def is_away(error: redis.RedisError) -> bool:
    """Whether the same command may succeed later unchanged."""
    if isinstance(error, _AWAY):
        return True
    return isinstance(error, redis.ResponseError) and any(word in f"{error} " for word in _FOR_NOW)


class Patience:
    """Repeats what Redis could not do for now, pausing 0.05 s and twice as long each time up to 2 s.

    `give_up` is asked after each failure and during each pause; `on_wait` is told once an outage; `reconnect` is called
    before each new try. For several threads.
    """

    def __init__(
        self,
        give_up: Callable[[], bool] = never,
        on_wait: Callable[[str], None] | None = None,
        pause: Callable[[float], None] = time.sleep,
        reconnect: Callable[[], None] = lambda: None,
    ) -> None:
        self._give_up = give_up
        self._on_wait = on_wait
        self._pause = pause
        self._reconnect = reconnect
        self._lock = threading.Lock()
        self._waiting, self._since, self._waited = 0, 0.0, 0.0

    @property
    def waited(self) -> float:
        """Seconds for which somebody has waited, to this moment; a second in which two waited counts once."""
        with self._lock:
            return self._waited + (time.monotonic() - self._since if self._waiting else 0.0)

    def insist(self, attempt: Callable[[bool], T]) -> T:
        """The result of `attempt(again)`; `again` says that an earlier try may have been carried out.

        RedisAway when the caller gives up; any other error at once.
        """
        asked = time.monotonic()
        try:
            return attempt(False)
        except redis.RedisError as error:
            self._heed(error)
            if self._on_wait is not None:
                self._on_wait(f"Redis is away ({error}); waiting for it.")
        with self._outage(asked):
            pause = FIRST_PAUSE
            while True:
                self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                self._reconnect()
                try:
                    return attempt(True)
                except redis.RedisError as error:
                    self._heed(error)

    def _heed(self, error: redis.RedisError) -> None:
        """Raise unless the same is to be tried again."""
        if not is_away(error):
            raise error
        if self._give_up():
            raise RedisAway(f"Redis did not take or answer a command ({error}); check it and try again.") from error

    @contextmanager
    def _outage(self, since: float) -> Iterator[None]:
        with self._lock:
            if not self._waiting:
                self._since = since
            self._waiting += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting -= 1
                if not self._waiting:
                    self._waited += time.monotonic() - self._since

    def ask(self, question: Callable[[], T]) -> T:
        """`insist` for what changes nothing or may be done twice."""
        return self.insist(lambda again: question())

    def _sleep(self, seconds: float) -> None:
        while seconds > 0 and not self._give_up():
            self._pause(min(seconds, _LOOK))
            seconds -= _LOOK
