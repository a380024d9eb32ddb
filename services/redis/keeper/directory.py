"""The data directory: ours to write, with room, and nobody else's at the same time."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from .errors import PlaceError

#: With less free Redis would stop at the first commands: a new base and a snapshot are written beside the old ones.
LEAST_FREE = 32 * 1024**2

_LOCK = ".lock"

#: There while a restore is under way (`outlast.backup.restoring`).
_RESTORING = (".replacing", ".replaced")


def take(data: Path) -> int:
    """Hold the directory; returns the lock's descriptor, which `exec` passes on, so that it lasts as long as Redis.

    PlaceError, in one sentence, if this user cannot write there, if the disk is full, if another Redis holds it, or if
    a restore was cut off: its half and the workspaces may not belong together.
    """
    try:
        if any((data / name).exists() for name in _RESTORING):
            raise PlaceError(
                "a restore was cut off before its end; make restore FROM=backups/…, of the same backup or of any "
                "other, first puts back what was there and then begins anew."
            )
        descriptor = os.open(data / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _try_to_write(data)
    except BlockingIOError:
        raise PlaceError(f"another Redis uses {data}; stop it first: two would destroy each other's files.") from None
    except OSError as error:
        raise PlaceError(explained(data, error)) from None
    demand_space(data, _free(data))
    os.set_inheritable(descriptor, True)
    return descriptor


def demand_space(data: Path, free: int) -> None:
    """PlaceError if that many free bytes are too few to start."""
    if free < LEAST_FREE:
        raise PlaceError(
            f"the disk that holds {data} is full ({free // 1024**2} MB are free, {LEAST_FREE // 1024**2} MB are needed "
            "to start); make room, and Redis starts by itself."
        )


def _try_to_write(data: Path) -> None:
    """OSError unless files can be made and Redis's own can be changed."""
    probe = data / ".probe"
    probe.write_bytes(b"")
    probe.unlink()
    for file in (data, *data.glob("appendonlydir"), *data.glob("appendonlydir/*"), *data.glob("dump.rdb")):
        if not os.access(file, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))


def _free(data: Path) -> int:
    state = os.statvfs(data)
    return state.f_bavail * state.f_frsize


def explained(data: Path, error: OSError) -> str:
    """Why a file under `data` cannot be used, and what to do."""
    if error.errno == errno.EROFS:
        return f"{data} is mounted read-only; mount the volume writable."
    if error.errno in (errno.EACCES, errno.EPERM):
        where = Path(error.filename or data)
        user = os.geteuid()
        return (
            f"{where} cannot be written to by user {user}; the data belongs to another user: "
            f"`chown -R {user}:{os.getegid()}` the volume, or use a new one."
        )
    if error.errno == errno.ENOSPC:
        return f"the disk that holds {data} is full; make room, and Redis starts by itself."
    return f"{error.filename or data} cannot be used ({error.strerror}); mount a volume at {data}."
