"""The settings of the container, read once from its environment.

`REDIS_MEMORY` is the operator's. The `KEEPER_*` are where things lie, right in the image, and different in tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from .errors import SettingsError

_UNITS = {"mb": 1024**2, "gb": 1024**3}

#: Below this Redis has no room for its own buffers and a job.
LEAST_MEMORY = 64 * 1024**2

#: The container's limit in multiples of REDIS_MEMORY: while Redis saves, what is changed meanwhile exists twice,
#: and output buffers are not counted. The kernel would kill Redis where Redis would only refuse writes.
LIMIT_FACTOR = 1.5


class Settings(NamedTuple):
    """Where things lie and what is asked of Redis. `memory` is in bytes."""

    memory: int = 2 * 1024**3
    data: Path = Path("/data")
    secrets: Path = Path("/run/secrets")
    runtime: Path = Path("/run/redis")
    bind: str = "*"
    port: int = 6379


def load(environ: Mapping[str, str]) -> Settings:
    """SettingsError with every mistake in it, one a line."""
    mistakes: list[str] = []
    values: dict[str, Any] = {}
    for variable in sorted(environ):
        if variable == "REDIS_MEMORY" or variable.startswith("KEEPER_"):
            field, value = variable.partition("_")[2].lower(), environ[variable]
            try:
                values[field] = _PARSERS[field](value)
            except KeyError:
                known = ", ".join(f"KEEPER_{name.upper()}" for name in _PARSERS if name != "memory")
                mistakes.append(f"{variable} is not a setting; there are REDIS_MEMORY, {known}.")
            except ValueError as allowed:
                mistakes.append(f"{variable}={value!r} is not {allowed}.")
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    return Settings()._replace(**values)


def demand_room(memory: int, limit: int | None) -> None:
    """SettingsError if the container's limit (bytes; None: it has none) leaves Redis no room beside its data."""
    if limit is not None and limit < memory * LIMIT_FACTOR:
        raise SettingsError(
            f"REDIS_MEMORY={_mb(memory)} does not fit a container of {_mb(limit)}: give the container at least "
            f"{_mb(int(memory * LIMIT_FACTOR))}, or set REDIS_MEMORY={_mb(int(limit / LIMIT_FACTOR))}."
        )


def container_limit(root: Path = Path("/sys/fs/cgroup")) -> int | None:
    """The memory limit of this container in bytes, by either version of cgroups; None if there is none."""
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (root / name).read_text().strip()
        except OSError:
            continue
        # Version 1 writes the largest page-aligned number for "none".
        return int(text) if text.isdigit() and int(text) < 2**60 else None
    return None


def _mb(size: int) -> str:
    return f"{size // 1024**2}mb"


def _memory(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})(mb|gb)", text.strip().lower())
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if size < LEAST_MEMORY:
        raise ValueError("a whole number with mb or gb after it, 64mb at least")
    return size


def _directory(text: str) -> Path:
    if not text.startswith("/"):
        raise ValueError("an absolute path")
    return Path(text)


def _port(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) < 65536):
        raise ValueError("a port, 1 to 65535")
    return int(text)


def _bind(text: str) -> str:
    if not re.fullmatch(r"\*|[0-9a-fA-F.:]+", text):
        raise ValueError("an address, or * for every one")
    return text


_PARSERS = {
    "memory": _memory,
    "data": _directory,
    "secrets": _directory,
    "runtime": _directory,
    "bind": _bind,
    "port": _port,
}
