"""`outlast logs ID`: the records of a session, one a line, and with `-f` as they come."""

from __future__ import annotations

import argparse
import json

from rich.text import Text

from ..log.records import AttemptClosed, AttemptOpened, CellFinished, CellOutput, CellStarted, Record
from ..log.verify import record_to_json
from .lines import clock, line
from .output import Output
from .source import Source
from .text import printable, rest_of

#: Seconds between two looks at whether Redis still answers while nothing happens; no record waits for it.
_LOOK_SECONDS = 1.0

#: How a closed attempt ends what `-f` follows: after these nothing comes until somebody asks for it.
_ENDS = ("finished", "failed")


def run(given: argparse.Namespace, source: Source, out: Output) -> int:
    """Print the log, and go on printing until the session closes if asked to; 0."""
    log = source.known(given.session)
    records = log.read()
    over = False
    last, live = None, _Live(out)
    while True:
        for record in records:
            over = _over(record, over)
            if not given.follow or out.json or not live.shows(record):
                _print(record, out)
        if not given.follow or over:
            return 0
        last = records[-1].id if records else last
        records = log.follow(last, _LOOK_SECONDS)


def _over(record: Record, before: bool) -> bool:
    if record.type == AttemptOpened.TYPE:
        return False
    return before or (record.type == AttemptClosed.TYPE and json.loads(record.raw).get("how") in _ENDS)


class _Live:
    """The output of the running cell, as it comes: whole lines instead of records."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._text = ""
        self._shown = 0

    def shows(self, record: Record) -> bool:
        """Print what `record` has of a cell's output; True if it says nothing else."""
        if record.type == CellStarted.TYPE:
            self._text, self._shown = "", 0
        elif record.type == CellOutput.TYPE:
            self._text += json.loads(record.raw)["text"]
            self._lines(self._text.rfind("\n") + 1)
            return True
        elif record.type == CellFinished.TYPE:
            self._text += rest_of(json.loads(record.raw)["output"], self._text)
            self._lines(len(self._text))
        return False

    def _lines(self, end: int) -> None:
        new = self._text[self._shown : end]
        self._shown = max(self._shown, end)
        for text in printable(new).removesuffix("\n").split("\n") if new else ():
            self._out.line(f"{'':32}│ {text}", "dim")


def _print(record: Record, out: Output) -> None:
    if out.json:
        out.raw(record_to_json(record))
        return
    said = line(record)
    shown = Text.assemble(
        (f"{clock(record.at)} ", "dim"), f"{record.id!s:>7} ", (f"{record.type:<18} ", "dim"), (said.text, said.style)
    )
    out.console.print(shown, soft_wrap=True)
