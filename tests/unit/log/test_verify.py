from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.errors import LogDamaged
from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.records import (
    GENESIS,
    AttemptClosed,
    AttemptOpened,
    CellOutput,
    Record,
    RecordId,
    ReplyDelta,
    SessionOpened,
    encode_body,
)
from outlast.log.store import Head
from outlast.log.verify import record_to_json, records_from_json_lines, verify


def _sample() -> tuple[list[Record], Head]:
    """Three attempts: 0-1, 1-0 … 1-3, 2-0, 2-1, 3-0 … 3-2, the last one closed."""
    log = MemoryLog(MemoryStore(), "s")
    for attempt, appends in enumerate((3, 1, 1), 1):
        writer = log.open_attempt(
            AttemptOpened(f"w{attempt}", "first"), holder="l", expected=log.tail(), session=SessionOpened("p")
        )
        for number in range(appends):
            writer.append(ReplyDelta(f"{attempt} {number}"))
    writer.close(AttemptClosed("drained"), state="drained")
    head = log.head()
    assert head is not None
    return log.read(), head


RECORDS, HEAD = _sample()
PLACES = range(len(RECORDS))


def _chained(*parts: tuple[str, str]) -> list[Record]:
    """Records with a right chain of digests, whatever their ids and types say."""
    bodies = {
        "session.opened": SessionOpened("p"),
        "attempt.opened": AttemptOpened("w", "first"),
        "reply.delta": ReplyDelta("x"),
    }
    records: list[Record] = []
    for identity, kind in parts:
        prev = records[-1].digest if records else GENESIS
        records.append(Record.make(RecordId.parse(identity), 1.0, prev, bodies[kind]))
    return records


def test_an_untouched_log_has_no_problems() -> None:
    verdict = verify(RECORDS, HEAD)
    assert verdict.problems == ()
    assert (verdict.ok, verdict.records, verdict.attempts) == (True, 10, 3)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "edit",
    [
        lambda record: replace(record, raw=record.raw.replace("{", '{"x":1,', 1)),
        lambda record: replace(record, at=record.at + 0.001),
        lambda record: replace(record, prev="f" * 64),
        lambda record: replace(record, type="note.added"),
        lambda record: replace(record, version=2),
    ],
    ids=["body", "at", "prev", "type", "version"],
)
def test_a_changed_record_is_found(edit: Callable[[Record], Record], place: int) -> None:
    records = list(RECORDS)
    records[place] = edit(records[place])
    verdict = verify(records, HEAD)
    assert not verdict.ok
    assert any(str(records[place].id) in problem for problem in verdict.problems)


@pytest.mark.parametrize("place", PLACES[:-1])
def test_a_changed_record_but_the_last_is_found_without_a_head(place: int) -> None:
    records = list(RECORDS)
    records[place] = replace(records[place], at=0.0)
    assert not verify(records).ok


def test_a_record_changed_with_the_whole_chain_after_it_is_found_by_the_head() -> None:
    forged = [*RECORDS[:2]]
    for record in RECORDS[2:]:
        body = ReplyDelta("forged") if record.id == RecordId(1, 1) else record.body
        forged.append(Record.make(record.id, record.at, forged[-1].digest, body))
    assert verify(forged).ok
    assert verify(forged, HEAD).problems == ("Record 3-2 is not record 3-2 as the head of the session names it.",)


@pytest.mark.parametrize("place", PLACES)
def test_a_dropped_record_is_found(place: int) -> None:
    records = [*RECORDS[:place], *RECORDS[place + 1 :]]
    assert not verify(records, HEAD).ok
    if place < len(RECORDS) - 1:
        assert not verify(records).ok


@pytest.mark.parametrize("length", range(len(RECORDS)))
def test_a_missing_end_is_found(length: int) -> None:
    verdict = verify(RECORDS[:length], HEAD)
    end = RECORDS[length - 1].id if length else "nothing"
    assert f"The log ends at {end} after {length} records, but it had 10, up to 3-2." in verdict.problems


def test_a_missing_end_of_an_open_attempt_is_found_by_the_count_of_what_was_appended() -> None:
    head = replace(HEAD, length=2, last=RECORDS[1].id, digest=RECORDS[1].digest)
    assert verify(RECORDS, head).ok
    (problem,) = verify(RECORDS[:-1], head).problems
    assert problem == "The log ends at 3-1 after 9 records, but 10 were appended."
    # A head that was read before the log grew says less than there is, which is no problem.
    assert verify(RECORDS, replace(head, added=4)).ok


@pytest.mark.parametrize("place", PLACES)
def test_a_repeated_record_is_found(place: int) -> None:
    assert not verify([*RECORDS[: place + 1], *RECORDS[place:]], HEAD).ok


@given(st.permutations(range(10)))
def test_records_in_any_other_order_are_found(order: Sequence[int]) -> None:
    assert verify([RECORDS[index] for index in order]).ok == (list(order) == list(PLACES))


def test_an_empty_log_is_a_problem() -> None:
    assert verify([]).problems == ("The log is empty.",)


@pytest.mark.parametrize(
    ("parts", "problem"),
    [
        ([("1-0", "attempt.opened")], "The log begins with 1-0 (attempt.opened), not with 0-1 (session.opened)."),
        (
            [("0-1", "session.opened"), ("1-1", "reply.delta")],
            "Record 1-1 follows 0-1, but attempt 1 opens first.",
        ),
        (
            [("0-1", "session.opened"), ("2-0", "attempt.opened")],
            "Record 2-0 follows 0-1, but attempt 1 opens first.",
        ),
        (
            [("0-1", "session.opened"), ("1-0", "reply.delta")],
            "Record 1-0 is reply.delta, but an attempt n opens at n-0 and nowhere else.",
        ),
        (
            [("0-1", "session.opened"), ("1-0", "attempt.opened"), ("1-1", "attempt.opened")],
            "Record 1-1 is attempt.opened, but an attempt n opens at n-0 and nowhere else.",
        ),
        (
            [("0-1", "session.opened"), ("1-0", "attempt.opened"), ("1-2", "reply.delta")],
            "Record 1-2 follows 1-0: a record between them is missing.",
        ),
        (
            [("0-1", "session.opened"), ("1-0", "attempt.opened"), ("2-0", "attempt.opened"), ("1-1", "reply.delta")],
            "Record 1-1 follows 2-0, but ids only rise.",
        ),
        (
            [("0-1", "session.opened"), ("1-0", "attempt.opened"), ("1-1", "session.opened")],
            "Record 1-1 (session.opened) is not the first, but only 0-1 opens a session.",
        ),
    ],
)
def test_a_record_out_of_its_place_is_named_though_the_chain_is_right(
    parts: list[tuple[str, str]], problem: str
) -> None:
    assert problem in verify(_chained(*parts)).problems


@pytest.mark.parametrize(
    ("kind", "version", "raw"),
    [
        ("reply.delta", 1, "{"),
        ("reply.delta", 1, "[]"),
        ("reply.delta", 1, "{}"),
        ("reply.delta", 9, '{"text":"x"}'),
        ("gossip", 1, "{}"),
        ("cell.finished", 1, '{"artifacts":[3],"cell":1,"output":"","status":"ok"}'),
        ("reply.finished", 1, '{"cell":3}'),
    ],
)
def test_a_body_that_cannot_be_read_is_named(kind: str, version: int, raw: str) -> None:
    records = _chained(("0-1", "session.opened"), ("1-0", "attempt.opened"))
    records.append(Record(RecordId(1, 1), 1.0, records[-1].digest, kind, version, raw))
    (problem,) = verify(records).problems
    assert problem.startswith("Record 1-1 cannot be read: ")


def test_an_exported_log_is_the_same_log() -> None:
    assert records_from_json_lines([*map(record_to_json, RECORDS), "\n"]) == RECORDS


@given(st.text(st.characters(exclude_categories=())), st.floats(allow_nan=False, allow_infinity=False))
def test_any_record_survives_its_export(text: str, at: float) -> None:
    record = Record.make(RecordId(1, 1), at, GENESIS, CellOutput(1, text))
    assert records_from_json_lines([record_to_json(record)]) == [record]
    assert json.loads(record_to_json(record))["body"]["cell"] == 1


@pytest.mark.parametrize("raw", ["{", '{"b":1, "a":2}', '{"a":NaN}', '{"a":1,"a":2}', "\ud800", '{"a":1e2}'])
def test_a_body_that_json_would_change_survives_its_export(raw: str) -> None:
    record = Record(RecordId(1, 1), 1.0, GENESIS, "reply.delta", 1, raw)
    assert records_from_json_lines([record_to_json(record)]) == [record]


@pytest.mark.parametrize("name", ["at", "prev", "type", "v", "id", "digest"])
def test_a_changed_line_of_an_export_is_named(name: str) -> None:
    lines = [record_to_json(record) for record in RECORDS]
    held = json.loads(lines[3])
    held[name] = {"at": 1.5, "prev": "0", "type": "note.added", "v": 7, "id": "9-9", "digest": "0"}[name]
    lines[3] = json.dumps(held)
    with pytest.raises(LogDamaged, match=r"Line 4: record .* was changed"):
        records_from_json_lines(lines)


@pytest.mark.parametrize("line", ["{", "[]", "3", "{}", '{"id":"x"}', '{"raw":1}', "null"])
def test_a_line_that_is_no_record_is_named(line: str) -> None:
    with pytest.raises(LogDamaged, match="Line 2 is not a record"):
        records_from_json_lines([record_to_json(RECORDS[0]), line])


def test_a_body_is_stored_as_it_is_exported() -> None:
    record = RECORDS[2]
    assert json.loads(record_to_json(record))["body"] == json.loads(encode_body(record.body))
