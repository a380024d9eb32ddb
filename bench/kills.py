"""Demo-sized jobs with one SIGKILL each at a random instant: what is lost, doubled or different?

Two workers, started again when they die, and two jobs at a time. Each job's kill comes at an instant drawn uniformly
over the time that an undisturbed job takes from its enqueueing, and hits what holds the job then: all of the worker's
processes, the worker alone, its child alone, or the kernel alone. A job that ended before its instant is replaced by
another, so that every counted job was hit. Checked for each: the job finished, `verify` passes, no completed cell ran
twice (the file that the cells append to, against the log), the files it made are those of the undisturbed job to the
byte, and so is its conversation but for Outlast's notes. The time that is shown is from the kill to the next
`attempt.opened`, or to the cell's replay where only the kernel was hit; it includes the start of a new worker if
the other was busy.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from outlast.log.project import Projection
from outlast.log.records import Record
from tests.fleet import Fleet

from . import demo_job
from .crew import PARTS, Crew
from .figure import Options, Row
from .lanes import run_lanes
from .outlast_jobs import enqueue, holder_of, problems_of
from .sample import Goal, Sample
from .table import amount

LANES = 2
#: Seconds for one job, its recovery included.
PATIENCE = 180.0
#: Jobs that may end before their kill, in a row, before something is wrong with the instants.
MISSES = 20
#: Shares of the recoveries whose times are named.
SHARES = (0.1, 0.5, 0.9, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What every job must come to: digests of its files, its conversation, and how long it takes (seconds)."""

    files: dict[str, str]
    conversation: list[tuple[str, str]]
    seconds: float


@dataclass
class Tally:
    """What the lanes found out together."""

    #: By what was hit: seconds from the kill to going on.
    recovered: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})
    violations: list[str] = field(default_factory=list)
    hit: Counter[str] = field(default_factory=Counter)
    hit_in: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    #: The logs of the sessions that something is wrong with, and when they were hit.
    wrong: dict[str, list[list[object]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


def measure(options: Options) -> list[Row]:
    """One row; `details` says what was hit, and the notes how the recovery times are spread."""
    place = options.place("kills")
    jobs = options.jobs or options.count(200, 10)
    tally = Tally()
    with Fleet(place, demo_job.script(), options.kernel_python, workers=0) as fleet:
        demo_job.write_data(fleet.data / demo_job.DATA, 0.5 if options.quick else 3, options.seed)
        with Crew(fleet, LANES) as crew:
            usual = undisturbed(fleet)
            options.say(f"kills: an undisturbed job takes {usual.seconds:.1f} s")

            def work(number: int) -> bool:
                _one(fleet, crew, options, usual, tally, number)
                options.say(f"kills: {sum(tally.hit.values())}/{jobs}, {len(tally.violations)} violations")
                return True

            tally.violations += run_lanes(LANES, jobs, work)
            tally.violations += crew.ended
    return [
        Row(
            "kills",
            f"jobs lost, doubled or different, of {sum(tally.hit.values())} with one SIGKILL each",
            Sample.of([len(tally.wrong)]),
            unit="count",
            goal=Goal(worst=0),
            violations=tuple(tally.violations),
            notes=(_note(tally, options.seed),),
            details={
                "hit": dict(tally.hit),
                "hit_in": dict(tally.hit_in),
                "ended_before_the_kill": tally.missed,
                "logs_of_violations": tally.wrong,
            },
        ),
        _recoveries("worker killed, with or without the rest: kill to going on", tally, "all", "worker"),
        _recoveries("child or kernel killed: kill to going on", tally, "child", "kernel"),
    ]


def _recoveries(what: str, tally: Tally, *parts: str) -> Row:
    """The times after kills of some kinds, and how they are spread."""
    values = [value for part in parts for value in tally.recovered[part]]
    sample = Sample.of(values) if values else None
    spread = [f"{share:.0%} within {amount(sample.at_least_of(share), 's')}" for share in SHARES] if sample else []
    return Row("kills", what, sample, notes=(f"{what}: {', '.join(spread)}",) if spread else ())


def undisturbed(fleet: Fleet) -> Undisturbed:
    """Two jobs at once, twice; the second time is the one that counts."""
    for turn in ("cold", "warm"):
        sessions = [f"{turn}-{number}" for number in range(LANES)]
        for session in sessions:
            _send(fleet, session)
        for session in sessions:
            fleet.finished(session, PATIENCE)
            fleet.job_status(session, "finished")
    records = [fleet.log(session).read() for session in sessions]
    files = [demo_job.results(fleet.workspaces / session / "files") for session in sessions]
    talks = [conversation(fleet.state(session)) for session in sessions]
    if files[0] != files[1] or talks[0] != talks[1] or set(files[0]) != set(demo_job.RESULTS):
        raise RuntimeError(f"two undisturbed jobs differ, so nothing can be compared with them: {files} {talks}")
    return Undisturbed(files[0], talks[0], min(log[-1].at - log[0].at for log in records))


def conversation(state: Projection) -> list[tuple[str, str]]:
    """Who said what, Outlast's notes about recoveries left out."""
    return [(said.kind, said.text) for said in state.said if said.kind != "note"]


def _send(fleet: Fleet, session: str) -> None:
    enqueue(fleet, session, "clean the sales and draw them by region", files=[demo_job.DATA])


def _one(fleet: Fleet, crew: Crew, options: Options, usual: Undisturbed, tally: Tally, number: int) -> None:
    """Run job `number`, and others in its place until a kill has hit one."""
    chance = options.random(f"kill {number}")
    for again in range(MISSES):
        session = f"job-{number}" + (f"-{again}" if again else "")
        part = chance.choice(PARTS)
        sent_at = time.time()
        _send(fleet, session)
        time.sleep(max(0.0, sent_at + chance.uniform(0, usual.seconds) - time.time()))
        killed_at, hit = _kill(fleet, crew, session, part)
        during = records[-1].type if (records := fleet.log(session).read()) else "its enqueueing"
        _check(fleet, session, usual, tally)
        if hit is not None:
            with tally.lock:
                if session in tally.wrong:
                    tally.wrong[session].append(["", killed_at, "KILL", hit])
                tally.hit[hit] += 1
                tally.hit_in[during] += 1
                tally.recovered[hit] += _recovery(fleet.log(session).read(), killed_at)
        shutil.rmtree(fleet.workspaces / session, ignore_errors=True)
        if hit is not None:
            return
        tally.missed += 1
    raise RuntimeError(f"{MISSES} jobs in a row ended before their kill")


def _kill(fleet: Fleet, crew: Crew, session: str, part: str) -> tuple[float, str | None]:
    """Kill `part` of what holds the job, as soon as something holds it; (when, what was hit or None)."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        worker = holder_of(fleet, session)
        if worker is not None:
            at = time.time()
            return at, crew.kill(worker, part)
        if fleet.connection.hget(f"rq:job:{session}", "status") in (b"finished", b"failed"):
            break
        time.sleep(0.001)
    return time.time(), None


def _check(fleet: Fleet, session: str, usual: Undisturbed, tally: Tally) -> None:
    """Wait for the job's end and note everything that is wrong with it."""
    state = fleet.finished(session, PATIENCE)
    fleet.job_status(session, "finished", "failed")
    problems = problems_of(fleet, session)
    status = fleet.connection.hget(f"rq:job:{session}", "status")
    if status != b"finished":
        problems.append(f"{session}: RQ says that the job is {status!r}")
    files = demo_job.results(fleet.workspaces / session / "files")
    problems += [f"{session}: {name} is not that of an undisturbed job" for name in demo_job.RESULTS
                 if files.get(name) != usual.files[name]]  # fmt: skip
    if conversation(state) != usual.conversation:
        problems.append(f"{session}: its conversation is not that of an undisturbed job")
    with tally.lock:
        tally.violations += problems
        if problems:
            tally.wrong[session] = [[str(r.id), r.at, r.type, r.raw] for r in fleet.log(session).read()]


def _recovery(records: list[Record], killed_at: float) -> list[float]:
    """Seconds from the kill to the first sign of going on; none where the kill cost nothing."""
    signs = ("attempt.opened", "cell.replayed", "state.restored")
    return [record.at - killed_at for record in records if record.at > killed_at and record.type in signs][:1]


def _note(tally: Tally, seed: int) -> str:
    hit = ", ".join(f"{part} {count}" for part, count in sorted(tally.hit.items()))
    inside = ", ".join(f"{count} after {place}" for place, count in tally.hit_in.most_common())
    return f"seed {seed}; hit: {hit}; {inside}; {tally.missed} jobs ended before their kill and were replaced"
