"""`outlast verify`: whether logs are what was written."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from ..errors import LogDamaged
from ..log.verify import Verdict, records_from_json_lines, verify, verify_log
from .output import Output
from .source import Source
from .text import one_line, plural, printable


def run(given: argparse.Namespace, source: Source, out: Output) -> int:
    """Check sessions in Redis; 1 if any has a problem or does not exist."""
    names = source.sessions() if given.all else given.session
    results = [_report(name, verify_log(source.known(name)), out) for name in names]
    if not names and not out.json:
        out.line("No sessions yet: nothing to verify.")
    return 0 if all(results) else 1


def run_on_file(path: Path, out: Output) -> int:
    """Check a log that `outlast logs --json ID > FILE` saved; needs no Redis. 1 if it has a problem."""
    try:
        # A line may end in a newline only: JSON keeps every other separator inside its strings escaped.
        with path.open(encoding="utf-8", newline="\n") as lines:
            verdict = verify(records_from_json_lines(lines))
    except LogDamaged as damage:
        verdict = Verdict(False, 0, 0, (str(damage),))
    return 0 if _report(str(path), verdict, out) else 1


def _report(name: str, verdict: Verdict, out: Output) -> bool:
    if out.json:
        out.emit({"session": name, **asdict(verdict)})
        return verdict.ok
    counted = f"{plural(verdict.records, 'record')}, {plural(verdict.attempts, 'attempt')}"
    if verdict.ok:
        out.line(f"ok  {printable(name)}  {counted}: every record carries the digest of the one before it", "green")
    else:
        out.line(f"BROKEN  {printable(name)}  {counted}", "bold red")
    for problem in verdict.problems:
        out.line(f"  {one_line(problem, 400)}", "red")
    return verdict.ok
