"""One record of a log as one line for people."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..log import records as r
from .text import duration, last_line, one_line, plural, size

#: How a state or status is coloured, here and in the tables.
STYLES = {
    "finished": "green", "ok": "green", "running": "cyan", "waiting": "yellow", "queued": "blue", "drained": "yellow",
    "failed": "bold red", "refused": "red", "error": "red", "timeout": "red", "killed": "bold red",
    "interrupted": "bold red", "crashed": "bold red", "death": "bold red", "strike": "bold red", "crash": "bold red",
    "asked": "dim",
}  # fmt: skip

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Line:
    """`text` is printable; `style` is a rich style, empty for none."""

    text: str
    style: str = ""


def line(record: r.Record) -> Line:
    """What `record` says; a type from a newer Outlast is shown as it is stored."""
    try:
        body = record.body
    except (ValueError, TypeError, AttributeError, KeyError):
        return Line(f"(not known to this version) {one_line(record.raw, WIDTH)}", "dim")
    return _cell(body) or _reply(body) or _session(body)


def clock(at: float) -> str:
    """Local time of day with milliseconds."""
    return time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 1000):03d}"


def _session(body: r.Body) -> Line:
    match body:
        case r.SessionOpened():
            options = " ".join(f"{name}={value}" for name, value in body.options.items())
            return Line(one_line(body.prompt, WIDTH) + (f" · {one_line(options, WIDTH)}" if options else ""), "bold")
        case r.AttemptOpened():
            return Line(f"{body.why} · worker {one_line(body.worker)}", STYLES.get(body.why, "cyan"))
        case r.AttemptClosed():
            reason = f" · {one_line(body.reason, WIDTH)}" if body.reason else ""
            return Line(body.how + reason, STYLES.get(body.how, ""))
        case r.SessionFinished():
            done = f"{plural(body.turns, 'turn')}, {plural(body.cells, 'cell')} in {duration(body.seconds)}"
            return Line(done, "bold green")
        case r.UserMessage():
            return Line(f"{one_line(body.text, WIDTH)} · from {one_line(body.source)}", "bold")
        case r.TurnWaiting():
            # A record when a wait begins, and one with its length when it is over.
            lasted = f" · {duration(body.seconds)}" if body.seconds else ""
            return Line(one_line(body.why, WIDTH) + lasted, "yellow")
        case r.NoteAdded():
            return Line(one_line(body.text, WIDTH), "magenta")
        case r.RequestRefused():
            return Line(f"{one_line(body.source)}: {one_line(body.reason, 2 * WIDTH)}", "red")
        case r.ContextShortened():
            dropped = f", first {plural(body.dropped_turns, 'turn')} left out" if body.dropped_turns else ""
            kept = f"outputs through cell {body.outputs_through} cut to {body.output_chars} characters"
            return Line(kept + dropped, "yellow")
        case r.ApprovalRequested():
            return Line(f"cell {body.cell}", "yellow")
        case r.ApprovalGiven():
            return Line(f"cell {body.cell} {body.verdict} by {one_line(body.source)}")
        case _:
            return Line("")


def _reply(body: r.Body) -> Line | None:
    match body:
        case r.ReplyDelta():
            return Line(f"+{len(body.text)} characters: {one_line(body.text, WIDTH)}", "dim")
        case r.ReplyDiscarded():
            return Line(one_line(body.why, WIDTH), "yellow")
        case r.ReplyFinished():
            what = f"asks for a {one_line(body.cell.language)} cell" if body.cell else "answers"
            tokens = f", {body.completion_tokens} tokens" if body.completion_tokens is not None else ""
            return Line(f"{what} after {duration(body.seconds)}{tokens}")
        case _:
            return None


def _cell(body: r.Body) -> Line | None:
    match body:
        case r.CellStarted():
            return Line(f"cell {body.cell} · {one_line(body.language)}", "cyan")
        case r.CellOutput():
            return Line(f"cell {body.cell} | {last_line(body.text, WIDTH)}", "dim")
        case r.CellFinished():
            artifacts = "".join(f" · {one_line(item.path)} ({size(item.size)})" for item in body.artifacts)
            lost = f" · not saved: {one_line(', '.join(body.missing))}" if body.missing else ""
            state = f" · state lost: {one_line(body.state_error)}" if body.state_error else ""
            said = last_line(body.output, WIDTH)
            head = f"cell {body.cell} {body.status} in {duration(body.seconds)}"
            return Line(head + (f" | {said}" if said else "") + artifacts + lost + state, STYLES.get(body.status, ""))
        case r.StateSaved():
            lost = f" · not saved: {one_line(', '.join(body.missing))}" if body.missing else ""
            state = f" · state lost: {one_line(body.error)}" if body.error else ""
            other = f" · printed else: {last_line(body.output, WIDTH)}" if body.output is not None else ""
            return Line(f"cell {body.cell}{lost}{state}{other}", "red" if body.error else "green")
        case r.CellInterrupted():
            by = f" ({one_line(body.by)})" if body.by else ""
            what = f"cell {body.cell} · {body.kind}{by} · {one_line(body.cause, WIDTH)}"
            return Line(what, STYLES.get(body.kind, "yellow"))
        case r.CellReplayed():
            files = f" · it had changed {one_line(', '.join(body.files))}" if body.files else ""
            return Line(f"cell {body.cell} runs again{files}", "yellow")
        case r.StateRestored():
            names = one_line(", ".join(body.restored), WIDTH)
            lost = f" · not restored: {one_line(', '.join(body.missing))}" if body.missing else ""
            back = f"as of cell {body.cell} in {duration(body.seconds)}: {names or 'no variables'}{lost}"
            return Line(back, "green")
        case _:
            return None
