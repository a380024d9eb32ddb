"""The two homes of a log behind one face, with the faults that the tests cut in with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import redis

from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.records import AttemptOpened, ReplyDelta, SessionOpened
from outlast.log.redis_log import RedisLog, connect, sessions
from outlast.log.store import Log, Writer, log_key

T = TypeVar("T")

AWAY = redis.ConnectionError("the line was cut")


class Faults:
    """What becomes of the next commands: `lost` are carried out and not answered, `refused` not even that."""

    def __init__(self) -> None:
        self.lost = 0
        self.refused = 0

    def around(self, command: Callable[[], T]) -> T:
        if self.refused:
            self.refused -= 1
            raise AWAY
        answer = command()
        if self.lost:
            self.lost -= 1
            raise AWAY
        return answer


class World(Protocol):
    faults: Faults

    def log(self, session: str = "s", **options: Any) -> Log: ...

    def sessions(self) -> list[str]: ...

    def delete_log(self, session: str = "s") -> None: ...

    def drop_last_record(self, session: str = "s") -> None: ...

    def spoil_last_record(self, session: str = "s") -> None:
        """Store an entry that is no record of ours."""
        ...

    def forge_last_record(self, session: str = "s", **fields: str) -> None:
        """Rewrite the log with other fields in its last record, as only an administrator can."""
        ...


class FaultyStore(MemoryStore):
    def __init__(self, faults: Faults) -> None:
        super().__init__()
        self.faults = faults

    def execute(self, operation: Callable[[], T]) -> T:
        parent = super().execute
        return self.faults.around(lambda: parent(operation))


class MemoryWorld:
    def __init__(self) -> None:
        self.faults = Faults()
        self._store = FaultyStore(self.faults)

    def log(self, session: str = "s", **options: Any) -> Log:
        return MemoryLog(self._store, session, **options)

    def sessions(self) -> list[str]:
        return self._store.sessions()

    def delete_log(self, session: str = "s") -> None:
        self._store.stored[session].log.clear()

    def drop_last_record(self, session: str = "s") -> None:
        self._store.stored[session].log.pop()

    def spoil_last_record(self, session: str = "s") -> None:
        last, _ = self._store.stored[session].log[-1]
        self._store.stored[session].log.append((type(last)(last.attempt, last.sequence + 1), {"type": "nonsense"}))

    def forge_last_record(self, session: str = "s", **fields: str) -> None:
        self._store.stored[session].log[-1][1].update(fields)


class FaultyRedis(redis.Redis):
    """Teaching Redis a script is part of the command that needs it, and no fault hits it alone."""

    faults: Faults

    def execute_command(self, *args: Any, **options: Any) -> Any:
        parent = super().execute_command
        if args[0] == "SCRIPT LOAD":
            return parent(*args, **options)
        return self.faults.around(lambda: parent(*args, **options))


class RedisWorld:
    def __init__(self, url: str) -> None:
        self.faults = Faults()
        self.plain = connect(url)
        self._faulty = FaultyRedis(connection_pool=self.plain.connection_pool)
        self._faulty.faults = self.faults

    def log(self, session: str = "s", **options: Any) -> Log:
        return RedisLog(self._faulty, session, **options)

    def sessions(self) -> list[str]:
        return sessions(self.plain)

    def delete_log(self, session: str = "s") -> None:
        self.plain.delete(log_key(session))

    def drop_last_record(self, session: str = "s") -> None:
        entries: Any = self.plain.xrevrange(log_key(session), count=1)
        self.plain.xdel(log_key(session), entries[0][0])

    def spoil_last_record(self, session: str = "s") -> None:
        entries: Any = self.plain.xrevrange(log_key(session), count=1)
        attempt, _, sequence = entries[0][0].decode().partition("-")
        self.plain.xadd(log_key(session), {"type": "nonsense"}, id=f"{attempt}-{int(sequence) + 1}")

    def forge_last_record(self, session: str = "s", **fields: str) -> None:
        entries: Any = self.plain.xrange(log_key(session))
        self.plain.delete(log_key(session))
        entries[-1][1].update(fields)
        for name, held in entries:
            self.plain.xadd(log_key(session), held, id=name)

    def close(self) -> None:
        self.plain.close()


def opened(log: Log, worker: str = "w1", why: str = "first", prompt: str = "clean the file") -> Writer:
    """Open the next attempt where the log ends now."""
    return log.open_attempt(
        AttemptOpened(worker, why), holder=f"lease of {worker}", expected=log.tail(), session=SessionOpened(prompt)
    )


def delta(number: int) -> ReplyDelta:
    return ReplyDelta(f"text {number}")
