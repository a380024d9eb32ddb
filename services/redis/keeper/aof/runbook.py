"""What an operator is told when only a person may decide what is given up."""

from __future__ import annotations

import time
from pathlib import Path

SNAPSHOT = "dump.rdb"


def of(data: Path, what: str, *, cuttable: bool = False) -> str:
    """The refusal: what is wrong, that nothing was changed, and the ways out with what each one costs."""
    ways: list[str] = []
    if cuttable:
        ways.append(
            "to keep what was written before the damage and lose what came after (it is set aside in "
            f"{data}/cut):\n         docker compose run --rm redis python3 -m keeper.mend cut"
        )
    snapshot = data / SNAPSHOT
    if snapshot.is_file():
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(snapshot.stat().st_mtime))
        ways.append(
            f"to go back to the snapshot of {when} and lose everything since (it is set aside in {data}/cut):\n"
            "         docker compose run --rm redis python3 -m keeper.mend snapshot"
        )
    ways.append("to go back to a backup: make restore FROM=backups/…, on the host")
    choices = "\n".join(f"      {letter}. {way}" for letter, way in zip("abc", ways, strict=False))
    return f"""\
{what}; Redis was not started, and nothing was changed.
  Runbook (docs/operations.md, "Redis does not start"):
   1. docker compose stop worker redis
   2. Save all there is:  docker compose cp redis:{data} redis-data-before-mending
   3. Choose one of these ways:
{choices}
   4. docker compose start redis worker
   5. docker compose exec worker outlast verify --all"""
