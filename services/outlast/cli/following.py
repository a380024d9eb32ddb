"""`outlast logs ID`: the records of a session, one a line, and with `-f` as they come."""

from __future__ import annotations

import argparse
import json

from rich.text import Text

from ..log.records import AttemptClosed, AttemptOpened, CellOutput, Record
from ..log.verify import record_to_json
from .lines import clock, line
from .output import Output
from .source import Source
from .text import printable

#: Seconds between two looks at whether Redis still answers while nothing happens; no record waits for it.
_LOOK_SECONDS = 1.0

#: How a closed attempt ends what `-f` follows: after these nothing comes until somebody asks for it.
_ENDS = ("finished", "failed")


def run(given: argparse.Namespace, source: Source, out: Output) -> int:
    """Print the log, and go on printing until the session closes if asked to; 0."""
    log = source.known(given.session)
    records = log.read()
    over = False
    last = None
    while True:
        for record in records:
            over = _over(record, over)
            _print(record, given.follow, out)
        if not given.follow or over:
            return 0
        last = records[-1].id if records else last
        records = log.follow(last, _LOOK_SECONDS)


def _over(record: Record, before: bool) -> bool:
    if record.type == AttemptOpened.TYPE:
        return False
    return before or (record.type == AttemptClosed.TYPE and json.loads(record.raw).get("how") in _ENDS)


def _print(record: Record, follow: bool, out: Output) -> None:
    if out.json:
        out.raw(record_to_json(record))
        return
    if follow and record.type == CellOutput.TYPE:
        for text in printable(json.loads(record.raw)["text"]).rstrip("\n").split("\n"):
            out.line(f"{'':32}│ {text}", "dim")
        return
    said = line(record)
    shown = Text.assemble(
        (f"{clock(record.at)} ", "dim"), f"{record.id!s:>7} ", (f"{record.type:<18} ", "dim"), (said.text, said.style)
    )
    out.console.print(shown, soft_wrap=True)
