"""Which records the workers say they have appended, from the lines that they log."""

from __future__ import annotations

import json
import logging

from outlast.drill.said import appended
from outlast.log.records import RecordId
from outlast.logs import JsonFormatter


def line(event: str, **fields: object) -> str:
    """As a worker writes it."""
    record = logging.makeLogRecord({"msg": event, "created": 5.0, **fields})
    return JsonFormatter().format(record)


LINES = [
    line("attempt.opened", session="a", job="a", attempt=2),
    line("record.appended", session="a", id="2-1", type="cell.started"),
    line("record.appended", session="b", id="1-7", type="reply.delta"),
]


def test_the_opening_and_the_records_of_an_attempt_are_found() -> None:
    assert appended(LINES) == {"a": {RecordId(2, 0): 5.0, RecordId(2, 1): 5.0}, "b": {RecordId(1, 7): 5.0}}


def test_lines_of_others_and_lines_that_were_cut_short_are_passed_over() -> None:
    others = ["", "Traceback (most recent call last):", LINES[0][:40], "7", json.dumps(["event"]), line("job.taken")]
    more = [line("record.appended", session="a", id="no id"), line("attempt.opened", session="a")]
    assert appended([*others, *more]) == {}
