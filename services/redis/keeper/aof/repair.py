"""Makes the append-only file loadable before Redis reads it, or says why only a person may.

Redis's own checker judges first: it is quick, and knows everything that Redis knows. Only when it objects is the file
read here, to tell a torn end, which is cut off and kept, from damage, which is left alone.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import BinaryIO, NamedTuple

from ..errors import DamageError
from . import runbook
from .manifest import DIRECTORY, MANIFEST, BadManifest, Files, parse, sync
from .scan import Damaged, Sound, Torn, scan

#: Directory beside the append-only file's, for what was cut or set aside.
CUT = "cut"

#: Bytes copied at a time.
_CHUNK = 1 << 20

#: Bytes. A first start that was interrupted before its manifest was written leaves less: a base without keys (89).
_NOTHING_YET = 128


class Cut(NamedTuple):
    """What was cut off the end of `file`: the bytes from `at` on, kept in `kept`."""

    file: Path
    at: int
    size: int
    kept: Path

    def __str__(self) -> str:
        return (
            f"{self.file.name} ended in {self.size} torn bytes, as after a power cut; they were cut off at byte "
            f"{self.at} and are kept in {self.kept}, and nothing that was acknowledged is missing."
        )


def make_loadable(data: Path) -> Cut | None:
    """Cut off a torn end; what was cut, or None. DamageError, and nothing changed, if that is not enough."""
    files = read_files(data)
    if files is None or _checks(data):
        return None
    directory = data / DIRECTORY
    if files.base is not None and not base_loads(directory / files.base):
        raise DamageError(runbook.of(data, f"the base {files.base} is damaged"))
    cut = None
    for name in files.increments:
        with (directory / name).open("rb") as file:
            verdict = scan(file)
        if isinstance(verdict, Sound):
            continue
        if isinstance(verdict, Damaged) or name != files.increments[-1]:
            raise DamageError(runbook.of(data, _described(name, verdict), cuttable=True))
        cut = cut_off(directory / name, verdict.keep, data / CUT)
    if not _checks(data):
        raise DamageError(runbook.of(data, "redis-check-aof finds the append-only file unusable"))
    return cut


def read_files(data: Path) -> Files | None:
    """The files that the manifest names, all there; None where Redis will begin anew. DamageError if any is missing."""
    directory = data / DIRECTORY
    try:
        text = (directory / MANIFEST).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        _demand_nothing_forgotten(data)
        return None
    try:
        files = parse(text)
    except BadManifest as reason:
        raise DamageError(runbook.of(data, f"{MANIFEST} is damaged: {reason}")) from None
    for name in files.all:
        if not (directory / name).is_file():
            raise DamageError(runbook.of(data, f"{MANIFEST} names {name}, which is not there"))
    return files


def _demand_nothing_forgotten(data: Path) -> None:
    """DamageError if Redis would begin empty although there is data: it loads neither files that no manifest names
    nor, with `appendonly yes`, a snapshot."""
    directory = data / DIRECTORY
    if sum(file.stat().st_size for file in directory.glob("appendonly.*")) >= _NOTHING_YET:
        raise DamageError(runbook.of(data, f"{DIRECTORY} has files but no {MANIFEST}"))
    if (data / runbook.SNAPSHOT).exists():
        raise DamageError(runbook.of(data, f"there is a {runbook.SNAPSHOT} but no append-only file"))


def cut_off(file: Path, keep: int, backups: Path) -> Cut:
    """Truncate `file` to `keep` bytes once the rest is safe in a file under `backups`. After OSError nothing is cut."""
    backups.mkdir(mode=0o700, exist_ok=True)
    kept = backups / f"{stamp()}-{file.name}-from-byte-{keep}"
    with file.open("r+b") as source:
        source.seek(keep)
        try:
            size = _copy(source, kept)
        except OSError:
            kept.unlink(missing_ok=True)
            raise
        sync(backups)
        source.truncate(keep)
        os.fsync(source.fileno())
    return Cut(file, keep, size, kept)


def _copy(source: BinaryIO, target: Path) -> int:
    """Write the rest of `source` to a file, durably; its size."""
    size = 0
    with target.open("xb") as file:
        while part := source.read(_CHUNK):
            size += file.write(part)
        file.flush()
        os.fsync(file.fileno())
    return size


def stamp() -> str:
    """Now, to the microsecond, for the name of a file that nothing has yet."""
    now = time.time_ns()
    return time.strftime(f"%Y%m%dT%H%M%S.{now // 1000 % 1_000_000:06d}Z", time.gmtime(now // 1_000_000_000))


def _described(name: str, verdict: Torn | Damaged) -> str:
    if isinstance(verdict, Damaged):
        where = f"at byte {verdict.at} of {verdict.size}"
        return f"{name} is damaged {where}, and whole commands follow from byte {verdict.follows} on"
    return f"{name} is cut short at byte {verdict.keep}, and is not the last file"


def _checks(data: Path) -> bool:
    """Whether redis-check-aof finds nothing wrong."""
    return _runs("redis-check-aof", data / DIRECTORY / MANIFEST)


def base_loads(base: Path) -> bool:
    """Whether Redis's checkers find the base whole; a base is a snapshot, or commands if an older Redis wrote it."""
    return snapshot_loads(base) if base.suffix == ".rdb" else _runs("redis-check-aof", base)


def snapshot_loads(snapshot: Path) -> bool:
    """Whether redis-check-rdb finds a snapshot whole, checksum and all."""
    return _runs("redis-check-rdb", snapshot)


def _runs(program: str, file: Path) -> bool:
    done = subprocess.run([program, str(file)], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return done.returncode == 0
