"""What a log says of the kernel's variables: which checkpoints there are, and which cell's state is still in question.

Pure, a part of the projection. At most one cell is ever in question (`pending`): it has finished, its output is in the
conversation, and no record says yet that its state is durable or lost. The conversation goes on meanwhile, so where
the log ends (`At`) says nothing of it; the next cell waits.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from . import records as r

#: Deaths of the worker in a row, on one cell, that count as a strike: the cell may be what kills it, and nobody saw it.
DEATHS_PER_STRIKE = 5
#: Checkpoints that a restore may try, one after the other; the kernel keeps the files of as many.
CHECKPOINTS = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The variables as of the end of cell `cell`; `digest` is that of its manifest, `missing` the names it lacks."""

    cell: int
    digest: str
    missing: dict[str, str]
    #: The cells that ran since the checkpoint before it, `cell` among them.
    cells: tuple[int, ...]


@dataclass(slots=True)
class Interruptions:
    """How often a cell was cut off, by kind; `deaths` counts those in a row since the last strike, of which five in a
    row are one. `cause` and `by` are those of the last time."""

    strikes: int = 0
    deaths: int = 0
    drains: int = 0
    cause: str = ""
    by: str = ""
    #: The session was over, and a message came: it is for the model to say what becomes of the cell.
    superseded: bool = False

    def add(self, body: r.CellInterrupted) -> bool:
        """Count one more; whether it is a strike."""
        self.cause, self.by = body.cause, body.by
        self.deaths += body.kind == "death"
        self.drains += body.kind == "drain"
        is_strike = body.kind == "strike" or self.deaths == DEATHS_PER_STRIKE
        if is_strike:
            self.strikes, self.deaths = self.strikes + 1, 0
        return is_strike


@dataclass(slots=True)
class Pending:
    """A finished cell whose state is not durable; `output` is what it said, as the model sees it."""

    cell: int
    output: str
    artifacts: tuple[r.Artifact, ...]
    started: r.CellStarted
    #: Its kernel lives and saves it: true until the log says that the save was cut off, or that its attempt is over.
    saving: bool = True
    #: It was started again, for its state.
    again: bool = False
    #: True from cell.interrupted until it starts again.
    interrupted: bool = False
    interruptions: Interruptions = field(default_factory=Interruptions)


@dataclass(slots=True)
class Variables:
    """The state of the variables after some prefix of the log. `add` is its only mutator."""

    #: The newest checkpoints, oldest first, `CHECKPOINTS` at most.
    checkpoints: list[Checkpoint] = field(default_factory=list)
    #: Cells after the newest checkpoint whose variables could not be saved at all, with the reason.
    unsaved: dict[int, str] = field(default_factory=dict)
    pending: Pending | None = None
    #: How the newest cell was started.
    started: r.CellStarted | None = None
    #: Cells that ran to their end since the newest checkpoint.
    ran: list[int] = field(default_factory=list)
    #: What a restore could not bring back and the model has not been told of.
    untold_missing: dict[str, str] = field(default_factory=dict)
    #: What cells printed when run again for their state, if it was something else and the model does not know it.
    untold_outputs: dict[int, str] = field(default_factory=dict)

    def add(self, body: r.Body) -> None:
        """Go on by one record's body."""
        match body:
            case r.AttemptClosed() if self.pending:
                self.pending.saving = False
            case r.AttemptOpened() if self.pending:
                self.pending.saving = False
                if body.why == "message":
                    self.pending.interruptions.superseded = self.pending.again
                elif body.why in ("retry", "requeue"):
                    self.pending.interruptions = Interruptions()
            case r.CellStarted() if self.pending and self.is_pending(body.cell):
                self.pending.again, self.pending.saving, self.pending.interrupted = True, False, False
            case r.CellStarted():
                self.started = body
            case r.CellInterrupted() if self.pending and self.is_pending(body.cell):
                self.pending.saving, self.pending.interrupted = False, True
                self.pending.interruptions.add(body)
            case r.CellFinished():
                self._finished(body)
            case r.StateSaved():
                self.pending = None
                if body.error:
                    self.unsaved[body.cell] = body.error
                else:
                    self._saved(body.cell, body.checkpoint, body.missing)
                if body.output is not None:
                    self.untold_outputs[body.cell] = body.output
            case r.StateRestored():
                kept = {name: why for name, why in self.untold_missing.items() if name not in body.restored}
                self.untold_missing = kept | body.missing
            case r.NoteAdded(about="missing"):
                self.untold_missing = {}
            case r.NoteAdded(about="output"):
                self.untold_outputs = {}
            case _:
                pass

    def is_pending(self, cell: int) -> bool:
        """Whether the state of this cell is in question."""
        return self.pending is not None and self.pending.cell == cell

    def _finished(self, body: r.CellFinished) -> None:
        ran = body.status not in ("killed", "declined")
        if ran:
            self.ran.append(body.cell)
        if body.checkpoint:
            self._saved(body.cell, body.checkpoint, body.missing)
        elif body.state_error:
            self.unsaved[body.cell] = body.state_error
        elif ran and self.started is not None:
            self.pending = Pending(body.cell, body.output, body.artifacts, self.started)

    def _saved(self, cell: int, digest: str, missing: dict[str, str]) -> None:
        self.checkpoints.append(Checkpoint(cell, digest, dict(missing), tuple(self.ran)))
        del self.checkpoints[:-CHECKPOINTS]
        self.ran, self.unsaved = [], {}
