"""`outlast files ID`: what a session's code has made, and which cell which artifact is from."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import redis
from rich.table import Table
from rich.text import Text

from ..errors import LogError
from ..kernel.sandbox.identity import acting_as
from . import beneath
from .address import ARTIFACTS, FILES, path_of
from .elsewhere import Cut, asked
from .history import history
from .output import Output, complain
from .source import Source
from .text import ago, file_name, one_line, plural, size

#: Characters of a name or link that are shown; the kernel's own limit is 4,096 bytes.
_SHOWN = 1000

_STYLES = {"file": "", "link": "cyan"}


def run(given: argparse.Namespace, source: Source, out: Output) -> int:
    """List them; 0. Also while Redis is away, if the workspace is here: only the cells are not known then."""
    workspace = beneath.enter_workspace(given.settings.workspaces, given.session)
    if workspace is None:
        rows = _there(given, source)
    else:
        try:
            cells = _cells(source, given.session)
            with acting_as(beneath.identity_of(workspace)):
                rows = _here(workspace, given.session, cells, given.limit)
        finally:
            os.close(workspace)
    if out.json:
        for row in rows:
            out.emit(row)
    elif rows:
        _table(rows, out)
    else:
        out.line("No files yet.")
    return 0


def _here(workspace: int, session: str, cells: dict[str, int], limit: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for top in (FILES, ARTIFACTS):
        for entry in _entries(workspace, top):
            # A directory is only told where what it holds cannot be.
            if (entry.kind == "directory" and not entry.error) or (top == ARTIFACTS and _unfinished(entry)):
                continue
            if len(rows) == limit:
                complain(f"session {session} has more than {plural(limit, 'file')}; --limit N lists more.")
                return sorted(rows, key=_order)
            path = path_of(top, entry.parts)
            more = {"link": entry.link, "error": entry.error, "cell": cells.get(path) if entry.kind == "file" else None}
            rows.append(
                {"session": session, "path": path, "kind": entry.kind, "size": entry.size, "changed": entry.changed}
                | {name: value for name, value in more.items() if value}
            )
    return sorted(rows, key=_order)


def _order(row: dict[str, Any]) -> tuple[bool, str]:
    """The working directory first, then by name."""
    return row["path"].startswith(f"{ARTIFACTS}/"), row["path"]


def _entries(workspace: int, top: str) -> Iterator[beneath.Entry]:
    try:
        directory = beneath.enter(workspace, top)
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            complain(f"{top}/ cannot be read: {error.strerror}.")
        return
    try:
        with closing(beneath.walk(directory)) as entries:
            yield from entries
    finally:
        os.close(directory)


def _unfinished(entry: beneath.Entry) -> bool:
    """The worker's own hidden name for an artifact that it still writes."""
    return entry.parts[-1].startswith(".") and entry.parts[-1].endswith(".part")


def _cells(source: Source, session: str) -> dict[str, int]:
    """Path of each artifact → number of the cell that it is from, as far as the log tells."""
    try:
        past = history(session, source.log(session).read())
    except (redis.RedisError, LogError, ValueError) as error:
        complain(f"which artifact is from which cell is not known: {one_line(str(error), 300).rstrip('.')}.")
        return {}
    return {item.path: cell.number for cell in past.cells for item in cell.artifacts}


def _there(given: argparse.Namespace, source: Source) -> list[dict[str, Any]]:
    source.known(given.session)
    arguments = ["files", "--json", "--limit", str(given.limit), "--", given.session]
    with asked(arguments, given.session, given.settings.workspaces) as lines:
        return [_row(given.session, line) for line, _ in zip(lines, range(given.limit), strict=False)]


def _row(session: str, line: bytes) -> dict[str, Any]:
    """What the container said of one file, and nothing else of it."""
    try:
        told = json.loads(line)
        row: dict[str, Any] = {"session": session} | {name: str(told[name]) for name in ("path", "kind")}
        row |= {"size": int(told["size"]), "changed": float(told["changed"])}
        row |= {name: str(told[name]) for name in ("link", "error") if name in told}
        # A name may hold bytes that are no UTF-8, as Python writes them, but nothing that no name can hold.
        "".join(str(value) for value in row.values()).encode("utf-8", "surrogateescape")
        return row | ({"cell": int(told["cell"])} if "cell" in told else {})
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise Cut from error


def _table(rows: list[dict[str, Any]], out: Output) -> None:
    now = time.time()
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("PATH", overflow="fold")
    table.add_column("SIZE", justify="right", no_wrap=True)
    table.add_column("CHANGED", no_wrap=True)
    table.add_column("CELL", justify="right", no_wrap=True)
    for row in rows:
        kind = row["kind"]
        path = file_name(row["path"][:_SHOWN])
        if "link" in row:
            path += f" → {file_name(row['link'][:_SHOWN])}"
        if "error" in row:
            path += f"  ({one_line(row['error'])})"
        what = size(row["size"]) if kind == "file" else one_line(kind, 12)
        style = "red" if "error" in row else _STYLES.get(kind, "yellow")
        table.add_row(Text(path, style=style), what, ago(row["changed"], now), str(row.get("cell", "")))
    out.console.print(table)
