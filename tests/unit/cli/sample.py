"""The log of a session that was killed in its second cell, record by record."""

from __future__ import annotations

from itertools import count

from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.records import (
    Artifact,
    AttemptClosed,
    AttemptOpened,
    Body,
    Cell,
    CellFinished,
    CellInterrupted,
    CellOutput,
    CellReplayed,
    CellStarted,
    ReplyDelta,
    ReplyFinished,
    SessionFinished,
    SessionOpened,
    StateRestored,
)
from outlast.log.store import EMPTY, Log

PROMPT = "Sum the sales by region"
REPLIES = ("I load the file.\n```python\nrows = 3\nprint(rows)\n```", "Now the sum.\n```python\n# add\ntotal = 6\n```")
CHART = Artifact("chart.png", 14_200, "ab" * 32, "image/png")

FIRST: tuple[Body, ...] = (
    ReplyDelta(REPLIES[0][:10]),
    ReplyFinished(REPLIES[0][10:], Cell("python", 27, 48), "fence", 0.5, 100, 12),
    CellStarted(1, "python"),
    CellOutput(1, "3\n"),
    CellFinished(1, "ok", "3\n", checkpoint="c1", missing={"lock": "cannot be pickled"}, seconds=0.25),
    ReplyFinished(REPLIES[1], Cell("python", 23, 39), "fence"),
    CellStarted(2, "python"),
    CellOutput(2, "half of\x1b[31m it\n"),
)
SECOND: tuple[Body, ...] = (
    CellInterrupted(2, "death", "the worker that ran it died"),
    StateRestored(1, "c1", ("rows",), {"lock": "cannot be pickled"}, 0.1),
    CellReplayed(2, ("chart.png",)),
    CellStarted(2, "python"),
    CellFinished(2, "ok", "all of it\n", artifacts=(CHART,), checkpoint="c2", seconds=0.5),
    ReplyFinished("The total is 6."),
)
END: tuple[Body, ...] = (SessionFinished(3, 2, 9.0), AttemptClosed("finished"))


def opening() -> SessionOpened:
    return SessionOpened(PROMPT, {"files": ["sales.csv"]}, "Be brief.", queue="default")


def ticks() -> count[int]:
    """One second a record, from a fixed instant."""
    return count(1_800_000_000)


def play(log: Log, finish: bool = True) -> Log:
    """Write the session into an empty log; without `finish` it ends in the killed attempt."""
    first = AttemptOpened("worker-1", "first", "sales")
    writer = log.open_attempt(first, holder="a", expected=EMPTY, session=opening())
    for body in FIRST:
        writer.append(body)
    if finish:
        writer = log.open_attempt(AttemptOpened("worker-2", "crash", "sales"), holder="b", expected=log.tail())
        for body in SECOND:
            writer.append(body)
        writer.close(*END, state="finished")
    return log


def killed_session(session: str = "sales", finish: bool = True) -> Log:
    """The session in memory."""
    clock = ticks()
    return play(MemoryLog(MemoryStore(), session, clock=lambda: float(next(clock))), finish)
