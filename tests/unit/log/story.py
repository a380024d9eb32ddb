"""Hand-made logs for the tests of the pure functions: a story is a list of bodies, attempt by attempt."""

from __future__ import annotations

from outlast.log import records as r

SYSTEM = "You write code."
OUTPUT = "Code output: {content}\n\nWhat's next?"
EMPTY_OUTPUT = "No output. What's next?"


def opened(prompt: str = "sum the sales", **options: object) -> r.SessionOpened:
    return r.SessionOpened(prompt, dict(options), SYSTEM, OUTPUT, EMPTY_OUTPUT)


def reply(code: str | None, words: str = "Let me see.", tail: str = "") -> r.ReplyFinished:
    """A whole reply in one record; `tail` is what of it was not logged as deltas before."""
    if code is None:
        return r.ReplyFinished(tail or words)
    start = f"{words}\n```python\n"
    text = f"{start}{code}\n```"
    return r.ReplyFinished(tail or text, r.Cell("python", len(start), len(start) + len(code) + 1), "fence")


def build(*attempts: list[r.Body]) -> list[r.Record]:
    """The records of these attempts; the first list begins with `session.opened`."""
    records: list[r.Record] = []
    clock = 1_000.0
    prev = r.GENESIS
    for number, bodies in enumerate(attempts, 1):
        for sequence, body in enumerate(bodies, 0 if number > 1 else -1):
            record_id = r.RecordId(0, 1) if sequence < 0 else r.RecordId(number, sequence)
            clock += 1.0
            record = r.Record.make(record_id, clock, prev, body)
            records.append(record)
            prev = record.digest
    return records


def cell(number: int, output: str = "", checkpoint: str | None = None) -> list[r.Body]:
    return [
        r.CellStarted(number, "python"),
        r.CellFinished(number, "ok", output, checkpoint=f"sum{number}" if checkpoint is None else checkpoint),
    ]


#: A session that met nearly everything: killed in a reply and in a cell, drained, struck, chatted to.
EVENTFUL = build(
    [
        opened(),
        r.AttemptOpened("w1", "first"),
        reply("a = 1"),
        *cell(1, "1"),
        r.ReplyDelta("Let me see.\n```py"),
        r.ReplyDelta("thon\nb = a"),
    ],
    [
        r.AttemptOpened("w2", "crash"),
        r.StateRestored(1, "sum1", ("a",)),
        reply("b = a + 1", tail=" + 1\n```"),
        r.CellStarted(2, "python"),
        r.CellOutput(2, "work"),
    ],
    [
        r.AttemptOpened("w1", "crash"),
        r.CellInterrupted(2, "death", "the worker died"),
        r.StateRestored(1, "sum1", ("a",), {"f": "open file"}),
        r.CellReplayed(2, ("out.csv",)),
        *cell(2, "2"),
        r.NoteAdded("f is missing"),
        r.AttemptClosed("drained"),
    ],
    [
        r.AttemptOpened("w2", "drain"),
        r.TurnWaiting("the model server is away"),
        r.TurnWaiting("the model server is away", 0.5),
        r.ReplyDelta("  "),
        r.ReplyDiscarded("it was blank so far"),
        reply("import os; os.abort()"),
        r.CellStarted(3, "python"),
        r.CellInterrupted(3, "strike", "the kernel was aborted"),
        r.CellReplayed(3),
        r.CellStarted(3, "python"),
        r.CellInterrupted(3, "strike", "the kernel was aborted"),
        r.CellFinished(3, "killed", "stopped: the kernel was aborted", checkpoint="sum2"),
        reply(None, "The sum is 2."),
        r.SessionFinished(4, 2, 12.0),
        r.AttemptClosed("finished"),
    ],
    [
        r.AttemptOpened("w1", "message"),
        r.UserMessage("now a chart", "job-2"),
        reply("plot()"),
        *cell(4, "", checkpoint=""),
        r.StateSaved(4, "sum4"),
        reply(None, "Done."),
        r.SessionFinished(6, 3, 20.0),
        r.AttemptClosed("finished"),
    ],
)


def pending(number: int, output: str = "") -> list[r.Body]:
    """A cell whose state is not durable when its output goes to the model."""
    return [r.CellStarted(number, "python"), r.CellFinished(number, "ok", output)]


def again(number: int, files: tuple[str, ...] = ()) -> list[r.Body]:
    """A cell that is run again for its state, up to the end of its code."""
    return [r.CellReplayed(number, files), r.CellStarted(number, "python"), r.CellOutput(number, "again")]


#: A session whose saves took their time: durable while the model thought, failed, cut off in a reply and before a cell.
UNHURRIED = build(
    [
        opened(),
        r.AttemptOpened("w1", "first"),
        reply("a = 1"),
        *pending(1, "1"),
        r.ReplyDelta("Let me"),
        r.StateSaved(1, "sum1", {"f": "open file"}),
        reply("b = 2", tail=" see.\n```python\nb = 2\n```"),
        *pending(2, "2"),
        r.StateSaved(2, "", error="no space left on the disk"),
        reply("c = now()"),
        *pending(3, "10:00"),
        r.TurnWaiting("the model server is away"),
        r.TurnWaiting("the model server is away", 0.5),
        r.ReplyDelta("It is ten"),
    ],
    [
        r.AttemptOpened("w2", "crash"),
        r.CellInterrupted(3, "death", "the worker died"),
        r.StateRestored(1, "sum1", ("a",), {"the variables of cell 2": "no space left on the disk"}),
        *again(3, ("out.csv",)),
    ],
    [
        r.AttemptOpened("w1", "crash"),
        r.CellInterrupted(3, "death", "the worker died"),
        r.StateRestored(1, "sum1", ("a",), {"the variables of cell 2": "no space left on the disk"}),
        *again(3),
        r.StateSaved(3, "sum3", output="10:05"),
        r.ReplyDiscarded("the output of cell 3 was different"),
        r.NoteAdded("cell 2 is lost", "missing"),
        r.NoteAdded("cell 3 said 10:05", "output"),
        reply("d = 4"),
        *pending(4, "4"),
        reply("e = 5"),
    ],
    [
        r.AttemptOpened("w2", "crash"),
        r.CellInterrupted(4, "death", "the worker died"),
        r.StateRestored(3, "sum3", ("a", "c")),
        *again(4),
        r.CellInterrupted(4, "strike", "it was killed by SIGSEGV"),
        r.StateRestored(3, "sum3", ("a", "c")),
        *again(4),
        r.StateSaved(4, "sum4"),
        *cell(5, "5", checkpoint="sum5"),
        reply("f = 6"),
        *pending(6, "6"),
        reply(None, "All done."),
        r.CellInterrupted(6, "drain", "the worker was asked to stop"),
        r.AttemptClosed("drained"),
    ],
    [
        r.AttemptOpened("w1", "drain"),
        r.StateRestored(5, "sum5", ("a", "c", "d", "e")),
        *again(6),
        r.StateSaved(6, "sum6", output="six"),
        r.SessionFinished(7, 6, 30.0),
        r.AttemptClosed("finished"),
    ],
    [
        r.AttemptOpened("w1", "message"),
        r.UserMessage("and now?", "job-2"),
        r.NoteAdded("cell 6 said six", "output"),
        reply(None, "Nothing more."),
        r.SessionFinished(8, 6, 31.0),
        r.AttemptClosed("finished"),
    ],
)
