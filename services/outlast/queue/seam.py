"""What the worker needs of `outlast.attempt`; tests put their own in its place."""

from __future__ import annotations

import importlib
from typing import Any, Protocol, cast

import redis

from outlast.attempt.request import Request
from outlast.settings import Settings
from outlast.stop import StopSignal


class Outcome(Protocol):
    """What became of a session: finished, failed, drained, waiting, open (it did not close), none (no session)."""

    @property
    def kind(self) -> str: ...

    @property
    def reason(self) -> str: ...

    @property
    def result(self) -> dict[str, Any] | None: ...


class Attempts(Protocol):
    """The package `outlast.attempt`."""

    def prepare(self) -> None:
        """Import what is heavy, before any fork."""
        ...

    def run_session(
        self,
        request: Request,
        *,
        newest: int,
        holder: str,
        worker: str,
        connection: redis.Redis,
        settings: Settings,
        stop: StopSignal,
    ) -> None:
        """Move the session forward, unless an attempt after `newest` was opened: that one is another worker's.

        Refused if the request cannot be carried out. Runs in the child."""
        ...

    def outcome(self, connection: redis.Redis, session: str) -> Outcome:
        """Read the session's log. Runs in the parent."""
        ...


def attempts() -> Attempts:
    """The real one, imported only by a worker that works: naming the class must stay cheap."""
    return cast(Attempts, importlib.import_module("outlast.attempt"))
