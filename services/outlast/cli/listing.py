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
from .source import Failed, Queue, Source
from .text import ago, one_line

#: Columns of a terminal on which there is room for the counts and the worker.
WIDE = 90


def run(given: argparse.Namespace, source: Source, out: Output) -> int:
    """Print the table; 0."""
    now = time.time()
    if given.running:
        return _running(source, now, out)
    names = source.sessions()
    shown = names if given.all else names[: given.limit]
    opened = [row for name in shown if (row := _session(source, name, now))]
    # Those refused before they opened a session, too: a mistyped request must not vanish without a word.
    refused = [
        _refused(job) for job in source.failed(most=len(names) + 1 if given.all else given.limit)
        if source.log(job.job).head() is None
    ]  # fmt: skip
    queues, suspended = source.queues(), source.suspended()
    places = {
        job: {"state": "queued", "queue": queue.name, "place": place, "of": queue.length, "suspended": suspended}
        for queue in queues
        for place, job in enumerate(queue.jobs, 1)
    }
    for row in opened:
        # Given back to its queue, by a drain or by `rq requeue`: one row, not two.
        row |= places.get(row["session"], {})
    begun = {row["session"] for row in opened}
    most = None if given.all else given.limit
    rows: list[dict[str, Any]] = []
    longer: list[Queue] = []
    for queue in queues:
        jobs = [job for job in queue.jobs if job not in begun]
        waiting = source.waiting(jobs, most)
        rows += [
            {"session": job.job, **places[job.job], "prompt": job.call, "created": job.created} for job in waiting
        ]
        if queue.length > len(queue.jobs) or (len(waiting) == most and waiting[-1].job != jobs[-1]):
            longer.append(queue)
    rows += sorted(opened + refused, key=lambda row: -float(row["opened"]))[:most]
    if out.json:
        for row in rows:
            out.emit(row)
        return 0
    if rows:
        _table(rows, now, out)
    else:
        out.line('No sessions yet. Start one: rq enqueue outlast.run prompt="what you want done"')
    for queue in longer:
        out.line(f"Queue {one_line(queue.name)} holds {queue.length} jobs; `outlast list --all` shows more.", "dim")
    if len(names) > len(shown):
        out.line(f"{len(names) - len(shown)} older sessions are not shown; `outlast list --all` shows them.", "dim")
    if suspended:
        out.line("Suspended: no worker takes a job from any queue until `rq resume`.", "yellow")
    return 0


def _running(source: Source, now: float, out: Output) -> int:
    """Only the sessions that are held: their heads say so, and no other log is read."""
    rows = [row for name in source.held() if (row := _session(source, name, now))]
    if out.json:
        for row in rows:
            out.emit(row)
    elif rows:
        _table(rows, now, out)
    else:
        out.line("No session is running.")
    return 0


def _refused(job: Failed) -> dict[str, Any]:
    return {
        "session": job.job, "state": "refused", "queue": job.queue, "prompt": job.call, "opened": job.created,
        "changed": job.created, "reason": job.reason,
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
    # Expanded, so that the last column gives way: else every column shrinks, the ids first of all.
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("SESSION", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    wide = out.console.width >= WIDE
    counts = ("attempts", "turns", "cells") if wide else ()
    for name in counts:
        table.add_column(name.upper(), justify="right", no_wrap=True)
    table.add_column("CHANGED", no_wrap=True)
    if wide:
        table.add_column("WORKER", no_wrap=True)
    table.add_column("PROMPT", no_wrap=True, ratio=1, overflow="ellipsis")
    for row in rows:
        state = str(row["state"])
        place = ""
        if state == "queued":
            queue = "" if row["queue"] == "default" else f" in {one_line(row['queue'], 20)}"
            place = f" {row['place']} of {row['of']}{queue}"
        table.add_row(
            one_line(row["session"], 40),
            Text(state + place, style=STYLES.get(state, "")),
            *(str(row.get(name, "")) for name in counts),
            ago(row["changed"], now) if "changed" in row else "",
            *((one_line(row.get("worker", ""), 12),) if wide else ()),
            one_line(row["reason"] if state == "refused" else row["prompt"], 300),
        )
    out.console.print(table)
