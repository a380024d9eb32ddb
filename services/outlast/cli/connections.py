"""What `outlast doctor` looks at from where it runs: Redis, the workers, the model server, the workspaces.

Nothing is changed but for one file of no bytes, which is made in the workspaces and taken away.
"""

from __future__ import annotations

import http.client
import json
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import redis

from ..deploy.findings import Finding, bad, good, unknown
from ..kernel import confine
from ..log.redis_log import connect
from ..settings import Settings
from .source import reason
from .text import one_line, plural, size

#: Seconds for the model server to list its models, and to write a first token while it serves others.
_LIST_SECONDS, _TOKEN_SECONDS = 10.0, 60.0

#: RQ's key while `rq suspend` is in force.
_SUSPENDED = "rq:suspended"

#: Seconds that Redis may take for an answer, and answers of which the quickest counts.
_SLOW_SECONDS, _ASKED = 0.2, 3

#: Shares of Redis's memory and of the disk beyond which room is getting short.
_FULL, _LEAST_DISK = 0.9, 2 * 1024**3


def findings(settings: Settings) -> Iterator[Finding]:
    """All of it, in the order of what depends on what."""
    yield from redis_findings(settings)
    yield from model_findings(settings)
    yield from workspace_findings(Path(settings.workspaces))
    yield from sandbox_findings(settings)


def redis_findings(settings: Settings) -> Iterator[Finding]:
    """Whether Redis answers, keeps what it acknowledges, has room, guards the logs, and has living workers."""
    try:
        connection = connect(settings.redis_url)
    except ValueError as mistake:
        yield bad("Redis", f"its address is none: {one_line(str(mistake), 200)}.", "Set OUTLAST_REDIS_URL.")
        return
    try:
        if (yield from _redis(connection)):
            yield from _workers(connection, settings.lease)
        else:
            yield unknown("workers", "whether any is alive does not show while Redis takes no writes")
    except redis.AuthenticationError as error:
        mend = "In the stack, make up gives the containers the passwords of secrets/ anew."
        yield bad("Redis", f"it refuses the login: {reason(error)}.", mend)
    except redis.BusyLoadingError:
        yield bad("Redis", "it is still reading its files.", "Wait; make logs S=redis shows how far it is.")
    except redis.RedisError as error:
        yield bad("Redis", f"it does not answer: {reason(error)}.", "make logs S=redis says more; make up starts it.")
    finally:
        connection.close()


def _redis(connection: redis.Redis) -> Generator[Finding, None, bool]:
    """Returns whether it takes writes."""
    slowness = min(_answer_seconds(connection) for _ in range(_ASKED))
    info: dict[str, Any] = connection.info()
    if slowness > _SLOW_SECONDS:
        mend = "A session is as slow at each step. Is its disk busy, or the way to it long?"
        yield bad("Redis", f"{info['redis_version']} takes {slowness:.1f} s to answer.", mend)
    else:
        yield good("Redis", f"{info['redis_version']} answers in {1000 * slowness:.1f} ms")
    if not info["aof_enabled"] or not _synced(connection):
        mend = "Set appendonly yes and appendfsync always."
        yield bad("Redis keeps", "a power cut would lose what was logged.", mend)
    elif info["aof_last_write_status"] != "ok":
        yield bad("Redis keeps", "its last write to the disk failed.", "Is the disk full? make logs S=redis says more.")
    else:
        yield good("Redis keeps", "what it acknowledges is on the disk")
    takes_writes = True
    if info["role"] != "master":
        takes_writes = False
        mend = "If it is the right one, an administrator must send it REPLICAOF NO ONE."
        yield bad("Redis writes", "it is a replica, so it is read-only; workers wait.", mend)
    elif info["rdb_last_bgsave_status"] != "ok" and _stops_writes(connection):
        takes_writes = False
        mend = "Is the disk full? Redis takes writes again after its next snapshot; make logs S=redis says more."
        yield bad("Redis writes", "its last snapshot could not be written, so it is read-only; workers wait.", mend)
    used, most = int(info["used_memory"]), int(info["maxmemory"])
    # Output buffers do not count towards the limit.
    if most and used - int(info.get("mem_not_counted_for_evict", 0)) >= most:
        takes_writes = False
        mend = "Raise REDIS_MEMORY and REDIS_MEMORY_LIMIT."
        yield bad("Redis memory", f"{size(used)} of {size(most)} are used: it takes no writes; workers wait.", mend)
    elif most and used > _FULL * most:
        mend = "Raise REDIS_MEMORY and REDIS_MEMORY_LIMIT; when it is full, workers wait."
        yield bad("Redis memory", f"{size(used)} of {size(most)} are used.", mend)
    else:
        yield good("Redis memory", f"{size(used)} of {size(most) if most else 'no limit'} are used")
    if not takes_writes:
        return False
    try:
        # There is no such key: where the user may not delete logs this is refused, else nothing happens.
        connection.delete("outlast:{doctor}:log")
        yield unknown("log guard", "this Redis lets its user delete logs, which nothing of Outlast ever does")
    except redis.exceptions.NoPermissionError:
        yield good("log guard", "this user may not delete a log")
    return True


def _answer_seconds(connection: redis.Redis) -> float:
    """How long it takes to answer a question that any Redis answers whose data can be read."""
    asked = time.monotonic()
    # Not PING, which a Redis that takes no writes refuses; nor INFO, which one answers that is still loading.
    connection.exists(_SUSPENDED)
    return time.monotonic() - asked


def _synced(connection: redis.Redis) -> bool:
    """Whether each write is on the disk before it is acknowledged; True where this user may not ask."""
    told = _configured(connection, "appendfsync")
    return told is None or told.get("appendfsync") == "always"


def _stops_writes(connection: redis.Redis) -> bool:
    """Whether a snapshot that could not be written stops all writes; True where this user may not ask."""
    told = _configured(connection, "save", "stop-writes-on-bgsave-error")
    return told is None or (bool(told.get("save")) and told.get("stop-writes-on-bgsave-error") == "yes")


def _configured(connection: redis.Redis, *names: str) -> dict[str, str] | None:
    """Settings of Redis; None where this user may not ask."""
    try:
        told: Any = connection.config_get(*names)
    except redis.ResponseError:
        return None
    return dict(told)


def _workers(connection: redis.Redis, lease_seconds: float) -> Iterator[Finding]:
    """Those whose leases are renewed while one watches: a process that stands still has a lease too, for a while."""
    first: Any = connection.hgetall("outlast:leases")
    time.sleep(lease_seconds)
    second: Any = connection.hgetall("outlast:leases")
    alive = sum(first.get(lease) != counter for lease, counter in second.items())
    if not alive:
        yield bad("workers", "none is alive.", "make ps and make logs S=worker say more; make up starts them.")
    elif connection.exists(_SUSPENDED):
        yield bad("workers", f"{plural(alive, 'worker')} alive, but told to take no jobs.", "rq resume lets them.")
    else:
        yield good("workers", f"{plural(alive, 'worker')} alive")


def model_findings(settings: Settings) -> Iterator[Finding]:
    """Whether the model server has the model, and writes: one that hangs still answers all other questions."""
    where = settings.model_url.rstrip("/")
    try:
        listed = _asked(settings, f"{where}/models", None, _LIST_SECONDS)
        models = {str(item["id"]): item.get("max_model_len") for item in listed["data"]}
        if settings.model not in models:
            said = f"{where} serves {', '.join(map(one_line, models)) or 'nothing'}, and not {settings.model}."
            yield bad("model server", said, "OUTLAST_MODEL must be what it serves.")
            return
        longest = models[settings.model]
        if isinstance(longest, int) and longest < settings.context_window:
            said = f"it holds {longest} tokens, less than OUTLAST_CONTEXT_WINDOW={settings.context_window}."
            yield bad("context window", said, "Lower that to fit: longer conversations are refused until then.")
        prompt = {"model": settings.model, "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]}
        began = time.monotonic()
        _asked(settings, f"{where}/chat/completions", prompt, _TOKEN_SECONDS)
        yield good("model server", f"{settings.model} wrote a token in {time.monotonic() - began:.1f} s")
    except urllib.error.HTTPError as error:
        refused = error.code in (401, 403)
        mend = "OUTLAST_MODEL_KEY_FILE must hold its key." if refused else "make logs S=vllm says more."
        yield bad("model server", f"{where} answers {error.code} {one_line(error.reason)}.", mend)
    except (OSError, http.client.HTTPException) as error:
        why = one_line(str(getattr(error, "reason", "") or error) or type(error).__name__, 200)
        mend = "It may still be loading: make ps and make logs S=vllm say more. Sessions wait for it."
        yield bad("model server", f"{where} does not answer ({why}).", mend)
    except (ValueError, KeyError, TypeError, AttributeError):
        yield bad("model server", f"what answers at {where} is no model server.", "Is OUTLAST_MODEL_URL right?")


def _asked(settings: Settings, url: str, body: dict[str, Any] | None, seconds: float) -> Any:
    """The server's JSON answer; HTTPError, OSError or ValueError."""
    headers = {"Content-Type": "application/json"}
    if key := settings.model_key():
        headers["Authorization"] = f"Bearer {key}"
    data = None if body is None else json.dumps(body).encode()
    # The address is the operator's own setting; a proxy of the environment would take the question off this host.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, data, headers), timeout=seconds) as answer:  # noqa: S310  # the address is the operator's own setting, never a session's
        return json.loads(answer.read(1 << 20))


def sandbox_findings(settings: Settings) -> Iterator[Finding]:
    """Which layers a kernel that is started here has."""
    if settings.sandbox == "off":
        said = "OUTLAST_SANDBOX=off: what the model writes runs with all of the worker's own rights."
        yield bad("sandbox", said, "Leave OUTLAST_SANDBOX out, for `strict`.")
        return
    found = confine.found(settings)
    for layer in found.lacking:
        said = f"the layer `{layer.name}` is missing, for {layer.reason}: {layer.uncovered}."
        mend = f"{layer.remedy[:1].upper()}{layer.remedy[1:]}."
        if found.mode == "strict":
            yield bad("sandbox", f"{said} OUTLAST_SANDBOX=strict runs no code here.", mend)
        else:
            yield Finding("sandbox", "unknown", said, mend)
    if not found.lacking:
        yield good("sandbox", f"{settings.sandbox}: a kernel gets the layers {', '.join(found.layers)}")
    if open_without := confine.uncovered_here():
        yield unknown("sandbox", f"this Linux's Landlock leaves open: {'; '.join(open_without)}")


def workspace_findings(workspaces: Path) -> Iterator[Finding]:
    """Whether a session could write, and how much."""
    try:
        with tempfile.NamedTemporaryFile(dir=workspaces, prefix=".doctor-"):
            pass
        left = os.statvfs(workspaces)
    except OSError as error:
        yield bad("workspaces", f"{workspaces} cannot be written to ({error.strerror}).", "Free the disk, or mend it.")
        return
    free = left.f_bavail * left.f_frsize
    if free < _LEAST_DISK:
        mend = "outlast list shows old sessions; docker system df shows what Docker holds."
        yield bad("workspaces", f"only {size(free)} are left at {workspaces}.", mend)
    else:
        yield good("workspaces", f"{size(free)} are left at {workspaces}")
