"""`python3 -m keeper.health`: how Redis is, in one sentence; exit code 0 if it takes writes, else 1.

Starts in a few hundredths of a second and asks one question over a plain socket, as a user who may ask nothing else.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping

#: Seconds for the whole exchange.
PATIENCE = 3.0

Info = Mapping[str, str]


def main() -> int:
    """Ask and tell; returns the exit code."""
    try:
        sentence, healthy = judge(ask())
    except FileNotFoundError:
        # The keeper writes the password last, before it becomes Redis.
        sentence = "Redis is not there yet: its files are looked at, or its start was refused; see its log."
        healthy = False
    except OSError as error:
        sentence, healthy = f"Redis does not answer ({error.strerror or error}).", False
    print(sentence)
    return 0 if healthy else 1


def judge(info: Info) -> tuple[str, bool]:
    """What INFO means for those who write: a sentence, and whether they can."""
    if info.get("loading") == "1":
        percent = float(info.get("loading_loaded_perc", 0))
        seconds = info.get("loading_eta_seconds", "?")
        return f"Redis is loading its data: {percent:.0f} %, about {seconds} s left.", False
    if info.get("role") == "slave":
        return "Redis is read-only: it is a replica; an administrator must send REPLICAOF NO ONE.", False
    for field, what in (("aof_last_write_status", "append-only file"), ("rdb_last_bgsave_status", "snapshot")):
        if info.get(field, "ok") != "ok":
            return f"Redis is read-only: its last {what} could not be written; look at the disk and its log.", False
    # Output buffers do not count towards the limit.
    used = int(info["used_memory"]) - int(info.get("mem_not_counted_for_evict", 0))
    most = int(info.get("maxmemory", 0))
    if most and used >= most:
        return f"Redis is full: {_mb(used)} of {_mb(most)} MB; it refuses writes until REDIS_MEMORY is raised.", False
    share = f" ({used * 100 // most} %)" if most else ""
    return f"Redis takes writes: {_mb(used)} of {_mb(most)} MB{share}.", True


def ask() -> dict[str, str]:
    """The fields of INFO; OSError if there is no answer, or none that is INFO."""
    runtime = os.environ.get("KEEPER_RUNTIME", "/run/redis")
    port = int(os.environ.get("KEEPER_PORT", "6379"))
    with open(f"{runtime}/health") as file:
        password = file.read()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        reply = connection.makefile("rb")
        connection.sendall(_command("AUTH", "health", password) + _command("INFO"))
        greeting = reply.readline()
        if greeting != b"+OK\r\n":
            raise OSError(greeting.decode("utf-8", "replace").strip(" -\r\n") or "it closed the connection")
        header = reply.readline()
        if not header.startswith(b"$"):
            raise OSError(header.decode("utf-8", "replace").strip(" -\r\n") or "it closed the connection")
        text = reply.read(int(header[1:])).decode("utf-8", "replace")
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def _command(*words: str) -> bytes:
    return b"".join((b"*%d\r\n" % len(words), *(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)))


def _mb(size: int) -> int:
    return size // 1024**2


if __name__ == "__main__":
    sys.exit(main())
