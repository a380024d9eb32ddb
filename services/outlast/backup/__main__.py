"""`python -m outlast.backup`: makes, checks and puts back backups, in a container with the volumes.

The host's side (`deploy.backup`) calls it, and the service `backup` runs `every`. What was done is a line of JSON;
what went wrong a sentence on standard error, with exit code 1.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

import redis

from .. import logs
from ..deploy.options import BY_NAME, REPLACED
from ..errors import BackupError, OutlastError
from ..log.redis_log import connect
from ..settings import Settings, as_given
from . import making, restoring, shelf
from .making import Places
from .schedule import interval, seconds_until_due

log = logging.getLogger("outlast.backup")

OK, FAILED = 0, 1


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    top = argparse.ArgumentParser(prog="python -m outlast.backup", description="Backups of the deployment.")
    top.add_argument("--redis", type=Path, default=Path("/volumes/redis"), help="Redis's data directory")
    top.add_argument("--workspaces", type=Path, default=Path("/volumes/workspaces"))
    top.add_argument("--backups", type=Path, default=Path("/backups"), help="directory of the backups")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("make", help="make one, then remove those that are too many (BACKUP_KEEP)")
    commands.add_parser("every", help="make one each time that one is due (BACKUP_EVERY)")
    commands.add_parser("point", help="make one of volumes that nobody uses, if there is anything on them")
    for name, what in (("check", "compare one with its manifest"), ("put", "put it in the place of what is there")):
        commands.add_parser(name, help=what).add_argument("name")
    commands.add_parser("clear", help="make the volumes empty")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    # However it is ended, cells may start again and nothing half-made stays.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    os.umask(0o077)
    given = parser().parse_args(argv)
    places = Places(given.redis, given.workspaces, given.backups)
    try:
        if given.command == "every":
            logs.configure(Settings.load().log_format)
            every(places)
        print(json.dumps(_run(given, places)))
    except (OutlastError, redis.RedisError, OSError) as error:
        print(_sentence(error), file=sys.stderr)
        return FAILED
    return OK


def _run(given: argparse.Namespace, places: Places) -> dict[str, Any]:
    match given.command:
        case "make":
            return _make(places)
        case "point":
            with shelf.taken(places.backups):
                restoring.undo(places)
            if restoring.is_empty(places):
                return {"backup": ""}
            return _told(making.make(places, None, _settings()))
        case "clear":
            with shelf.taken(places.backups):
                restoring.clear(places)
            return {"backup": ""}
        case _:
            with shelf.taken(places.backups):
                act = restoring.put if given.command == "put" else restoring.check
                made = act(places, given.name)
            return {"backup": made.name, "sessions": made.sessions}


def _make(places: Places) -> dict[str, Any]:
    keep = int(as_given(["BACKUP_KEEP"]).get("BACKUP_KEEP", BY_NAME["BACKUP_KEEP"].default))
    with connect(Settings.load().redis_address()) as connection:
        told = _told(making.make(places, connection, _settings(), keep))
    (places.backups / shelf.FAILED).unlink(missing_ok=True)
    return told


def _told(made: making.Made) -> dict[str, Any]:
    whole = made.manifest
    return {
        "backup": whole.name, "sessions": whole.sessions, "files": sum(it.kind == "file" for it in whole.entries),
        "bytes": whole.bytes, "seconds": round(made.seconds, 1), "held": round(made.held, 2),
        "left_out": list(whole.left_out), "removed": list(made.removed),
    }  # fmt: skip


def every(places: Places) -> NoReturn:
    """Make one each time that one is due. BackupError if no interval is set."""
    try:
        seconds = interval(as_given(["BACKUP_EVERY"]).get("BACKUP_EVERY", ""))
    except ValueError as allowed:
        raise BackupError(f"BACKUP_EVERY is not set to {allowed}; set it in .env, then make up") from None
    (places.backups / shelf.FAILED).unlink(missing_ok=True)
    failed: float | None = None
    while True:
        made = map(shelf.seconds_of, shelf.names(places.backups))
        time.sleep(seconds_until_due(seconds, made, failed, time.time()))
        try:
            log.info("backup.made", extra=_make(places))
            failed = None
        except (OutlastError, redis.RedisError, OSError) as error:
            failed = time.time()
            # The health check shows it, and so does make doctor.
            (places.backups / shelf.FAILED).write_text(f"{_sentence(error)}\n")
            log.error("backup.failed", extra={"reason": _sentence(error)})  # the sentence says it all


def _settings() -> dict[str, str]:
    """What the operator has set, as far as it is ours: an unknown name may be a secret of theirs."""
    ours = {f"OUTLAST_{item.name.upper()}" for item in fields(Settings)}
    return as_given((ours | BY_NAME.keys()) - REPLACED.keys())


def _sentence(error: Exception) -> str:
    if isinstance(error, BackupError):
        said = str(error)
    elif isinstance(error, redis.RedisError):
        said = f"Redis does not answer as it should ({error})"
    elif isinstance(error, OSError):
        said = f"{error.filename or 'a file'} cannot be used: {error.strerror}"
    else:
        said = str(error)
    said = said.encode("utf-8", "replace").decode()
    return "".join(it if it.isprintable() else "·" for it in said)


if __name__ == "__main__":
    sys.exit(main())
