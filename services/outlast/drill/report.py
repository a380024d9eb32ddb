"""What a drill came to, as data and as a page. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..log.verify import record_to_json
from .conductor import Result
from .judge import KINDS, Outcome, blamed, counts, went_on
from .schedule import VICTIMS

#: What each number of the distribution is: the smallest value that this share of all do not exceed.
SHARES = {"min": 0.0, "median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


_LEGEND = (
    "`after` counts from the opening of the first job. Where a kill hit several jobs, its time is that of the last to "
    "go on. A kill without a time (-) held no job up by itself: it fell into the recovery from an earlier one, whose "
    "time is longer for it, or the job had nothing more to do. `never`: the job has failed, and did nothing more."
)


def report(result: Result) -> dict[str, Any]:
    """Everything, as JSON. A fault's `went_on` is the longest of its sessions', None if none had to go on.

    A session that had not yet gone on after an earlier kill counts to that one alone, whose time is longer for it.
    """
    by_fault: dict[int | None, list[Any]] = {}
    for problem in result.problems:
        by_fault.setdefault(blamed(problem, result.faults), []).append(problem)
    faults = []
    back: dict[str, float] = {}
    for fault in result.faults:
        times = []
        for session in sorted(fault.sessions):
            if back.get(session, 0.0) > fault.at:
                continue
            took = went_on(fault, session, result.outcomes[session].seen.values())
            if took is not None:
                back[session] = fault.at + took
                times.append(took)
        faults.append(
            {
                "number": fault.number,
                "victim": fault.victim,
                "after": round(fault.at - result.began, 3),
                "sessions": sorted(fault.sessions),
                "went_on": max((round(each, 3) for each in times), default=None),
                **counts(by_fault.get(fault.number, [])),
            }
        )
    return {
        "seed": result.order.seed,
        "jobs": len(result.outcomes),
        "kills": len(result.faults),
        "ordered": {"jobs": result.order.jobs, "kills": result.order.kills},
        "seconds": round(result.ended - result.began, 1),
        "records": sum(len(outcome.records) for outcome in result.outcomes.values()),
        "acknowledged": sum(len(outcome.appended) for outcome in result.outcomes.values()),
        **counts(result.problems),
        "recovery": recovery(faults),
        "problems": [f"{problem.session}: {problem.kind}: {problem.said}" for problem in result.problems],
        "faults": faults,
        # What is needed to find out why, as `outlast logs --json` prints it.
        "logs": {
            session: _log(result.outcomes[session])
            for session in sorted({problem.session for problem in result.problems} & result.outcomes.keys())
        },
    }


def _log(outcome: Outcome) -> list[Any]:
    """All of a log; as it is stored if some of that cannot be read."""
    if outcome.entries:
        return [{"id": name, "stored": dict(fields)} for name, fields in outcome.entries]
    return [json.loads(record_to_json(record)) for record in outcome.records]


def recovery(faults: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """By victim, and of `all`: how many had to go on, and how the seconds are spread."""
    groups = {victim: _times(fault for fault in faults if fault["victim"] == victim) for victim in VICTIMS}
    groups["all"] = _times(faults)
    return {victim: {"count": len(times), **_spread(times)} for victim, times in groups.items() if times}


def _times(faults: Iterable[Mapping[str, Any]]) -> list[float]:
    return sorted(fault["went_on"] for fault in faults if fault["went_on"] is not None)


def _spread(times: Sequence[float]) -> dict[str, float]:
    return {name: times[max(0, math.ceil(share * len(times)) - 1)] for name, share in SHARES.items()}


def clean(told: Mapping[str, Any]) -> bool:
    """Whether nothing at all is wrong."""
    return not any(told[kind] for kind in KINDS)


def page(told: Mapping[str, Any]) -> str:
    """The report as Markdown, with the chart beside it as chart.png."""
    verdict = "Nothing was lost, duplicated or run again." if clean(told) else "**Not all is well.**"
    zeros = ", ".join(f"{told[kind]} {kind}" for kind in KINDS)
    problems = [f"- {problem}" for problem in told["problems"]]
    lines = [
        "# Drill",
        "",
        f"{verdict} {zeros}.",
        "",
        f"Seed {told['seed']}: {told['kills']} of {told['ordered']['kills']} kills under {told['jobs']} jobs in "
        f"{told['seconds']:.0f} s. Their logs have {told['records']} records; {told['acknowledged']} stand in the "
        "workers' logs as appended.",
        "",
        *([*problems, ""] if problems else []),
        "![seconds from each kill until the job went on](chart.png)",
        "",
        "## Seconds from the kill until the job went on",
        "",
        "| killed | times | min | median | 90 % | 99 % | max |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for victim, row in told["recovery"].items():
        cells = " | ".join(f"{row[name]:.2f}" for name in SHARES)
        lines.append(f"| {victim} | {row['count']} | {cells} |")
    lines += [
        "",
        "## Each kill",
        "",
        _LEGEND,
        "",
        f"| no | after | killed | went on after | {' | '.join(KINDS)} | jobs |",
    ]
    lines.append(f"| --- | --- | --- | --- | {' | '.join('---' for _ in KINDS)} | --- |")
    for fault in told["faults"]:
        waited = f"{fault['went_on']:.2f} s" if fault["went_on"] is not None else "never" if fault["failed"] else "-"
        zeros = " | ".join(str(fault[kind]) for kind in KINDS)
        lines.append(
            f"| {fault['number']} | {fault['after']:.1f} s | {fault['victim']} | {waited} | {zeros} "
            f"| {', '.join(fault['sessions'])} |"
        )
    return "\n".join(lines) + "\n"
