"""The records of a session's log: data only, no behaviour, nothing of ours imported.

A log is a Redis Stream (`outlast:{<session>}:log`). The id of a record is `<attempt>-<sequence>`; Redis
refuses an id that is not greater than the last, which is what fences an old attempt. Attempt 0 has one
record, `0-1`, the session's opening; attempt n opens with `n-0`.

Each record carries the SHA-256 of the record before it (`prev`; 64 zeros for the first), taken over the
id, type, version, time and body exactly as stored, so that any copy of the log can be verified offline.

A body is a frozen dataclass. `TYPE` names it for ever; `VERSION` rises when its fields change meaning.
Decoding ignores unknown fields and fills missing ones with their defaults, so an older Outlast can read a
newer log as long as the version is the same.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, Self

#: `prev` of the first record of a log.
GENESIS = "0" * 64


class RecordId(NamedTuple):
    """`<attempt>-<sequence>`, ordered as Redis orders stream ids."""

    attempt: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.attempt}-{self.sequence}"

    @classmethod
    def parse(cls, text: str | bytes) -> Self:
        """Read `b"2-17"`; ValueError for anything else."""
        plain = text.decode("ascii") if isinstance(text, bytes) else text
        attempt, _, sequence = plain.partition("-")
        return cls(int(attempt), int(sequence))


@dataclass(frozen=True, slots=True)
class Body:
    """What a record says. Subclasses are listed in `BODIES` by their `TYPE`."""

    TYPE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file in the workspace: `path` is relative to it, `size` in bytes, `sha256` in hex, `kind` a MIME type."""

    path: str
    size: int
    sha256: str
    kind: str


@dataclass(frozen=True, slots=True)
class SessionOpened(Body):
    """The request, and everything about the conversation that must survive an upgrade unchanged."""

    TYPE: ClassVar[str] = "session.opened"

    prompt: str
    #: Options given with the job, after validation (`model`, `max_tokens`, `on_interrupt`, `files`, …).
    options: dict[str, Any] = field(default_factory=dict)
    #: The system message exactly as every request of this session sends it.
    system_message: str = ""
    #: How a cell's output is put to the model; `{content}` is replaced by the output.
    output_template: str = "{content}"
    #: What the model is told when a cell printed nothing.
    empty_output_template: str = ""
    #: Seconds of running time that all attempts together may use, waits excluded; None is no limit.
    max_seconds: float | None = None
    #: The queue the request came through, for a requeue.
    queue: str = "default"
    #: Versions of outlast, rq, open-interpreter, python.
    versions: dict[str, str] = field(default_factory=dict)
    #: The user id that owns the session's processes and files.
    uid: int = 0


@dataclass(frozen=True, slots=True)
class AttemptOpened(Body):
    """`why` is one of first, crash, drain, message, approval, retry, requeue."""

    TYPE: ClassVar[str] = "attempt.opened"

    worker: str
    why: str
    #: The job that this attempt works for (the session's own, or a chat's).
    job: str = ""
    host: str = ""


@dataclass(frozen=True, slots=True)
class UserMessage(Body):
    """A message of the user after the prompt; `source` is the id of the job that brought it."""

    TYPE: ClassVar[str] = "user.message"

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class TurnWaiting(Body):
    """The turn waits for the model server (or the kernel's lock), or has waited for Redis; `why` says what for."""

    TYPE: ClassVar[str] = "turn.waiting"

    why: str
    #: How long the wait was that is over; 0: it begins. Waits do not count towards `max_seconds`.
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ReplyDelta(Body):
    """The text of the reply that came since the last delta, without a character lost or added."""

    TYPE: ClassVar[str] = "reply.delta"

    text: str


@dataclass(frozen=True, slots=True)
class ReplyDiscarded(Body):
    """The deltas since the last finished reply are not part of the conversation; the model is asked again."""

    TYPE: ClassVar[str] = "reply.discarded"

    why: str


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a reply's cell is: `text[start:end]` of the reply's raw text is the code."""

    language: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ReplyFinished(Body):
    """The rest of the reply. The whole is every delta since the last reply, then `text`.

    Where the cell begins and ends is stored, not parsed anew, so that a better parser changes no old session.
    """

    TYPE: ClassVar[str] = "reply.finished"

    text: str
    cell: Cell | None = None
    #: stop, length, fence (we closed the stream at the end of the first cell).
    finish_reason: str = "stop"
    seconds: float = 0.0
    #: Tokens as the server counted them, where it said.
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class CellStarted(Body):
    """The code of the last finished reply is about to run. Cells count from 1; a re-run keeps its number."""

    TYPE: ClassVar[str] = "cell.started"

    cell: int
    language: str
    #: What runs, where Open Interpreter took it out of a wrapping: then it is not the reply's cell to the letter.
    code: str | None = None


@dataclass(frozen=True, slots=True)
class CellOutput(Body):
    """Live output, batched and bounded, printable; for people only: the model gets `CellFinished.output`."""

    TYPE: ClassVar[str] = "cell.output"

    cell: int
    text: str


@dataclass(frozen=True, slots=True)
class CellFinished(Body):
    """The commit of a cell, if `checkpoint` is set or `state_error` says that there will be none.

    With neither, the state of a cell that ran is pending: the conversation goes on, the next cell waits for the
    `state.saved` that settles it. `output` is exactly what the model sees, before the session's output template.
    """

    TYPE: ClassVar[str] = "cell.finished"

    cell: int
    #: ok, error (the code raised), timeout (a limit interrupted it), killed (it cost its kernel, or was not run
    #: again), declined (nothing in it was to be run); the last two leave the variables as they were before.
    status: str
    output: str
    artifacts: tuple[Artifact, ...] = ()
    #: SHA-256 of the checkpoint's manifest; "" while it is pending (`StateSaved` follows) or was not made.
    checkpoint: str = ""
    #: Names that could not be saved, with the reason.
    missing: dict[str, str] = field(default_factory=dict)
    #: Why no checkpoint of this cell exists, if none will; its variables are then lost in a crash.
    state_error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StateSaved(Body):
    """Settles a pending cell: by its checkpoint, which took longer than the cell's end, or by `error`."""

    TYPE: ClassVar[str] = "state.saved"

    cell: int
    #: SHA-256 of the checkpoint's manifest; "" if `error` says why there is none after all.
    checkpoint: str
    missing: dict[str, str] = field(default_factory=dict)
    #: As `CellFinished.state_error`: the cell's variables are lost in a crash.
    error: str = ""
    #: What the cell said when it was run again for its state, if that was something else than the first time.
    output: str | None = None


@dataclass(frozen=True, slots=True)
class CellInterrupted(Body):
    """A started cell did not finish, or the state of a finished one did not become durable. `kind`: death (of the
    worker), drain (or another stop that was asked for), strike (the cell's own doing)."""

    TYPE: ClassVar[str] = "cell.interrupted"

    cell: int
    kind: str
    cause: str
    #: The cause in one word, of those in `kernel.causes`; empty where it is nothing that the code could help.
    by: str = ""


@dataclass(frozen=True, slots=True)
class CellReplayed(Body):
    """The cell is about to run again; `files` are those that the run before had changed."""

    TYPE: ClassVar[str] = "cell.replayed"

    cell: int
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateRestored(Body):
    """A new kernel holds the variables of cell `cell` (0: none)."""

    TYPE: ClassVar[str] = "state.restored"

    #: Whose checkpoint it is: an earlier one than the newest if that could not be loaded.
    cell: int
    checkpoint: str
    restored: tuple[str, ...] = ()
    #: Names that did not come back, and later cells none of whose variables did, with the reason.
    missing: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class NoteAdded(Body):
    """A message of Outlast to the model about a recovery, exactly as sent (role user)."""

    TYPE: ClassVar[str] = "note.added"

    text: str
    #: What it tells, so that nothing is told twice: missing (variables), output (of second runs); "" for the rest.
    about: str = ""


@dataclass(frozen=True, slots=True)
class ContextShortened(Body):
    """From here on the conversation is sent shortened; the newest such record counts alone.

    Outputs of cells up to `outputs_through` are cut to `output_chars` characters, and the messages of the
    first `dropped_turns` replies after the prompt are left out. The only record that changes a prefix.
    """

    TYPE: ClassVar[str] = "context.shortened"

    outputs_through: int
    output_chars: int
    dropped_turns: int = 0


@dataclass(frozen=True, slots=True)
class ApprovalRequested(Body):
    """The cell waits until somebody approves it."""

    TYPE: ClassVar[str] = "approval.requested"

    cell: int


@dataclass(frozen=True, slots=True)
class ApprovalGiven(Body):
    """`verdict` is approved or refused."""

    TYPE: ClassVar[str] = "approval.given"

    cell: int
    verdict: str
    source: str


@dataclass(frozen=True, slots=True)
class AttemptClosed(Body):
    """`how` is finished, drained, waiting or failed; `reason` is a sentence for people."""

    TYPE: ClassVar[str] = "attempt.closed"

    how: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SessionFinished(Body):
    """Nothing is left to do until another message comes; `answer` is the last reply's text after its cells."""

    TYPE: ClassVar[str] = "session.finished"

    turns: int
    cells: int
    seconds: float


@dataclass(frozen=True, slots=True)
class RequestRefused(Body):
    """A request for this session that was not carried out, and why; the session is not changed by it."""

    TYPE: ClassVar[str] = "request.refused"

    source: str
    reason: str


#: Every record type by its name.
BODIES: dict[str, type[Body]] = {
    body.TYPE: body
    for body in (
        SessionOpened, AttemptOpened, UserMessage, TurnWaiting, ReplyDelta, ReplyDiscarded, ReplyFinished,
        CellStarted, CellOutput, CellFinished, StateSaved, CellInterrupted, CellReplayed, StateRestored,
        NoteAdded, ContextShortened, ApprovalRequested, ApprovalGiven, AttemptClosed, SessionFinished,
        RequestRefused,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """One entry of the log. `at` is seconds since the epoch by the writer's clock; `raw` is the body's JSON."""

    id: RecordId
    at: float
    prev: str
    type: str
    version: int
    raw: str

    @property
    def body(self) -> Body:
        """The decoded body; ValueError for a type or version that this Outlast does not know."""
        return decode_body(self.type, self.version, self.raw)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over everything stored of this record, `prev` included."""
        text = "\n".join((str(self.id), self.type, str(self.version), repr(self.at), self.prev, self.raw))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def fields(self) -> dict[str, str]:
        """The stream entry's fields."""
        return {
            "type": self.type,
            "v": str(self.version),
            "at": repr(self.at),
            "prev": self.prev,
            "body": self.raw,
        }

    @classmethod
    def from_fields(cls, record_id: RecordId, stored: dict[str, str]) -> Self:
        """The inverse of `fields`; ValueError if one is missing or malformed."""
        try:
            return cls(
                id=record_id,
                at=float(stored["at"]),
                prev=stored["prev"],
                type=stored["type"],
                version=int(stored["v"]),
                raw=stored["body"],
            )
        except KeyError as missing:
            raise ValueError(f"record {record_id} has no field {missing}") from None

    @classmethod
    def make(cls, record_id: RecordId, at: float, prev: str, body: Body) -> Self:
        """A new record around `body`."""
        return cls(record_id, at, prev, body.TYPE, body.VERSION, encode_body(body))


def encode_body(body: Body) -> str:
    """Canonical JSON: sorted keys, no spaces, ASCII (lone surrogates survive)."""
    return json.dumps(asdict(body), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def decode_body(type_name: str, version: int, raw: str) -> Body:
    """The inverse of `encode_body`; ValueError for an unknown type or version."""
    kind = BODIES.get(type_name)
    if kind is None or version != kind.VERSION:
        raise ValueError(f"record type {type_name!r} version {version} is not known to this version of Outlast")
    values = json.loads(raw)
    known = {item.name for item in fields(kind)}
    arguments = {name: value for name, value in values.items() if name in known}
    if arguments.get("cell") is not None and kind is ReplyFinished:
        arguments["cell"] = Cell(**arguments["cell"])
    if "artifacts" in arguments:
        arguments["artifacts"] = tuple(Artifact(**item) for item in arguments["artifacts"])
    for name in ("files", "restored"):
        if name in arguments:
            arguments[name] = tuple(arguments[name])
    return kind(**arguments)
