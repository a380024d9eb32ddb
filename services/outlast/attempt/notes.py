"""What the model is told about a recovery. What is to be told stands in the log, and is told once.

A note may not stand inside a half-finished reply, nor between a reply and the output of its cell: whatever happens in
between, it waits for the next turn, and outlasts this attempt if it must.
"""

from __future__ import annotations

from ..log.project import At
from ..log.records import NoteAdded
from .hold import Hold

NOT_RESTORED = (
    "[Outlast] The session was interrupted and resumed in a new process. All variables were restored "
    "but for these, which have to be made again before they are used: {names}."
)
OUTPUT_DIFFERS = (
    "[Outlast] The session was interrupted and cell {cell} had to run a second time. "
    "Its output was different then; this is the newer one:\n{output}"
)


def tell(hold: Hold) -> None:
    """Append what the model has not been told yet, if it is about to be asked."""
    if hold.state.at is not At.TURN:
        return
    variables = hold.state.variables
    if variables.untold_missing:
        names = "; ".join(f"{name} ({why})" for name, why in sorted(variables.untold_missing.items()))
        hold.append(NoteAdded(NOT_RESTORED.format(names=names), about="missing"))
    if variables.untold_outputs:
        notes = [OUTPUT_DIFFERS.format(cell=cell, output=said) for cell, said in variables.untold_outputs.items()]
        hold.append(NoteAdded("\n".join(notes), about="output"))
