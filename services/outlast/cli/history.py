"""What happened in a session, for people: a fold of its log. Pure: no I/O, no clock.

`project` answers what comes next; this answers what was: which attempts there were and why, what each cell did,
how often it ran, and what a recovery cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ..log import records as r
from ..log.plan import CELL_STRIKES
from ..log.project import Projection

#: Characters of a running cell's live output that are kept.
LIVE_CHARS = 4000


@dataclass(frozen=True, slots=True)
class Interruption:
    """A cell was cut off, by a `kind` of end (death, drain, strike), for a `cause`, in one word `by`.

    `strike`: which of the `of` that a cell may have, after which the model is told; 0 if it was none.
    """

    kind: str
    by: str
    cause: str
    attempt: int
    at: float
    strike: int = 0
    of: int = CELL_STRIKES


@dataclass(slots=True)
class CellHistory:
    """One cell. `status`: asked (not started yet), running, interrupted, ok, error, timeout, killed."""

    number: int
    language: str
    code: str
    attempt: int
    status: str = "asked"
    runs: int = 0
    #: Runs that began after the cell had ended, only to rebuild its variables; included in `runs`.
    runs_for_state: int = 0
    deaths: int = 0
    drains: int = 0
    strikes: int = 0
    #: Of these, those that came after it had ended, before its variables were saved.
    cut_off_saves: int = 0
    interruptions: list[Interruption] = field(default_factory=list)
    started_at: float = 0.0
    seconds: float = 0.0
    output: str = ""
    #: What it said when it ran again for its state, if that was something else; the model keeps `output`.
    second_output: str | None = None
    artifacts: tuple[r.Artifact, ...] = ()
    checkpoint: str = ""
    missing: dict[str, str] = field(default_factory=dict)
    state_error: str = ""
    changed_files: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """Its code ran to its end, and the end is logged."""
        return self.status in ("ok", "error", "timeout")

    @property
    def pending(self) -> bool:
        """It has ended, and its variables are neither saved nor given up: not completed, a kill makes it run again."""
        return self.ended and not (self.checkpoint or self.state_error)


@dataclass(slots=True)
class AttemptHistory:
    """One worker's hold. `gap` is the seconds between the log's record before it and its opening."""

    number: int
    worker: str
    why: str
    job: str
    host: str
    opened_at: float
    gap: float
    #: Completed cells that it found and did not run again.
    kept_cells: int = 0
    restored: r.StateRestored | None = None
    #: Cells that it ran again.
    reran: list[int] = field(default_factory=list)
    #: Characters of a half-finished reply that it found.
    partial_chars: int = 0
    continued: bool = False
    last_at: float = 0.0
    closed: r.AttemptClosed | None = None

    @property
    def recovery(self) -> bool:
        """Whether it took over from an attempt that was cut off."""
        return self.why in ("crash", "drain", "requeue")


@dataclass(slots=True)
class History:
    """A session so far; `add` is its only mutator."""

    session: str
    now: Projection = field(default_factory=Projection)
    attempts: list[AttemptHistory] = field(default_factory=list)
    cells: list[CellHistory] = field(default_factory=list)
    finished: r.SessionFinished | None = None
    notes: list[str] = field(default_factory=list)
    refused: list[r.RequestRefused] = field(default_factory=list)
    #: Why the turn waits, while it does: from the record without a length to the one that has it.
    waiting: str = ""
    opened_at: float = 0.0
    changed_at: float = 0.0
    records: int = 0

    def add(self, record: r.Record) -> None:
        """Go on by one record; ValueError for a type that this version does not know."""
        body = record.body
        partial, before = self.now.partial, self.changed_at
        self.now.add(record)
        self.records += 1
        self.changed_at = record.at
        if not isinstance(body, r.TurnWaiting):
            self.waiting = ""
        match body:
            case r.SessionOpened():
                self.opened_at = record.at
            case r.AttemptOpened():
                self.finished = None
                done = sum(cell.ended for cell in self.cells)
                self.attempts.append(
                    AttemptHistory(
                        record.id.attempt, body.worker, body.why, body.job, body.host, record.at,
                        max(0.0, record.at - before), done, partial_chars=len(partial),
                    )
                )  # fmt: skip
            case r.AttemptClosed():
                self._attempt.closed = body
            case r.TurnWaiting():
                if not body.seconds:
                    self.waiting = body.why
                elif self.waiting == body.why:
                    self.waiting = ""
            case r.ReplyDelta() | r.ReplyDiscarded() | r.ReplyFinished():
                self._reply(record, body, partial)
            case r.StateRestored():
                self._attempt.restored = body
            case r.NoteAdded():
                self.notes.append(body.text)
            case r.RequestRefused():
                self.refused.append(body)
            case r.SessionFinished():
                self.finished = body
            case _:
                self._cell(record, body)
        if self.attempts:
            self._attempt.last_at = record.at

    def _reply(self, record: r.Record, body: r.Body, partial: str) -> None:
        attempt = self._attempt
        # What follows an unfinished reply in a new attempt either goes on with it or discards it.
        if attempt.partial_chars and isinstance(body, r.ReplyDelta | r.ReplyFinished) and partial:
            attempt.continued = True
        if isinstance(body, r.ReplyFinished) and body.cell:
            language, code = self.now.code
            self.cells.append(CellHistory(self.now.cell, language, code, record.id.attempt))

    def _cell(self, record: r.Record, body: r.Body) -> None:
        number = getattr(body, "cell", 0)
        cell = self.cells[number - 1] if 0 < number <= len(self.cells) else None
        if cell is None:
            return
        match body:
            case r.CellStarted():
                cell.runs += 1
                cell.attempt, cell.started_at = record.id.attempt, record.at
                if cell.ended:
                    cell.runs_for_state += cell.pending
                else:
                    cell.status, cell.output = "running", ""
                if cell.runs > 1:
                    self._attempt.reran.append(number)
            case r.CellOutput() if not cell.ended:
                cell.output = (cell.output + body.text)[-LIVE_CHARS:]
            case r.CellInterrupted():
                cell.deaths += body.kind == "death"
                cell.drains += body.kind == "drain"
                cell.strikes += body.kind == "strike"
                cell.cut_off_saves += cell.ended
                count = self.now.interruptions_of(number)
                # The fifth death in a row is a strike, and begins to count anew.
                strike = count.strikes if body.kind != "drain" and not count.deaths else 0
                cell.interruptions.append(
                    Interruption(body.kind, body.by, body.cause, record.id.attempt, record.at, strike)
                )
                if not cell.ended:
                    cell.status = "interrupted"
            case r.CellReplayed():
                cell.changed_files = body.files
            case r.CellFinished():
                cell.status, cell.output, cell.seconds = body.status, body.output, body.seconds
                cell.artifacts, cell.missing = body.artifacts, dict(body.missing)
                cell.checkpoint, cell.state_error = body.checkpoint, body.state_error
            case r.StateSaved():
                cell.checkpoint, cell.missing, cell.state_error = body.checkpoint, dict(body.missing), body.error
                cell.second_output = body.output
            case _:
                pass

    @property
    def _attempt(self) -> AttemptHistory:
        return self.attempts[-1]

    @property
    def state(self) -> str:
        """empty, running, waiting, finished, failed, drained or crashed, as far as the log alone can tell."""
        if not self.attempts:
            return "empty"
        if self.now.open:
            return "waiting" if self.waiting else "running"
        return self.now.closed.how if self.now.closed else "running"

    @property
    def reason(self) -> str:
        """Why the newest attempt closed, if it said so."""
        return self.now.closed.reason if self.now.closed else ""

    @property
    def recoveries(self) -> list[AttemptHistory]:
        """The attempts that took over from one that was cut off."""
        return [attempt for attempt in self.attempts if attempt.recovery]

    @property
    def ran_twice(self) -> list[int]:
        """Completed cells that ran again although nothing in the log calls for it. Empty, or Outlast is broken."""
        return [
            cell.number
            for cell in self.cells
            if cell.runs - cell.runs_for_state > 1 + cell.deaths + cell.drains + cell.strikes - cell.cut_off_saves
        ]


def history(session: str, log: Iterable[r.Record]) -> History:
    """The history of a whole log."""
    result = History(session)
    for record in log:
        result.add(record)
    return result
