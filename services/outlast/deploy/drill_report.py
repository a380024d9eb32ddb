"""A drill's report as the host prints it. Pure, but for the stream that progress is written to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

_WRONG = ("lost", "duplicated", "rerun", "different", "failed")
_SPREAD = ("min", "median", "p90", "p99", "max")


def progress(told: Mapping[str, Any], kills: int, jobs: int, stream: TextIO) -> None:
    """One line for each thing that happens."""
    match told["event"]:
        case "reference":
            line = f"undisturbed, a job takes {told['seconds']:.1f} s"
        case "fault":
            line = f"{told['number']:>4}/{kills} killed: {told['victim']:<10} under {', '.join(told['sessions'])}"
        case "stuck":
            line = f"gave up, and judges what there is: {told['why']}"
        case _:
            line = f"{told['share']:>8.0%} of the work of {jobs} jobs is done"
    print(line, file=stream, flush=True)


def wrong(told: Mapping[str, Any]) -> int:
    """How many things are."""
    return sum(told[kind] for kind in _WRONG)


def lines(told: Mapping[str, Any], *, as_json: bool) -> Iterator[str]:
    """A table for people; for programs a line of JSON for each kill, then one for all of it."""
    if as_json:
        yield from (json.dumps(fault) for fault in told["faults"])
        yield json.dumps({name: value for name, value in told.items() if name not in ("faults", "logs")})
        return
    yield ""
    yield f"{'killed':<12}{'times':>6}" + "".join(f"{name:>9}" for name in _SPREAD) + "   seconds until the job went on"
    for victim, row in told["recovery"].items():
        yield f"{victim:<12}{row['count']:>6}" + "".join(f"{row[name]:>9.2f}" for name in _SPREAD)
    yield ""
    yield from told["problems"]
    zeros = ", ".join(f"{told[kind]} {kind}" for kind in _WRONG)
    dealt = f"{told['kills']} of {told['ordered']['kills']} kills under {told['jobs']} jobs in {told['seconds']:.0f} s"
    yield f"{dealt}: {zeros}. Seed {told['seed']}."
