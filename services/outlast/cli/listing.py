"""`outlast list`: every session and every waiting job, the newest first."""

from __future__ import annotations

import argparse
import time
from typing import Any

from rich.table import Table
from rich.text import Text

from ..log.store import Head
from .history import History
from .lines import STYLES
from .output import Output
from .source import Source, Waiting
from .text import ago, one_line


def run(given: argparse.Namespace, source: Source, out: Output) -> int:
    """Print the table; 0."""
    now = time.time()
    rows = [_queued(job) for job in source.queued()]
    names = source.sessions()
    shown = names if given.all else names[: given.limit]
    rows += [row for name in shown if (row := _session(source, name, now))]
    if out.json:
        for row in rows:
            out.emit(row)
        return 0
    if not rows:
        out.line('No sessions yet. Start one: rq enqueue outlast.run prompt="what you want done"')
        return 0
    _table(rows, now, out)
    if len(names) > len(shown):
        out.line(f"{len(names) - len(shown)} older sessions are not shown; `outlast list --all` shows them.", "dim")
    return 0


def _queued(job: Waiting) -> dict[str, Any]:
    return {
        "session": job.job, "state": "queued", "queue": job.queue, "place": job.place, "prompt": job.call,
        "created": job.created,
    }  # fmt: skip


def _session(source: Source, name: str, now: float) -> dict[str, Any] | None:
    log = source.log(name)
    head = log.head()
    if head is None:
        return None
    past = History(name)
    error = ""
    try:
        for record in log.read():
            past.add(record)
    except ValueError as unknown:
        error = str(unknown)
    worker = past.attempts[-1].worker if past.attempts else ""
    return {
        "session": name, "state": _state(head, past), "attempts": head.attempt, "turns": past.now.total_turns,
        "cells": past.now.cell, "worker": worker, "opened": head.opened, "changed": max(head.changed, past.changed_at),
        "queue": head.queue, "prompt": head.prompt, "reason": past.reason, **({"error": error} if error else {}),
    }  # fmt: skip


def _state(head: Head, past: History) -> str:
    """What the log says wins over the head, which is written only when an attempt opens or closes."""
    return past.state if past.attempts else head.state


def _table(rows: list[dict[str, Any]], now: float, out: Output) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("SESSION", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    for column in ("ATTEMPTS", "TURNS", "CELLS"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("CHANGED", no_wrap=True)
    table.add_column("WORKER", no_wrap=True, max_width=20)
    table.add_column("PROMPT", no_wrap=True, ratio=1, overflow="ellipsis")
    for row in rows:
        state = str(row["state"])
        place = f" ({row['place']} in {row['queue']})" if state == "queued" else ""
        table.add_row(
            one_line(row["session"], 40),
            Text(state + place, style=STYLES.get(state, "")),
            *(str(row.get(name, "")) for name in ("attempts", "turns", "cells")),
            ago(row["changed"], now) if "changed" in row else "",
            one_line(row.get("worker", ""), 20),
            one_line(row["prompt"], 120),
        )
    out.console.print(table)
