"""What workers say in their own logs that they have appended. Pure.

A line comes after Redis has acknowledged its record, so none of these may be missing from a log later. It holds nobody
to more: a worker that dies in between has not said it, and a client may not have looked yet. The records that close an
attempt have no line; a job whose end is lost has not finished.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from ..log.records import RecordId


def appended(lines: Iterable[str]) -> dict[str, dict[RecordId, float]]:
    """Session → id of each such record → when the worker said so. Lines that say anything else are passed over."""
    found: dict[str, dict[RecordId, float]] = {}
    for line in lines:
        try:
            event = json.loads(line)
            record = _record(event)
            if record is not None:
                found.setdefault(event["session"], {})[record] = float(event["at"])
        except (ValueError, TypeError, KeyError):  # another program's line, or one that a kill cut short
            continue
    return found


def _record(event: Mapping[str, object]) -> RecordId | None:
    match event["event"]:
        case "record.appended":
            return RecordId.parse(str(event["id"]))
        case "attempt.opened":
            return RecordId(int(str(event["attempt"])), 0)
    return None
