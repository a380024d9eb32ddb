"""What came from outside a session and no attempt has logged yet: messages, approvals, cancels, retries.

Nobody but the attempt that holds a session writes its log; everybody else leaves an entry here. That attempt
logs each entry, then removes it. An entry is logged exactly once by its source: a job delivers an entry
again when it lost the reply (or itself) in between, so whoever logs entries skips the sources that the log
already holds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Protocol

import redis

from .patience import Patience
from .store import head_key, inbox_key

KINDS = ("message", "approval", "cancel", "retry", "refused")


@dataclass(frozen=True, slots=True)
class InboxEntry:
    """`id` is the entry's place in the inbox; `source` the id of the job (or other client) that left it."""

    id: str
    kind: str
    source: str
    body: dict[str, Any] = field(default_factory=dict)


class Inbox(Protocol):
    """A session's inbox. Waits while the store is away, as the log does (RedisAway if it gives up)."""

    def deliver(self, kind: str, source: str, body: Mapping[str, Any]) -> str:
        """Leave an entry; returns the lease that holds the session, "" if no attempt is open.

        Atomic with closing: if an attempt was open, it cannot close as finished without having seen the entry.
        """
        ...

    def unread(self) -> list[InboxEntry]:
        """The entries, oldest first."""
        ...

    def remove(self, *ids: str) -> None: ...


class RedisInbox:
    """The inbox of one session in Redis."""

    def __init__(self, connection: redis.Redis, session: str, *, patience: Patience | None = None) -> None:
        self._connection = connection
        self._patience = patience or Patience()
        self._key = inbox_key(session)
        self._keys = [self._key, head_key(session)]
        self._deliver = connection.register_script(script("deliver"))

    def deliver(self, kind: str, source: str, body: Mapping[str, Any]) -> str:
        arguments = [checked(kind), source, encode(body)]
        return text(self._patience.ask(lambda: self._deliver(keys=self._keys, args=arguments)))

    def unread(self) -> list[InboxEntry]:
        stored: Any = self._patience.ask(lambda: self._connection.xrange(self._key))
        return [entry(text(name), {text(key): text(value) for key, value in held.items()}) for name, held in stored]

    def remove(self, *ids: str) -> None:
        if ids:
            self._patience.ask(lambda: self._connection.xdel(self._key, *ids))


def checked(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"inbox kind {kind!r} is not one of {', '.join(KINDS)}")
    return kind


def encode(body: Mapping[str, Any]) -> str:
    return json.dumps(dict(body), sort_keys=True, separators=(",", ":"))


def entry(name: str, held: Mapping[str, str]) -> InboxEntry:
    return InboxEntry(name, held["kind"], held["source"], json.loads(held["body"]))


def text(value: Any) -> str:
    """A reply as text, whether or not the connection decodes; broken bytes show, and fail the digest."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def script(name: str) -> str:
    """The Lua file of that name."""
    return files(__package__).joinpath(f"{name}.lua").read_text(encoding="utf-8")
