"""What a check found: one line for people, one object for programs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

#: `bad` stops a start; `unknown` could not be found out, because something before it is bad.
Verdict = Literal["good", "bad", "unknown"]

MARKS: dict[Verdict, str] = {"good": "✓", "bad": "✗", "unknown": "\N{EN DASH}"}
COLOURS: dict[Verdict, str] = {"good": "32", "bad": "31", "unknown": "33"}


@dataclass(frozen=True, slots=True)
class Finding:
    """`said` is a sentence or the fact itself; `mend` says what to do, where anything is to be done."""

    check: str
    verdict: Verdict
    said: str
    mend: str = ""


def good(check: str, said: str) -> Finding:
    return Finding(check, "good", said)


def bad(check: str, said: str, mend: str) -> Finding:
    return Finding(check, "bad", said, mend)


def unknown(check: str, said: str) -> Finding:
    return Finding(check, "unknown", said)


def line(finding: Finding, *, colour: bool) -> str:
    """`✗ port: …: what to do`."""
    mark = MARKS[finding.verdict]
    if colour:
        mark = f"\x1b[{COLOURS[finding.verdict]}m{mark}\x1b[0m"
    return f"{mark} {finding.check}: {finding.said}" + (f" {finding.mend}" if finding.mend else "")


def any_bad(findings: Iterable[Finding]) -> bool:
    return any(finding.verdict == "bad" for finding in findings)
