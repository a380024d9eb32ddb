"""What a session's log offers, whoever stores it; `RedisLog` and `MemoryLog` are under the same tests.

The log holds truth by three rules. Only a `Writer` appends, and only one writer of a session can: opening attempt
n+1 fences attempt n in the store itself. A record, once acknowledged, stays as it is. Nothing is appended
under an id that the store chose.

Keys, `S` being the session's id:

    outlast:{S}:log      stream    the records
    outlast:{S}:head     hash      what lists and sweeps read instead of the log (`Head`)
    outlast:{S}:inbox    stream    what came from outside and no attempt has logged yet
    outlast:sessions     zset      S → seconds since the epoch at which it was opened
    outlast:backup       string    name of the backup for which no cell may start; expires by itself
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from .records import GENESIS, AttemptOpened, Body, Record, RecordId, SessionOpened

if TYPE_CHECKING:
    from .inbox import Inbox

SESSIONS_KEY = "outlast:sessions"
BACKUP_KEY = "outlast:backup"

#: Inbox kinds that a finished session acts on; while one is unread, an attempt cannot close as finished.
ACTIONABLE = ("message", "approval", "retry")

#: Characters of the prompt that the head repeats.
HEAD_PROMPT_CHARS = 200


def log_key(session: str) -> str:
    return f"outlast:{{{session}}}:log"


def head_key(session: str) -> str:
    return f"outlast:{{{session}}}:head"


def inbox_key(session: str) -> str:
    return f"outlast:{{{session}}}:inbox"


class Tail(NamedTuple):
    """The end of a log: the last record's id and digest, and how many records there are."""

    id: RecordId | None
    digest: str
    length: int


EMPTY = Tail(None, GENESIS, 0)


@dataclass(frozen=True, slots=True)
class Head:
    """A summary written when an attempt opens and closes.

    `length`, `last` and `digest` belong together, and are a lower bound while an attempt is open: the log
    holds at least `length` records, and its record number `length` is `last` with this `digest`.
    `state` is running, finished, failed, drained or waiting; `holder` is the lease of the worker whose attempt
    is open, "" if none is. `opened` and `changed` are seconds since the epoch. `added` is how many records
    the store itself counted in (0 where it does not count): more than there are means that some were removed.
    """

    attempt: int
    length: int
    last: RecordId
    digest: str
    state: str
    holder: str = ""
    prompt: str = ""
    opened: float = 0.0
    changed: float = 0.0
    queue: str = "default"
    added: int = 0

    @classmethod
    def from_fields(cls, stored: Mapping[str, str], added: int = 0) -> Self:
        """Read the stored hash; ValueError if what makes a head is missing or malformed."""
        try:
            return cls(
                attempt=int(stored["attempt"]),
                length=int(stored["length"]),
                last=RecordId.parse(stored["last"]),
                digest=stored["digest"],
                state=stored["state"],
                holder=stored.get("holder", ""),
                prompt=stored.get("prompt", ""),
                opened=float(stored.get("opened", 0)),
                changed=float(stored.get("changed", 0)),
                queue=stored.get("queue", "default"),
                added=added,
            )
        except KeyError as missing:
            raise ValueError(f"the head has no field {missing}") from None


class Writer(Protocol):
    """One attempt's hold on a log. Safe to use from several threads of one process.

    Every method waits while the store is away, until `give_up` says otherwise (RedisAway). After RedisAway the
    writer may be used again: it first finds out what became of the record in question.
    Fenced: a newer attempt is open, or this one is closed. LogDamaged: acknowledged records are gone.
    """

    @property
    def attempt(self) -> int: ...

    @property
    def tail(self) -> Tail: ...

    def append(self, body: Body) -> Record:
        """Append under the next id; returns once the record is acknowledged."""
        ...

    def close(self, *bodies: Body, state: str) -> bool:
        """Append `bodies` (at least one) and end the attempt, all or nothing; the writer is over then.

        With state `finished` and something actionable in the inbox: appends nothing, returns False, and the
        attempt goes on. Any other state closes whatever the inbox holds.
        """
        ...

    def backup(self) -> str:
        """Name of the backup that is being copied, during which no cell starts; empty if there is none."""
        ...


class Log(Protocol):
    """A session's log. Reading waits while the store is away, as writing does."""

    @property
    def session(self) -> str: ...

    @property
    def inbox(self) -> Inbox: ...

    @property
    def waited(self) -> float:
        """Seconds for which this object, its writers or its inbox have waited for the store, to this moment."""
        ...

    def read(self, after: RecordId | None = None) -> list[Record]:
        """All records, or those after `after`; LogDamaged if an entry is not a record."""
        ...

    def tail(self) -> Tail: ...

    def head(self) -> Head | None:
        """None if the session was never opened; LogDamaged if it is malformed."""
        ...

    def follow(self, after: RecordId | None, seconds: float) -> list[Record]:
        """The records after `after`, waiting up to `seconds` for the first; empty if none came."""
        ...

    def open_attempt(
        self, opening: AttemptOpened, *, holder: str, expected: Tail, session: SessionOpened | None = None
    ) -> Writer:
        """Open the next attempt and fence every older one, atomically, if the log still ends at `expected`.

        An empty log needs `session`, and gets it as `0-1`; otherwise `session` is ignored. `opening.worker`
        must name one process: with the time it tells this opening from another's when a reply was lost.
        Fenced: the log has moved on; read again and retry. LogDamaged: the log contradicts its head.
        """
        ...
