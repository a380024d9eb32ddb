"""Loads the Lua files of this directory."""

from __future__ import annotations

from importlib.resources import files

import redis
from redis.commands.core import Script


def script(connection: redis.Redis, name: str) -> Script:
    """`<name>.lua`, ready to be called with keys and args."""
    return connection.register_script(files(__package__).joinpath(f"{name}.lua").read_text(encoding="utf-8"))
