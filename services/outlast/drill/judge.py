"""What is wrong with a job after the kills, and how long each kill held it up: from records and digests. Pure.

- lost: a record that a client had seen, or that Redis had acknowledged to a worker, is gone or is another one now;
- duplicated: a record or the end of a cell stands in the log twice;
- rerun: a completed cell ran again (`ledger`);
- different: conversation, files or artifacts are not those of the undisturbed job;
- failed: the job did not finish, or its log does not verify.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..log.project import Projection, project
from ..log.records import CellFinished, Record, RecordId
from .ledger import second_runs
from .schedule import ENDS_ATTEMPT

KINDS = ("lost", "duplicated", "rerun", "different", "failed")

#: Records that show a job getting on.
_PROGRESS = (
    "reply.delta", "reply.finished", "cell.started", "cell.finished", "state.saved", "session.finished",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Seen:
    """A record as a client saw it; `at` is when, by the client's clock."""

    record: Record
    at: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a job left: its log, RQ's status, SHA-256 by path of its files and artifacts, and the cells' own notes."""

    session: str
    #: Those that can be read.
    records: Sequence[Record] = ()
    #: Sentences about what is broken in it.
    damage: Sequence[str] = ()
    status: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    ran: Sequence[int] = ()
    #: In the order in which a client saw them.
    seen: Mapping[RecordId, Seen] = field(default_factory=dict)
    #: Those that workers say they appended, and when they said so.
    appended: Mapping[RecordId, float] = field(default_factory=dict)
    #: Why nothing more of it is known; empty for a job that came to its end.
    cut_off: str = ""
    #: The log's entries as they are stored, where some of them cannot be read.
    entries: Sequence[tuple[str, Mapping[str, str]]] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """One violation; `at` is when it came about, as far as that can be told, else the end."""

    kind: str
    session: str
    said: str
    at: float


@dataclass(frozen=True, slots=True)
class Fault:
    """A kill that hit: `sessions` are those that it concerned, with the attempt and position that each had then."""

    number: int
    victim: str
    at: float
    sessions: Mapping[str, RecordId]


def problems(done: Outcome, usual: Outcome) -> list[Problem]:
    """Everything that is wrong with a job; `usual` is the undisturbed one of its kind."""
    end = done.records[-1].at if done.records else max((each.at for each in done.seen.values()), default=0.0)

    def problem(kind: str, said: str, at: float = end) -> Problem:
        return Problem(kind, done.session, said, at)

    if not (done.records or done.seen):
        return [problem("failed", done.cut_off or "it has no log", math.inf)]
    state = project(done.records)
    how = state.closed.how if state.closed else "still open"
    failed = list(done.damage)
    if how != "finished" or done.status != "finished":
        failed.append(f"its log ends as {how}, and RQ says {done.status or 'nothing'}. {done.cut_off}".rstrip(". "))
    # One for the job; and whatever holds it up has come after its last record.
    found = [problem("failed", "; ".join(failed), math.inf)] if failed else []
    found += [problem("lost", said, at) for said, at in _lost(done)]
    found += [problem("duplicated", said, at) for said, at in _twice(done.records)]
    found += [problem("rerun", said) for said in second_runs(done.records, done.ran)]
    if how == "finished":  # else there is only a part of it to compare
        found += [problem("different", said) for said in _differences(done, state, usual)]
    return found


def _lost(done: Outcome) -> Iterator[tuple[str, float]]:
    digests = {record.id: record.digest for record in done.records}
    for record_id, each in done.seen.items():
        if digests.get(record_id) != each.record.digest:
            what = "is another one now" if record_id in digests else "is gone"
            yield f"record {record_id} was seen, and {what}", each.at
    unread = {name for name, _ in done.entries}
    for record_id, at in done.appended.items():
        if not (record_id in digests or record_id in done.seen or str(record_id) in unread):
            yield f"record {record_id} was acknowledged to the worker that appended it, and is gone", at


def _twice(records: Iterable[Record]) -> Iterator[tuple[str, float]]:
    ids: set[RecordId] = set()
    ended: set[int] = set()
    for record in records:
        if record.id in ids:
            yield f"record {record.id} is in the log twice", record.at
        ids.add(record.id)
        if isinstance(record.body, CellFinished):
            if record.body.cell in ended:
                yield f"cell {record.body.cell} ended a second time in record {record.id}", record.at
            ended.add(record.body.cell)


def _differences(done: Outcome, state: Projection, usual: Outcome) -> Iterator[str]:
    said, before = conversation(state), conversation(project(usual.records))
    if said != before:
        at = next((n for n, pair in enumerate(zip(said, before, strict=False)) if pair[0] != pair[1]), None)
        if at is None:
            yield f"its conversation has {len(said)} entries instead of {len(before)}"
        else:
            yield f"entry {at + 1} of its conversation is {said[at][1][-200:]!r} instead of {before[at][1][-200:]!r}"
    for path in sorted({*done.files, *usual.files}):
        if path not in done.files:
            yield f"{path} is missing"
        elif path not in usual.files:
            yield f"{path} is there, and no undisturbed job leaves it"
        elif done.files[path] != usual.files[path]:
            yield f"{path} has other bytes"


def conversation(state: Projection) -> list[tuple[str, str]]:
    """Who said what, Outlast's notes about recoveries left out."""
    return [(said.kind, said.text) for said in state.said if said.kind != "note"]


def went_on(fault: Fault, session: str, seen: Iterable[Seen]) -> float | None:
    """Seconds from the kill until a client saw the first record that shows the job getting on; None if there is none.

    Not until the time in that record: it was made then, and appended once Redis took it, which after a kill of Redis is
    later by the whole outage. A record from before the kill does not count, whenever it was seen: it may have been
    appended before the kill too. So no time is ever too short; each may be too long by what the client takes to look.
    What ends an attempt is only over once a later attempt gets on: its predecessor may have had a last word.
    """
    before = fault.sessions[session]
    for each in seen:
        record = each.record
        later = record.id.attempt > before.attempt if fault.victim in ENDS_ATTEMPT else record.id > before
        if later and record.at > fault.at and record.type in _PROGRESS:
            return each.at - fault.at
    return None


def blamed(problem: Problem, faults: Sequence[Fault]) -> int | None:
    """Number of the fault that a problem is counted to: the last before it of those that hit the session.

    A record is lost by the first fault after it was seen.
    """
    hit = [fault for fault in faults if problem.session in fault.sessions]
    earlier = [fault for fault in hit if fault.at <= problem.at]
    later = [fault for fault in hit if fault.at > problem.at]
    if problem.kind == "lost" and later:
        return later[0].number
    return (earlier or hit)[-1].number if hit else None


def counts(found: Iterable[Problem]) -> dict[str, int]:
    """How many of each kind."""
    counted = Counter(problem.kind for problem in found)
    return {kind: counted[kind] for kind in KINDS}
