"""Whether a completed cell ran again: the log held against what the cells themselves wrote down. Pure.

Each cell appends its number to a file as its first act. A number may stand there more than once only where the log
shows that the cell was interrupted, or run again; and the log itself must show no start of a cell after its commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ..log.records import CellFinished, CellInterrupted, CellReplayed, CellStarted, Record, StateSaved


def second_runs(records: Iterable[Record], ran: Sequence[int]) -> list[str]:
    """What contradicts the promise, as sentences; `ran` is empty for cells that write nothing down."""
    starts: Counter[int] = Counter()
    excused: Counter[int] = Counter()
    committed: set[int] = set()
    problems: list[str] = []
    for record in records:
        match record.body:
            case CellStarted(cell=cell):
                if cell in committed:
                    problems.append(f"cell {cell} was started again at {record.id} although it had completed")
                starts[cell] += 1
            case CellInterrupted(cell=cell) | CellReplayed(cell=cell):
                excused[cell] += 1
            case CellFinished(cell=cell, checkpoint=checkpoint, state_error=error, status=status):
                if checkpoint or error or status in ("killed", "declined"):
                    committed.add(cell)
            case StateSaved(cell=cell):
                committed.add(cell)
            case _:
                pass
    lines = Counter(ran)
    for cell, times in sorted(lines.items()):
        if times > 1 and not excused[cell]:
            problems.append(f"cell {cell} ran {times} times, and the log shows no interruption")
        if times > starts[cell]:
            problems.append(f"cell {cell} ran {times} times, and the log shows {starts[cell]} starts")
    if ran:
        problems += [f"cell {cell} is in the log but never ran" for cell in sorted(committed) if not lines[cell]]
    return problems
