"""What a log says: the conversation, and where it stands. Pure: no I/O, no clock, no Open Interpreter.

`project(records)` is a fold, so every prefix of a log has a projection and `Projection.add` gives the next
one at the cost of one record. Two views of the conversation come out of it:

- `messages`: Open Interpreter's own format, for its loop;
- `wire`: what the model server is sent. Made here and not by Open Interpreter, whose conversion joins, strips
  and closes text differently from turn to turn. A reply's wire form is its raw text, so the wire messages of a
  log are a prefix of those of every longer log, unless a `context.shortened` record lies between.

Where the log ends is `at`, and what there is of the kernel's variables is `variables`; `plan` turns both into what to
do next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from . import records as r
from .variables import Interruptions, Variables

#: What stands for the turns that `context.shortened` left out.
DROPPED = "[The first {turns} turns of this conversation were left out to fit the model's window.]"
#: What stands for the middle of an output that `context.shortened` cut.
CUT = "\n[… {count} characters of this output were left out to fit the model's window …]\n"


class At(StrEnum):
    """Where a log ends. Whether the state of the cell before is durable is another matter (`Variables.pending`)."""

    EMPTY = "empty"  # no session yet
    TURN = "turn"  # the model is to be asked
    PARTIAL = "partial"  # a reply has begun and not ended
    CELL = "cell"  # a reply has ended with a cell that did not start
    RUNNING = "running"  # a cell started and did not finish
    ANSWERED = "answered"  # the last reply has no cell: nothing left to do


@dataclass(frozen=True, slots=True)
class Said:
    """One entry of the conversation. `kind`: user, reply, output, note. `cell` is set for replies and outputs."""

    kind: str
    text: str
    cell: r.Cell | None = None
    number: int = 0


@dataclass(slots=True)
class Projection:
    """The state of a session after some prefix of its log. `add` is its only mutator."""

    opened: r.SessionOpened | None = None
    at: At = At.EMPTY
    attempt: int = 0
    #: True between attempt.opened and attempt.closed.
    open: bool = False
    closed: r.AttemptClosed | None = None
    said: list[Said] = field(default_factory=list)
    #: Text of the reply that has begun and not ended.
    partial: str = ""
    #: Number of the newest cell; cells count from 1 over the whole session.
    cell: int = 0
    #: When the newest run of a cell started, seconds since the epoch.
    cell_started_at: float = 0.0
    #: True from cell.interrupted until the newest cell starts again.
    interrupted: bool = False
    #: Those of the newest cell, before it finished.
    interruptions: Interruptions = field(default_factory=Interruptions)
    #: Replies since the newest message of the user (or retry), for the limit on turns.
    turns: int = 0
    total_turns: int = 0
    #: Cells whose code ran to its end, whatever it said.
    completed: int = 0
    #: Strikes since the session opened or was retried.
    strikes: int = 0
    variables: Variables = field(default_factory=Variables)
    #: Where messages of the inbox that are in the log came from.
    sources: set[str] = field(default_factory=set)
    shortened: r.ContextShortened | None = None
    #: Tokens of the conversation as the server counted them at the newest reply, and how much was said by then.
    counted_tokens: int | None = None
    counted_said: int = 0
    #: Seconds of running time, waits excluded.
    seconds: float = 0.0
    #: Of these, those before the session, having been over, was asked to go on; `max_seconds` counts from there.
    seconds_before: float = 0.0
    #: Attempts in a row that ended by an internal error without any progress.
    errors: int = 0
    last_error: str = ""
    _last_at: float = 0.0

    def add(self, record: r.Record) -> None:
        """Go on by one record."""
        body = record.body
        if self.open and not isinstance(body, r.AttemptOpened):
            # After a death, how long the last step ran on is not known; how long nobody was there does not count.
            self.seconds += max(0.0, record.at - self._last_at)
        self._last_at = record.at
        match body:
            case r.SessionOpened():
                self.opened, self.at = body, At.TURN
                self._say(Said("user", body.prompt))
            case r.AttemptOpened():
                self.attempt, self.open, self.closed = record.id.attempt, True, None
                if body.why in ("message", "retry", "requeue"):
                    self.seconds_before = self.seconds
                    self.interruptions.superseded = self.at is At.RUNNING
                if body.why in ("retry", "requeue"):
                    self.strikes = self.turns = 0
                    self.interruptions = Interruptions()
            case r.AttemptClosed():
                self.open, self.closed = False, body
                self.errors = self.errors + 1 if body.how == "crashed" else 0
                self.last_error = body.reason if body.how == "crashed" else ""
            case r.UserMessage():
                self._say(Said("user", body.text))
                self.sources.add(body.source)
                self.turns, self.at = 0, At.TURN
            case r.NoteAdded():
                self._say(Said("note", body.text))
                self.at = At.TURN if self.at is At.ANSWERED else self.at
            case r.TurnWaiting():
                self.seconds = max(0.0, self.seconds - body.seconds)
            case r.ContextShortened():
                self.shortened, self.counted_tokens = body, None
            case r.ReplyDelta() | r.ReplyDiscarded() | r.ReplyFinished():
                self._reply(body)
            case r.CellStarted() | r.CellFinished() | r.CellInterrupted():
                self._cell(record.at, body)
            case _:
                pass
        self.variables.add(body)

    def _say(self, said: Said) -> None:
        self.said.append(said)

    def _reply(self, body: r.Body) -> None:
        match body:
            case r.ReplyDelta():
                self.partial += body.text
                self.at = At.PARTIAL
            case r.ReplyDiscarded():
                self.partial, self.at = "", At.TURN
            case r.ReplyFinished():
                self.turns += 1
                self.total_turns += 1
                self.errors = 0
                if body.cell:
                    self.cell += 1
                    self.interruptions, self.interrupted = Interruptions(), False
                self._say(Said("reply", self.partial + body.text, body.cell, self.cell if body.cell else 0))
                self.partial = ""
                if body.cell:
                    self.at = At.CELL
                else:
                    # A reply that was cut at its limit is not an answer: the model is told, and asked again.
                    self.at = At.TURN if body.finish_reason == "length" else At.ANSWERED
                if body.prompt_tokens is not None and body.completion_tokens is not None:
                    self.counted_tokens = body.prompt_tokens + body.completion_tokens
                    self.counted_said = len(self.said)

    def _cell(self, at: float, body: r.CellStarted | r.CellFinished | r.CellInterrupted) -> None:
        # A finished cell that is run again for its state changes nothing of where the conversation is.
        again = self.variables.is_pending(body.cell)
        match body:
            case r.CellStarted():
                self.cell_started_at = at
                if not again:
                    self.at, self.interrupted = At.RUNNING, False
            case r.CellInterrupted() if again:
                self.strikes += body.kind == "strike"
            case r.CellInterrupted():
                self.interrupted = True
                self.strikes += self.interruptions.add(body)
            case r.CellFinished():
                self._say(Said("output", body.output, number=body.cell))
                self.errors = 0
                self.completed += body.status not in ("killed", "declined")
                self.at = At.TURN

    def interruptions_of(self, cell: int) -> Interruptions:
        """Those of the newest cell: before it finished, or, while its state is in question, those since."""
        pending = self.variables.pending
        return pending.interruptions if pending is not None and pending.cell == cell else self.interruptions

    @property
    def code(self) -> tuple[str, str]:
        """Language and code of the newest cell; LookupError if there is none."""
        return self.code_of(self.cell)

    def code_of(self, number: int) -> tuple[str, str]:
        """Language and code of a cell; LookupError if there is none of that number."""
        for said in reversed(self.said):
            if said.kind == "reply" and said.cell and said.number == number:
                return said.cell.language, said.text[said.cell.start : said.cell.end]
        raise LookupError(f"the conversation has no cell {number}")

    @property
    def pending_code(self) -> tuple[str, str]:
        """Language and code of the cell whose state is in question, as they ran; LookupError if there is none."""
        pending = self.variables.pending
        if pending is None:
            raise LookupError("no cell's state is in question")
        code = pending.started.code
        return pending.started.language, self.code_of(pending.cell)[1] if code is None else code

    @property
    def answer(self) -> str:
        """The newest reply's text; empty if there is none."""
        return next((said.text for said in reversed(self.said) if said.kind == "reply"), "")

    def messages(self) -> list[dict[str, Any]]:
        """The conversation in Open Interpreter's format; a fresh list of fresh dicts (its loop edits them)."""
        result: list[dict[str, Any]] = []
        for said in self.said:
            result.extend(_interpreter_messages(said))
        return result

    def wire(self) -> list[dict[str, str]]:
        """The conversation as the model server gets it, system message first, without a half-finished reply."""
        if self.opened is None:
            return []
        return render(self.opened, self.said, self.shortened)


def project(log: Iterable[r.Record]) -> Projection:
    """The state after all of `log`."""
    projection = Projection()
    for record in log:
        projection.add(record)
    return projection


def render(opened: r.SessionOpened, said: list[Said], shortened: r.ContextShortened | None) -> list[dict[str, str]]:
    """The wire messages of a conversation under a shortening."""
    wire = [{"role": "system", "content": opened.system_message}] if opened.system_message else []
    dropping = shortened.dropped_turns if shortened else 0
    turn = 0
    for index, item in enumerate(said):
        turn += item.kind == "reply"
        # The user's own words are short and matter to the end: only replies, outputs and notes are left out.
        if turn and turn <= dropping and item.kind != "user":
            if turn == 1 and item.kind == "reply":
                wire.append({"role": "user", "content": DROPPED.format(turns=dropping)})
            continue
        if item.kind == "reply":
            wire.append({"role": "assistant", "content": item.text})
        elif item.kind == "output":
            wire.append({"role": "user", "content": _output_content(opened, item, shortened)})
        else:
            wire.append({"role": "user", "content": said[index].text})
    return wire


def _output_content(opened: r.SessionOpened, item: Said, shortened: r.ContextShortened | None) -> str:
    text = item.text
    if shortened and item.number <= shortened.outputs_through:
        text = cut(text, shortened.output_chars)
    return opened.output_template.replace("{content}", text) if text else opened.empty_output_template


def cut(text: str, limit: int) -> str:
    """Head and tail of `text`, `limit` characters of it, with a sentence between; unchanged if that is no shorter."""
    marker = CUT.format(count=len(text) - limit)
    if len(text) <= limit + len(marker):
        return text
    head = limit // 2
    return text[:head] + marker + text[len(text) - (limit - head) :]


def _interpreter_messages(said: Said) -> list[dict[str, Any]]:
    if said.kind == "output":
        return [{"role": "computer", "type": "console", "format": "output", "content": said.text}]
    if said.kind != "reply":
        return [{"role": "user", "type": "message", "content": said.text}]
    if said.cell is None:
        return [{"role": "assistant", "type": "message", "content": said.text}]
    # The opening fence is the line before the code.
    prose = said.text[: said.text.rfind("\n", 0, max(said.cell.start - 1, 0)) + 1]
    source = said.text[said.cell.start : said.cell.end]
    code = {"role": "assistant", "type": "code", "format": said.cell.language, "content": source}
    return ([{"role": "assistant", "type": "message", "content": prose}] if prose else []) + [code]
