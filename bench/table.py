"""The result for people (rich) and for programs (JSON): pure but for the console that is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .figure import Beside, Row
from .sample import Goal, Sample


def amount(value: float, unit: str) -> str:
    """`12.3 ms`, `2.41 s`, `811 s`, `3`: three digits, in the unit that suits."""
    if unit != "s":
        return f"{value:g}"
    if value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def times(ratio: float) -> str:
    """How many times as much: `31x`, `1.04x`, `0.0037x`."""
    return f"{ratio:.0f}x" if ratio >= 10 else f"{ratio:.3g}x"


def goal_text(goal: Goal, unit: str) -> str:
    """The goal's bounds, one a line."""
    bounds = []
    if goal.median is not None:
        bounds.append(f"median ≤ {amount(goal.median, unit)}")
    if goal.worst is not None:
        bounds.append(f"worst ≤ {amount(goal.worst, unit)}")
    if goal.ratio is not None:
        bounds.append(f"≤ {goal.ratio:g}x the first beside it")
    return "\n".join(bounds)


def verdict(row: Row) -> str:
    """`reached`, `missed`, `WRONG` (a violation) or nothing."""
    if row.violations:
        return "WRONG"
    return {True: "reached", False: "missed", None: ""}[row.reached]


def beside_text(item: Beside, ours: Sample | None, unit: str) -> str:
    """What is beside ours: the median, its multiple of ours, and where it comes from."""
    if item.sample is None:
        return f"{item.what}: not measured ({item.source})"
    worst = f" (worst {amount(item.sample.worst, unit)})" if item.sample.count > 1 else ""
    ratio = ""
    if ours is not None and ours.median:
        more = item.sample.median / ours.median
        ratio = f" = {times(more)} ours" if more > 2 else f"; ours is {times(1 / more)} that"
    return f"{item.what}: {amount(item.sample.median, unit)}{worst}, n={item.sample.count}{ratio}\n  {item.source}"


def show(console: Console, rows: Sequence[Row], seed: int) -> None:
    """Print the table, then the notes and the violations."""
    table = Table(title=f"Outlast: figures of this machine, seed {seed}", title_justify="left", show_lines=True)
    table.add_column("figure", ratio=3)
    table.add_column("median", justify="right", no_wrap=True)
    table.add_column("worst", justify="right", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    table.add_column("beside it", ratio=4)
    table.add_column("goal", no_wrap=True)
    table.add_column("", no_wrap=True)
    colours = {"reached": "green", "missed": "yellow", "WRONG": "bold red", "": ""}
    for row in rows:
        said = verdict(row)
        measured = row.ours
        table.add_row(
            Text.assemble((row.figure, "bold"), f"\n{row.what}"),
            amount(measured.median, row.unit) if measured else "-",
            amount(measured.worst, row.unit) if measured else "-",
            str(measured.count) if measured else "0",
            Text("\n".join(beside_text(item, measured, row.unit) for item in row.beside)),
            goal_text(row.goal, row.unit),
            Text(said, style=colours[said]),
        )
    console.print(table)
    for row in rows:
        for note in row.notes:
            console.print(Text(f"{row.figure}: {note}"))
    for row in rows:
        for violation in row.violations:
            console.print(Text(f"WRONG {row.figure}: {violation}", style="bold red"))


def as_json(rows: Sequence[Row], seed: int) -> dict[str, Any]:
    """Everything that was measured, as plain values; seconds."""
    return {"seed": seed, "figures": [_row(row) for row in rows]}


def _row(row: Row) -> dict[str, Any]:
    goal = {name: bound for name, bound in asdict(row.goal).items() if bound is not None}
    return {
        "figure": row.figure,
        "what": row.what,
        "unit": row.unit,
        "ours": _sample(row.ours),
        "beside": [_beside(item, row.ours) for item in row.beside],
        "goal": goal,
        "reached": row.reached,
        "violations": list(row.violations),
        "notes": list(row.notes),
        "details": row.details,
    }


def _beside(item: Beside, ours: Sample | None) -> dict[str, Any]:
    both = item.sample is not None and ours is not None and item.sample.median
    return {
        "what": item.what,
        "source": item.source,
        "sample": _sample(item.sample),
        "ours_over_this": ours.median / item.sample.median if both and ours and item.sample else None,
    }


def _sample(sample: Sample | None) -> dict[str, Any] | None:
    if sample is None:
        return None
    return {
        "median": sample.median,
        "worst": sample.worst,
        "n": sample.count,
        "values": [round(value, 6) for value in sample.values],
    }
