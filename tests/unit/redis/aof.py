"""A real append-only file, as redis-server 7.0 wrote it, and the same in commands."""

from __future__ import annotations


def command(*words: str | bytes) -> bytes:
    """One command as Redis writes it."""
    encoded = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


LOG = "outlast:{etl}:log"

#: What each acknowledged step appended; a transaction is one step.
STEPS = (
    command("SELECT", "0"),
    command("hset", "rq:job:etl", "status", "queued", "data", b"x\x9c\x00\x01\r\n*2\xff\x00"),
    command("MULTI")
    + command("xadd", LOG, "0-1", "type", "session.opened", "v", "1", "at", "1", "prev", "0" * 16, "body", "{}")
    + command("hset", "outlast:{etl}:head", "attempt", "1", "holder", "worker-1.0a1b2c3d")
    + command("EXEC"),
    command("xadd", LOG, "1-1", "type", "cell.started", "v", "1", "at", "2", "prev", "1" * 16, "body", '{"code":"x"}'),
    command("LPUSH", "rq:queue:default", "etl"),
    command("set", "empty", ""),
)
FILE = b"".join(STEPS)

#: Offsets at which the file is whole.
WHOLE = tuple(len(b"".join(STEPS[:count])) for count in range(len(STEPS) + 1))
