"""`python3 -m keeper`: prepare, then become redis-server."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from . import acl, config, directory, passwords, settings
from .aof.repair import make_loadable
from .errors import KeeperError, PlaceError
from .settings import Settings

#: File in the runtime directory, readable by this container's user only.
HEALTH_PASSWORD_FILE = "health"  # noqa: S105  # a file's name


def main() -> int:
    """Returns only with the exit code of a start that was refused."""
    os.umask(0o077)
    try:
        wanted = settings.load(os.environ)
        settings.demand_room(wanted.memory, settings.container_limit())
        known = passwords.read(wanted.secrets) | {acl.HEALTH.name: passwords.new()}
        directory.take(wanted.data)
        _mend_what_a_power_cut_tore(wanted)
        become_redis(wanted, known)
    except KeeperError as error:
        print(f"keeper: {error}", file=sys.stderr)
        return error.exit_code


def _mend_what_a_power_cut_tore(wanted: Settings) -> None:
    try:
        cut = make_loadable(wanted.data)
    except OSError as error:
        raise PlaceError(directory.explained(wanted.data, error)) from None
    if cut is not None:
        print(f"keeper: {cut}", file=sys.stderr)


def become_redis(wanted: Settings, known: dict[str, str]) -> NoReturn:
    """Write what redis-server reads, and replace this process by it."""
    acl_file, configuration = wanted.runtime / "users.acl", wanted.runtime / "redis.conf"
    try:
        wanted.runtime.mkdir(parents=True, exist_ok=True)
        acl_file.write_text(acl.render(known))
        configuration.write_text(config.render(wanted, acl_file))
        (wanted.runtime / HEALTH_PASSWORD_FILE).write_text(known[acl.HEALTH.name])
        os.execvp("redis-server", ["redis-server", str(configuration)])  # noqa: S606  # no shell is meant
    except OSError as error:
        what = f"{error.filename}: {error.strerror}"
        raise PlaceError(f"{what}; {wanted.runtime} must be a tmpfs that this user can write to.") from None


if __name__ == "__main__":
    sys.exit(main())
