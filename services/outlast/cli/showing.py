"""`outlast show ID`: one session in full."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from ..kernel.listing import Listing
from ..settings import Settings
from .history import AttemptHistory, CellHistory, History, Interruption, history
from .lines import STYLES, clock
from .output import Output
from .source import Source
from .text import ago, duration, last_line, one_line, plural, printable, size
from .variables import glance

#: Variables that are named; `outlast state` lists all.
_NAMED = 5


def run(given: argparse.Namespace, source: Source, out: Output) -> int:
    """Print what there is to know; 0."""
    log = source.known(given.session)
    past = history(given.session, log.read())
    files = Path(given.settings.workspaces) / given.session
    listings = glance(given.settings.workspaces, given.session, past.cells)
    if out.json:
        head = log.head()
        held = {"renewals": source.renewals(head.holder) if head else 0, "suspended": source.suspended()}
        out.emit(summary(past, listings) | held)
    else:
        _show(past, listings, given.settings, files, out)
    return 0


def summary(past: History, listings: Mapping[int, Listing]) -> dict[str, Any]:
    """The session as one JSON object. `listings`: what is known of the checkpoints of which cells."""
    opened = past.now.opened
    return {
        "session": past.session,
        "state": past.state,
        "reason": past.reason,
        "prompt": opened.prompt if opened else "",
        "options": opened.options if opened else {},
        "queue": opened.queue if opened else "",
        "versions": opened.versions if opened else {},
        "opened": past.opened_at,
        "changed": past.changed_at,
        "records": past.records,
        "turns": past.now.total_turns,
        "seconds": round(past.now.seconds, 3),
        "attempts": [_attempt(item) for item in past.attempts],
        "cells": [_cell(cell, listings.get(cell.number)) for cell in past.cells],
        "variables": _variables(listings),
        "notes": past.notes,
        "refused": [asdict(item) for item in past.refused],
        "answer": past.now.answer if past.finished else "",
    }


def _cell(cell: CellHistory, listing: Listing | None) -> dict[str, Any]:
    return asdict(cell) | {"pending": cell.pending} | ({"state_bytes": listing.bytes} if listing else {})


def _variables(listings: Mapping[int, Listing]) -> dict[str, Any] | None:
    if not listings:
        return None
    newest = listings[max(listings)]
    return {
        "cell": newest.cell, "bytes": newest.bytes, "saved": {each.name: each.bytes for each in newest.variables},
        "missing": dict(newest.missing),
    }  # fmt: skip


def _attempt(item: AttemptHistory) -> dict[str, Any]:
    return {
        "attempt": item.number, "why": item.why, "worker": item.worker, "host": item.host, "job": item.job,
        "opened": item.opened_at, "seconds_without_worker": round(item.gap, 3) if item.recovery else 0.0,
        "kept_cells": item.kept_cells, "ran_again": item.reran, "reply_continued": item.continued,
        "restored": asdict(item.restored) if item.restored else None,
        "closed": asdict(item.closed) if item.closed else None,
    }  # fmt: skip


def _show(past: History, listings: Mapping[int, Listing], settings: Settings, files: Path, out: Output) -> None:
    now = time.time()
    out.console.print(Text.assemble((printable(past.session), "bold"), "  ", (past.state, STYLES.get(past.state, ""))))
    if past.waiting or past.reason:
        out.line(one_line(past.waiting or past.reason, 300), STYLES.get(past.state, ""))
    opened = past.now.opened
    if opened:
        out.line("")
        out.line(printable(opened.prompt))
        for name, value in opened.options.items():
            out.line(one_line(f"{name} = {value}", 200), "dim")
    total = f"{plural(past.now.total_turns, 'turn')}, {plural(len(past.cells), 'cell')}"
    out.line(f"opened {ago(past.opened_at, now)} · {total} · {duration(past.now.seconds)} of work", "dim")
    out.line("")
    _attempts(past, out)
    if past.cells:
        out.line("")
        _cells(past, listings, out)
    _artifacts(past, settings, files, out)
    for note in past.notes:
        out.line("")
        out.line("Told to the model: " + printable(note), "magenta")
    for refused in past.refused:
        out.line("")
        out.line(f"Refused ({one_line(refused.source)}): {one_line(refused.reason, 400)}", "red")
    if past.finished and past.now.answer:
        out.line("")
        out.line("Answer", "bold")
        out.line(printable(past.now.answer.strip()))


def _attempts(past: History, out: Output) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("ATTEMPT", "WHY", "WORKER", "OPENED", "WHAT IT FOUND", "END"):
        table.add_column(column, no_wrap=column != "WHAT IT FOUND", overflow="ellipsis")
    for item in past.attempts:
        end = item.closed.how if item.closed else ("cut off" if item is not past.attempts[-1] else past.state)
        table.add_row(
            str(item.number),
            Text(item.why, style=STYLES.get(item.why, "")),
            one_line(item.worker, 24),
            clock(item.opened_at)[:8],
            found(item),
            Text(end, style=STYLES.get(end, "red" if end == "cut off" else "")),
        )
    out.console.print(table)


def found(item: AttemptHistory) -> str:
    """What an attempt took over, and what that cost, in one line."""
    parts: list[str] = []
    if item.recovery:
        parts.append(f"{duration(item.gap)} after the last record")
    if item.restored:
        names = item.restored.restored
        parts.append(f"{plural(len(names), 'variable')} of cell {item.restored.cell} restored")
        if item.restored.missing:
            parts.append(f"not restored: {one_line(', '.join(item.restored.missing))}")
    if item.recovery and item.kept_cells:
        parts.append(f"{plural(item.kept_cells, 'cell')} not run again")
    parts += [f"cell {number} run again" for number in item.reran]
    if item.partial_chars:
        how = "continued" if item.continued else "asked for anew"
        parts.append(f"a reply of {item.partial_chars} characters {how}")
    return "; ".join(parts)


def _cells(past: History, listings: Mapping[int, Listing], out: Output) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
    table.add_column("CELL", justify="right")
    table.add_column("LANGUAGE", no_wrap=True)
    table.add_column("CODE", no_wrap=True, overflow="ellipsis", ratio=2)
    table.add_column("STATUS", no_wrap=True)
    table.add_column("TIME", justify="right", no_wrap=True)
    table.add_column("STATE", no_wrap=True)
    table.add_column("LAST OUTPUT", no_wrap=True, overflow="ellipsis", ratio=2)
    for cell in past.cells:
        table.add_row(
            str(cell.number),
            one_line(cell.language, 12),
            first_line(cell),
            Text(cell.status + _again(cell), style=STYLES.get(cell.status, "")),
            duration(cell.seconds) if cell.seconds else "",
            _state(cell, listings.get(cell.number)),
            last_line(cell.output, 100),
        )
    out.console.print(table)
    for (name, why), cells in _missing(past).items():
        out.line(f"{cells}: {one_line(name)} is not in the checkpoint ({one_line(why, 160)})", "yellow")
    for cell in past.cells:
        for cut in cell.interruptions:
            out.line(f"cell {cell.number} was interrupted, {_kind(cut)}: {one_line(cut.cause, 300)}", "yellow")
        if cell.second_output is not None:
            other = last_line(cell.second_output, 300)
            out.line(f"cell {cell.number} printed something else when it ran again: {other}", "yellow")
        if cell.state_error:
            out.line(f"cell {cell.number} left no checkpoint: {one_line(cell.state_error, 300)}", "yellow")
    if listings:
        newest = listings[max(listings)]
        named = [f"{one_line(each.name, 40)} ({size(each.bytes)})" for each in newest.variables[:_NAMED]]
        more = len(newest.variables) - len(named)
        names = ", ".join(named) + (f" and {more} more" if more else "") if named else "none"
        which = f"`outlast state {one_line(past.session)}` tells more"
        out.line(f"variables as of cell {newest.cell}: {names}; {which}", "dim")


def _missing(past: History) -> dict[tuple[str, str], str]:
    """Name and reason → the cells whose checkpoints lack it: `cell 2`, `3 cells, 2 to 7`."""
    lacking: dict[tuple[str, str], list[int]] = {}
    for cell in past.cells:
        for missing in cell.missing.items():
            lacking.setdefault(missing, []).append(cell.number)
    return {
        missing: f"cell {cells[0]}" if len(cells) == 1 else f"{len(cells)} cells, {cells[0]} to {cells[-1]}"
        for missing, cells in lacking.items()
    }


def first_line(cell: CellHistory) -> str:
    """The first line of code that says something: not blank, not a comment."""
    lines = [text for text in cell.code.splitlines() if text.strip()]
    telling = [text for text in lines if not text.lstrip().startswith(("#", "//"))]
    return one_line((telling or lines or [""])[0], 100)


def _again(cell: CellHistory) -> str:
    return f", ran {cell.runs} times" if cell.runs > 1 else ""


def _kind(cut: Interruption) -> str:
    which = f"strike {cut.strike} of {cut.of}" if cut.strike else cut.kind
    return f"{which} ({one_line(cut.by)})" if cut.by else which


def _state(cell: CellHistory, listing: Listing | None) -> str:
    if cell.state_error:
        return "lost"
    if not cell.checkpoint:
        return "pending" if cell.pending else ""
    much = size(listing.bytes) if listing else "saved"
    return f"{much}, {len(cell.missing)} missing" if cell.missing else much


def _artifacts(past: History, settings: Settings, files: Path, out: Output) -> None:
    newest = {item.path: item for cell in past.cells for item in cell.artifacts}
    if not newest:
        return
    out.line("")
    out.line("Artifacts", "bold")
    for item in newest.values():
        out.line(f"{printable(str(files / item.path))}  {size(item.size)}  sha256 {item.sha256[:12]}…")
