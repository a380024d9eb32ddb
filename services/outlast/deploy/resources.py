"""Whether the host is large enough: memory, processors, disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from .findings import Finding, bad, good, unknown
from .options import in_words, size
from .stack import Container

_GB = 1 << 30

#: Memory that one session needs to be of use: Open Interpreter's process, a kernel with pandas, and some data.
SESSION_MEMORY = 1 * _GB

#: The container of Redis in multiples of its data; the keeper refuses less: while Redis saves, changes exist twice.
REDIS_SHARE = 1.5

#: Disk that building an image takes at its peak; docs/images.md has the measured sizes.
BUILD_DISK = {"redis": 1 * _GB, "worker": 6 * _GB, "vllm:cpu": 8 * _GB, "vllm:cuda": 40 * _GB}

#: Below this a host is as good as full: logs, checkpoints and the append-only file grow.
LEAST_DISK = 2 * _GB


def sessions(worker: dict[str, Any]) -> Iterator[Finding]:
    """What each session of a worker container has."""
    limit = _limit(worker)
    given = str(worker["environment"]["OUTLAST_WORKERS"])
    # A count that is none is told of among the settings.
    count = int(given) if given.isdecimal() else 0
    if not limit or count < 1:
        return
    if limit < count * SESSION_MEMORY:
        yield bad(
            "sessions",
            f"WORKER_MEMORY={in_words(limit)} is too little for OUTLAST_WORKERS={count}, "
            f"a session needs {in_words(SESSION_MEMORY)} at least.",
            f"Set WORKER_MEMORY={count * SESSION_MEMORY // _GB}gb or more, or a smaller OUTLAST_WORKERS.",
        )
    else:
        yield good("sessions", f"{count} at a time in a worker container, {in_words(limit / count)} of memory each")


def memory(config: dict[str, Any], info: dict[str, Any], containers: Sequence[Container]) -> Iterator[Finding]:
    """The limits of all containers together, and the worker's processors, against what the host has."""
    host, processors = int(info["MemTotal"]), int(info["NCPU"])
    workers = max(1, sum(it.service == "worker" and it.running for it in containers))
    limits = {name: _limit(service) for name, service in config["services"].items()}
    limits["worker"] *= workers
    told = ", ".join(f"{name} {in_words(limit)}" for name, limit in limits.items())
    if sum(limits.values()) > host:
        yield bad(
            "memory",
            f"the containers may take {in_words(sum(limits.values()))} ({told}), this machine has {in_words(host)}.",
            "Lower WORKER_MEMORY, VLLM_MEMORY or REDIS_MEMORY_LIMIT in .env.",
        )
    else:
        yield good("memory", f"{told}, of {in_words(host)}")
    yield from _redis(config["services"]["redis"])
    asked = float(config["services"]["worker"]["deploy"]["resources"]["limits"].get("cpus") or 0)
    if asked > processors:
        yield bad("processors", f"WORKER_CPUS={asked:g}, and this machine has {processors}.", "Lower it; 0 means all.")


def _redis(redis: dict[str, Any]) -> Iterator[Finding]:
    """Its container must hold more than its data, or it refuses to start."""
    try:
        data = size(str(redis["environment"]["REDIS_MEMORY"]))
    except ValueError:  # told of among the settings
        return
    if _limit(redis) < REDIS_SHARE * data:
        said = f"REDIS_MEMORY={in_words(data)} does not fit REDIS_MEMORY_LIMIT={in_words(_limit(redis))}."
        yield bad("Redis memory", said, f"Set the limit to {in_words(REDIS_SHARE * data)} or more.")


def disk(config: dict[str, Any], info: dict[str, Any], unbuilt: Sequence[str]) -> Finding:
    """The room where the engine keeps images and volumes."""
    place = str(info.get("DockerRootDir", ""))
    try:
        free = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
    except OSError:
        # An engine in a virtual machine of its own, as on a desktop.
        return unknown("disk", "where the engine keeps its files cannot be seen from here")
    needed = LEAST_DISK + sum(BUILD_DISK.get(_key(config, name), 0) for name in unbuilt)
    if free < needed:
        what = f"building {', '.join(unbuilt)} takes" if unbuilt else "logs and checkpoints need"
        return bad(
            "disk", f"{in_words(free)} are left at {place}, and {what} some {in_words(needed)}.",
            "docker system df shows what Docker holds; docker builder prune and docker image prune free some of it.",
        )  # fmt: skip
    return good("disk", f"{in_words(free)} are left at {place}")


def _key(config: dict[str, Any], name: str) -> str:
    build = config["services"][name].get("build") or {}
    flavour = (build.get("args") or {}).get("FLAVOUR", "")
    return f"{name}:{flavour}" if flavour else name


def _limit(service: dict[str, Any]) -> int:
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    return int(limits.get("memory") or 0)
