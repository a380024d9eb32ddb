"""The user id of a session: given once, recorded in `session.opened`, the same on every replica and after a restore."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from redis import Redis

from ..errors import Refused
from ..kernel.confine import confinement
from ..kernel.sandbox.identity import Identity
from ..kernel.workspace import FIRST_UID
from ..log.patience import Patience
from ..log.records import SessionOpened
from ..settings import Settings

#: How many user ids have been given, to sessions of all workers.
USERS_KEY = "outlast:users"
#: Thousands of ids after which a deployment begins: any of those that leave room for as many sessions below 2³¹.
_BEGINNINGS = 200_000
#: Ids that may be taken by the files of sessions that Redis knows nothing of any more.
_TRIES = 100_000


def new(connection: Redis, settings: Settings, patience: Patience) -> int:
    """A user id that no other session has, nor any files here; this process's own where sessions have none.

    RedisAway; Refused where there is none.
    """
    if not confinement(settings).has_users:
        return os.getuid()
    taken = _owners(Path(settings.workspaces))
    beginning = 1000 * (1 + secrets.randbelow(_BEGINNINGS))
    for _ in range(_TRIES):
        # Asked twice for want of an answer, it may give two: one is lost, and none is given to two sessions.
        given: Any = patience.ask(lambda: connection.incr(USERS_KEY))
        if int(given) == 1:
            # Linux counts a user's processes over all containers of a host, so two deployments begin apart.
            given = patience.ask(lambda: connection.incr(USERS_KEY, beginning))
        uid = FIRST_UID + int(given)
        if uid not in taken:
            return uid
    raise Refused(
        f"{_TRIES} user ids in a row belong to files below {settings.workspaces}; remove what is left of old sessions"
    )


def identity(opened: SessionOpened, settings: Settings) -> Identity | None:
    """The session's user; None where sessions have none. Refused for a session that was opened without one."""
    if not confinement(settings).has_users:
        return None
    if opened.uid <= FIRST_UID:
        raise Refused(
            "the session was opened without the sandbox's layer `user`, so its files are the worker's own; "
            "open a new session, or run this one with the OUTLAST_SANDBOX that it was opened with"
        )
    return Identity(opened.uid)


def _owners(workspaces: Path) -> set[int]:
    """The groups of all workspaces: each is its session's user."""
    try:
        with os.scandir(workspaces) as entries:
            return {entry.stat(follow_symlinks=False).st_gid for entry in entries}
    except FileNotFoundError:
        return set()
