"""Attempts: one worker's hold on a session, from claim to close.

The names here are what the queue needs; importing them is cheap, `prepare` is what loads the rest.
"""

from __future__ import annotations

import importlib

from redis import Redis

from ..settings import Settings
from ..stop import StopSignal
from .outcome import Outcome, outcome
from .request import Request


def prepare() -> None:
    """Import all that a session needs, in the parent and before any fork, so that no child does it again."""
    importlib.import_module("outlast.attempt.session")


def run_session(
    request: Request,
    *,
    newest: int,
    holder: str,
    worker: str,
    connection: Redis,
    settings: Settings,
    stop: StopSignal,
) -> None:
    """Move the session of `request` forward; see `session.run_session`."""
    from . import session

    session.run_session(
        request,
        newest=newest,
        holder=holder,
        worker=worker,
        connection=connection,
        settings=settings,
        stop=stop,
    )


__all__ = ["Outcome", "outcome", "prepare", "run_session"]
