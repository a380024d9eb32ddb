"""Proof that a log is what was written: pure, so that an exported copy can be checked anywhere, offline.

What a chain of digests cannot show by itself is that its end is missing or was rewritten: the head does, up to the
last opening or closing of an attempt, and the store's own count of what it was given does for the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..errors import LogDamaged
from .records import GENESIS, AttemptOpened, Record, RecordId, SessionOpened
from .store import Head, Log

#: What every line of an exported log holds, beside the body.
_LINE = ("id", "at", "prev", "type", "v", "digest")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`records` and `attempts` count what was looked at; `problems` are sentences that name the record's id."""

    ok: bool
    records: int
    attempts: int
    problems: tuple[str, ...]


def verify(records: Sequence[Record], head: Head | None = None) -> Verdict:
    """Check `records`, a whole log in order, and what `head` says of it.

    The head of a session that is running must have been read before the records (`verify_log` does).
    """
    problems = [*_beginning(records), *_links(records), *_places(records), *_bodies(records)]
    if head is not None:
        problems += _against_head(records, head)
    attempts = len({record.id.attempt for record in records} - {0})
    return Verdict(not problems, len(records), attempts, tuple(problems))


def verify_log(log: Log) -> Verdict:
    """`verify` for a stored log, which may grow meanwhile; an entry that is no record is a problem too."""
    head = None
    try:
        head = log.head()
        records = log.read()
    except LogDamaged as damage:
        return Verdict(False, head.length if head else 0, head.attempt if head else 0, (str(damage),))
    return verify(records, head)


def record_to_json(record: Record) -> str:
    """One line of JSON: the record with its digest; `body` as an object wherever that loses nothing."""
    line: dict[str, Any] = {
        "id": str(record.id),
        "at": record.at,
        "type": record.type,
        "v": record.version,
        "prev": record.prev,
        "digest": record.digest,
    }
    try:
        body = json.loads(record.raw)
        line |= {"body": body} if _canonical(body) == record.raw else {"raw": record.raw}
    except ValueError:
        line["raw"] = record.raw
    return json.dumps(line, separators=(",", ":"))


def records_from_json_lines(lines: Iterable[str]) -> list[Record]:
    """The records of an exported log, blank lines left out.

    LogDamaged for a line that is not a record, or is not the one that its digest was taken of.
    """
    return [_record_of(number, line) for number, line in enumerate(lines, 1) if line.strip()]


def _record_of(number: int, line: str) -> Record:
    try:
        held = json.loads(line)
    except ValueError:
        raise LogDamaged(f"Line {number} is not a record of a log: it is no JSON, or was cut short.") from None
    try:
        raw = held["raw"] if "raw" in held else _canonical(held["body"])
        identity, at, prev, kind, version, digest = (held[name] for name in _LINE)
        record = Record(RecordId.parse(identity), float(at), str(prev), str(kind), int(version), str(raw))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LogDamaged(f"Line {number} is not a record of a log ({error!r}).") from error
    if record.digest != digest:
        raise LogDamaged(f"Line {number}: record {record.id} was changed, its digest does not match its text.")
    return record


def _canonical(body: Any) -> str:
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _beginning(records: Sequence[Record]) -> Iterator[str]:
    if not records:
        yield "The log is empty."
    elif records[0].id != RecordId(0, 1) or records[0].type != SessionOpened.TYPE:
        yield f"The log begins with {records[0].id} ({records[0].type}), not with 0-1 ({SessionOpened.TYPE})."


def _links(records: Sequence[Record]) -> Iterator[str]:
    if records and records[0].prev != GENESIS:
        yield f"Record {records[0].id} is the first, but carries the digest of one before it."
    for before, record in pairwise(records):
        if record.prev != before.digest:
            yield f"Record {record.id} does not carry the digest of {before.id}: one was changed, or one is missing."


def _places(records: Sequence[Record]) -> Iterator[str]:
    for record in records[1:]:
        if record.id.attempt == 0 or record.type == SessionOpened.TYPE:
            yield f"Record {record.id} ({record.type}) is not the first, but only 0-1 opens a session."
    for record in records:
        if (record.type == AttemptOpened.TYPE) != (record.id.attempt > 0 and record.id.sequence == 0):
            yield f"Record {record.id} is {record.type}, but an attempt n opens at n-0 and nowhere else."
    for before, record in pairwise(records):
        if record.id <= before.id:
            yield f"Record {record.id} follows {before.id}, but ids only rise."
        elif record.id.attempt == before.id.attempt:
            if record.id.sequence != before.id.sequence + 1:
                yield f"Record {record.id} follows {before.id}: a record between them is missing."
        elif record.id != RecordId(before.id.attempt + 1, 0):
            yield f"Record {record.id} follows {before.id}, but attempt {before.id.attempt + 1} opens first."


def _bodies(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        try:
            _ = record.body  # Decoding it is the check.
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            yield f"Record {record.id} cannot be read: {error}."


def _against_head(records: Sequence[Record], head: Head) -> Iterator[str]:
    end = records[-1].id if records else "nothing"
    if len(records) < head.length:
        yield f"The log ends at {end} after {len(records)} records, but it had {head.length}, up to {head.last}."
    elif head.length:
        named = records[head.length - 1]
        if named.id != head.last or named.digest != head.digest:
            yield f"Record {named.id} is not record {head.last} as the head of the session names it."
    if max(len(records), head.length) < head.added:
        yield f"The log ends at {end} after {len(records)} records, but {head.added} were appended."
