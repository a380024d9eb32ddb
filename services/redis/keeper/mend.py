"""`python3 -m keeper.mend cut | snapshot`: what the runbook offers, for an operator who has chosen.

Both set aside what they take away, under `cut/` in the data directory, and refuse while a Redis uses the directory.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from . import directory, settings
from .aof import manifest
from .aof.repair import CUT, base_loads, cut_off, read_files, snapshot_loads, stamp
from .aof.runbook import SNAPSHOT
from .aof.scan import Sound, scan
from .errors import DamageError, KeeperError, PlaceError

_USAGE = """\
usage: python3 -m keeper.mend cut        keep what was written before the damage, set aside what came after
       python3 -m keeper.mend snapshot   go back to the snapshot dump.rdb, set aside the append-only file"""


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    ways = {"cut": cut, "snapshot": go_back_to_snapshot}
    if len(arguments) != 1 or arguments[0] not in ways:
        print(_USAGE, file=sys.stderr)
        return 2
    os.umask(0o077)
    try:
        data = settings.load(os.environ).data
        directory.take(data)
        try:
            print(ways[arguments[0]](data))
        except OSError as error:
            raise PlaceError(directory.explained(data, error)) from None
    except KeeperError as error:
        print(f"keeper: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def cut(data: Path) -> str:
    """Cut the append-only file off at its first bad byte; what was done, in a sentence."""
    files = read_files(data)
    if files is None:
        return f"There is no append-only file in {data}; nothing was done."
    place = data / manifest.DIRECTORY
    if files.base is not None and not base_loads(place / files.base):
        raise DamageError(f"the base {files.base} itself is damaged, so no cut helps; nothing was changed.")
    for number, name in enumerate(files.increments):
        with (place / name).open("rb") as file:
            verdict = scan(file)
        if not isinstance(verdict, Sound):
            later = files.increments[number + 1 :]
            _set_aside(data, later)
            done = cut_off(place / name, verdict.keep, data / CUT)
            after = f", and {len(later)} later files were set aside" if later else ""
            return f"{done.size} bytes were cut off {name} at byte {done.at} and are kept in {done.kept}{after}."
    return "The append-only file is sound; nothing was done."


def _set_aside(data: Path, names: tuple[str, ...]) -> None:
    """Take increments out of the manifest, then out of the directory."""
    if not names:
        return
    place = data / manifest.DIRECTORY
    lines = (place / manifest.MANIFEST).read_text().splitlines()
    manifest.write(place, [line for line in lines if not any(line.startswith(f"file {name} ") for name in names)])
    (data / CUT).mkdir(mode=0o700, exist_ok=True)
    for name in names:
        (place / name).rename(data / CUT / f"{stamp()}-{name}")


def go_back_to_snapshot(data: Path) -> str:
    """Make the snapshot the base of a new append-only file; what was done, in a sentence."""
    snapshot, place, new = data / SNAPSHOT, data / manifest.DIRECTORY, data / f"{manifest.DIRECTORY}.new"
    if not snapshot.is_file() or not snapshot_loads(snapshot):
        raise DamageError(f"there is no sound {SNAPSHOT} in {data} to go back to; nothing was changed.")
    new.mkdir(mode=0o700, exist_ok=True)
    base = new / "appendonly.aof.1.base.rdb"
    base.unlink(missing_ok=True)
    # Redis changes neither a base nor a snapshot once it is written, so that one file can be both.
    base.hardlink_to(snapshot)
    manifest.write(new, [f"file {base.name} seq 1 type b"])
    kept = data / CUT / f"{stamp()}-{manifest.DIRECTORY}"
    if place.exists():
        kept.parent.mkdir(mode=0o700, exist_ok=True)
        place.rename(kept)
    new.rename(place)
    manifest.sync(data)
    aside = f"; the append-only file is kept in {kept}" if kept.exists() else ""
    return f"Redis will start from {SNAPSHOT}{aside}."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
