"""`outlast state ID`: which variables a session had as of a cell, as its checkpoint tells; nothing is loaded."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path

from rich.table import Table
from rich.text import Text

from ..kernel.listing import Listing, find, of_plain, parse
from ..kernel.sandbox.identity import acting_as
from ..kernel.workspace import identity_of
from . import beneath
from .elsewhere import Cut, asked
from .history import CellHistory, History, history
from .output import Output, Trouble
from .source import Source
from .text import one_line, plural, size

#: Bytes that the worker container may answer with.
_ANSWER_BYTES = 64 * 1024 * 1024
#: Where the variables are only told beside other things: cells that are looked at, bytes of a manifest, and of all.
_GLANCE_CELLS, _GLANCE_FILE, _GLANCE_BYTES = 20, 4 * 1024 * 1024, 16 * 1024 * 1024


def run(given: argparse.Namespace, source: Source, out: Output) -> int:
    """List them; 0. Trouble, with the reason, if there is no checkpoint to be read."""
    past = history(given.session, source.known(given.session).read())
    cell = _chosen(past, given.cell)
    is_here = _is_here(given.settings.workspaces, given.session)
    listing = _here(given, cell) if is_here else _there(given, cell)
    if out.json:
        out.emit({"session": past.session, **listing.plain()})
    else:
        _show(past, listing, out)
    return 0


def glance(workspaces: str, session: str, cells: Iterable[CellHistory]) -> dict[int, Listing]:
    """By cell, what its checkpoint holds: of the newest cells, as far as it can be had here at little cost."""
    found: dict[int, Listing] = {}
    left = _GLANCE_BYTES
    try:
        if not _is_here(workspaces, session):
            return found
    except Trouble:
        return found
    saved = sorted((cell for cell in cells if cell.checkpoint), key=lambda cell: -cell.number)
    for cell in saved[:_GLANCE_CELLS]:
        if left <= 0:
            break
        try:
            text = _find(workspaces, session, cell, _GLANCE_FILE)
            left -= len(text)
            found[cell.number] = parse(text, cell.number)
        except ValueError:
            continue
    return found


def _find(workspaces: str, session: str, cell: CellHistory, most: int = 1 << 62) -> bytes:
    """The manifest of the cell's checkpoint; ValueError."""
    root = Path(workspaces) / session
    with acting_as(identity_of(root)):
        return find(root / "checkpoints", cell.number, cell.checkpoint, most)


def _chosen(past: History, number: int | None) -> CellHistory:
    """The cell that was asked for, or the newest that has a checkpoint; Trouble if it has none."""
    name = one_line(past.session)
    saved = [cell for cell in past.cells if cell.checkpoint]
    if number is None:
        if saved:
            return saved[-1]
        why = f": {_why_none(past.cells[-1])}" if past.cells else ", for no cell has run"
        raise Trouble(f"session {name} has no checkpoint yet{why}.")
    if number > len(past.cells):
        raise Trouble(f"session {name} has no cell {number}; it has {plural(len(past.cells), 'cell')} so far.")
    cell = past.cells[number - 1]
    if not cell.checkpoint:
        before = [other.number for other in saved if other.number < number]
        instead = (
            f"; `outlast state {name} --cell {before[-1]}` lists those of the newest cell before it that has one"
            if before
            else "; no cell before it has one"
        )
        raise Trouble(f"{_why_none(cell)}{instead}.")
    return cell


def _why_none(cell: CellHistory) -> str:
    if cell.state_error:
        return f"cell {cell.number} left no checkpoint ({one_line(cell.state_error, 300).rstrip('.')})"
    if cell.pending:
        return f"the variables of cell {cell.number} are still being saved"
    if cell.status in ("killed", "declined"):
        return f"cell {cell.number} was {cell.status} and left the variables as they were before it"
    return f"cell {cell.number} has not completed ({cell.status})"


def _is_here(workspaces: str, session: str) -> bool:
    """Whether the workspace is on this machine; Trouble if it is and cannot be read."""
    workspace = beneath.enter_workspace(workspaces, session)
    if workspace is None:
        return False
    os.close(workspace)
    return True


def _here(given: argparse.Namespace, cell: CellHistory) -> Listing:
    try:
        text = _find(given.settings.workspaces, given.session, cell)
        return parse(text, cell.number)
    except ValueError as why:
        raise Trouble(f"the checkpoint of cell {cell.number} cannot be listed: {why}.") from why


def _there(given: argparse.Namespace, cell: CellHistory) -> Listing:
    """What the worker container says, taken only if it is about the checkpoint that the log names."""
    arguments = ["state", "--json", "--cell", str(cell.number), "--", given.session]
    with asked(arguments, given.session, given.settings.workspaces, instead="state") as answer:
        try:
            listing = of_plain(answer.read(_ANSWER_BYTES))
        except ValueError as error:
            raise Cut from error
        if (listing.cell, listing.checkpoint) != (cell.number, cell.checkpoint):
            raise Cut
        return listing


def _show(past: History, listing: Listing, out: Output) -> None:
    newest = past.cells[-1].number
    which = f"as of cell {listing.cell}" + (f" of {newest}" if newest > listing.cell else "")
    out.console.print(Text.assemble((one_line(past.session), "bold"), "  ", which))
    versions = [f"Python {listing.python}", *(f"{name} {version}" for name, version in listing.libraries.items())]
    count = plural(len(listing.variables), "variable")
    out.line(f"{count} · the checkpoint has {size(listing.bytes)} · {one_line(', '.join(versions), 300)}", "dim")
    if listing.variables:
        out.line("")
        _table(listing, out)
    for group in listing.shared:
        out.line(f"share objects: {one_line(', '.join(group), 300)}", "dim")
    if listing.missing:
        out.line("")
    for name, why in listing.missing.items():
        out.line(f"missing: {one_line(name)} ({one_line(why, 300)})", "yellow")
    if not past.cells[-1].checkpoint:
        out.line("")
        out.line(f"Later: {_why_none(past.cells[-1])}.", "yellow")


def _table(listing: Listing, out: Output) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("VARIABLE", overflow="fold")
    table.add_column("TYPE", overflow="fold", style="cyan")
    table.add_column("SIZE", justify="right", no_wrap=True)
    for each in listing.variables:
        table.add_row(one_line(each.name, 200), one_line(each.type, 200), size(each.bytes))
    out.console.print(table)
