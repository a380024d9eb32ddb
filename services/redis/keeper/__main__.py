"""`python3 -m keeper`: prepare, then become redis-server."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from . import acl, config, passwords, settings
from .errors import KeeperError

#: In the runtime directory, readable by this container's user only.
HEALTH_PASSWORD = "health"  # noqa: S105  # a file's name


def main() -> int:
    """Returns only with the exit code of a start that was refused."""
    os.umask(0o077)
    try:
        wanted = settings.load(os.environ)
        settings.demand_room(wanted.memory, settings.container_limit())
        known = passwords.read(wanted.secrets) | {acl.HEALTH.name: passwords.new()}
    except KeeperError as error:
        for line in str(error).splitlines():
            print(f"keeper: {line}", file=sys.stderr)
        return error.exit_code
    become_redis(wanted, known)


def become_redis(wanted: settings.Settings, known: dict[str, str]) -> NoReturn:
    """Write what redis-server reads, and replace this process by it."""
    wanted.runtime.mkdir(parents=True, exist_ok=True)
    acl_file, configuration = wanted.runtime / "users.acl", wanted.runtime / "redis.conf"
    acl_file.write_text(acl.render(known))
    configuration.write_text(config.render(wanted, acl_file))
    (wanted.runtime / HEALTH_PASSWORD).write_text(known[acl.HEALTH.name])
    sys.stdout.flush()
    os.execvp("redis-server", ["redis-server", str(configuration)])


if __name__ == "__main__":
    sys.exit(main())
