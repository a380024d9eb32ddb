"""Every outage of Redis at every moment of a session: the worker waits, and nothing is lost, doubled or taken over."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from outlast.attempt import users
from outlast.attempt.hold import REDIS_AWAY
from outlast.cli.history import history
from outlast.kernel.confine import Confinement
from outlast.kernel.workspace import FIRST_UID
from outlast.log.records import TurnWaiting
from outlast.log.redis_log import RedisLog, connect
from outlast.log.store import EMPTY, log_key
from outlast.points import Point
from outlast.settings import Settings
from tests.dependencies import missing
from tests.faults import outages
from tests.faults.armed import STOPPED, arm, stopped
from tests.faults.outages import LONG, OUTAGES, Begin, Redises
from tests.fleet import Fleet
from tests.integration.sessions import SLOW, cell, let_go, let_save, outputs, ran
from tests.observer import PATIENCE, NeverHappened, bodies

#: Works, so that it does not stall, until the test lets it go on.
BUSY = "import os\nwhile not os.path.exists('go'): pass\n"
#: Whose last part comes long after the outage has begun.
WORDS = " ".join(f"word{number}" for number in range(120))
#: By the first word of the prompt.
SCRIPTS: dict[str, list[Any]] = {
    "streams": [{"text": WORDS + cell(1, "print('one')"), "delay": 0.03}, "All done."],
    "runs": [cell(1, "print('working', flush=True)\n" + BUSY + "print('one')"), "All done."],
    "saves": [cell(1, SLOW + "kept = 5"), cell(2, "print(kept)"), "All done."],
    "ends": [cell(1, "print('one')"), "All done."],
    "settles": [cell(1, "print('one')"), "All done."],
}
SAID = {"streams": ["one"], "runs": ["working\none"], "saves": ["", "5"], "ends": ["one"], "settles": ["one"]}


@dataclass(frozen=True, slots=True)
class Moment:
    """`reached` returns once a session is there; `proceed` lets it go on into the outage, which `victim` then meets."""

    name: str
    reached: Callable[[Fleet, str], None]
    proceed: Callable[[Fleet, str], None]
    victim: str = "child"


def _streams(fleet: Fleet, session: str) -> None:
    fleet.enqueue(session, "streams")
    fleet.wait(session, lambda _, record: record.type == "reply.delta")


def _runs(fleet: Fleet, session: str) -> None:
    fleet.enqueue(session, "runs")
    fleet.wait(session, lambda _, record: record.type == "cell.output")


def _saves(fleet: Fleet, session: str) -> None:
    fleet.enqueue(session, "saves")
    fleet.wait(session, lambda _, record: record.type == "cell.finished")


def _ends(fleet: Fleet, session: str) -> None:
    arm(fleet.directory, Point.BEFORE_SESSION_FINISHED)
    fleet.enqueue(session, "ends")
    _wait(lambda: stopped(fleet.directory))


def _settles(fleet: Fleet, session: str) -> None:
    arm(fleet.directory, Point.ENDED)
    fleet.enqueue(session, "settles")
    _wait(lambda: stopped(fleet.directory))


def _resume(fleet: Fleet, session: str) -> None:
    process = stopped(fleet.directory)
    assert process is not None
    process.resume()
    (fleet.directory / STOPPED).unlink()


MOMENTS = [
    Moment("while the model streams", _streams, lambda fleet, session: None),
    Moment("while a cell runs", _runs, let_go),
    Moment("while a checkpoint is saved", _saves, let_save),
    Moment("at the session's end", _ends, _resume),
    Moment("at the job's end", _settles, _resume, victim="parent"),
]
STREAMS, RUNS, SAVES, ENDS, SETTLES = MOMENTS
#: Those that differ; with OUTAGES=all every pair is tried, which takes two minutes.
USUAL = [
    *((outages.killed, moment) for moment in MOMENTS),
    (outages.restarted, ENDS),
    (outages.away, STREAMS),
    (outages.away, RUNS),
    (outages.hung, RUNS),
    (outages.full, SAVES),
    (outages.full, SETTLES),
    (outages.read_only, STREAMS),
    (outages.failed_over, RUNS),
    (outages.failed_over, SETTLES),
]
ALL = [(outage, moment) for outage in OUTAGES for moment in MOMENTS]
CASES = ALL if os.environ.get("OUTAGES") == "all" else USUAL

_numbers = count(1)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redises]:
    """The Redis of all these tests; each leaves it as it was."""
    site = Redises(tmp_path_factory.mktemp("redises"))
    yield site
    site.end()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, kernel_python: Path, site: Redises) -> Iterator[Fleet]:
    """Two workers, with limits that the long outage exceeds."""
    limits = {"OUTLAST_LEASE": "1", "OUTLAST_NEXT_TOKEN": str(LONG / 1.5), "OUTLAST_CELL_STALL": str(LONG / 1.5)}
    with Fleet(
        tmp_path_factory.mktemp("outages"),
        {"scripts": SCRIPTS, "replies": ["Hello."]},
        kernel_python,
        environment=limits,
        server=site,  # type: ignore[arg-type]  # it has of a RedisServer what a fleet uses of one that it is given
        worker_class="tests.faults.armed.Worker",
    ) as fleet:
        yield fleet


@pytest.mark.parametrize(
    ("begin", "moment"), [pytest.param(*case, id=f"{case[0].__name__} {case[1].name}") for case in CASES]
)
def test_an_outage_costs_a_session_nothing_but_time(
    fleet: Fleet, site: Redises, begin: Begin, moment: Moment
) -> None:
    session = f"session-{next(_numbers)}"
    asked = len(fleet.model.arrivals)
    moment.reached(fleet, session)
    worker = fleet.holder(session) if moment is not SETTLES else _stopped_worker(fleet)
    with _held(fleet, worker) if moment is SETTLES else nullcontext():
        said = len(_events(fleet, worker))
        before = fleet.log(session).read()
        end = begin(site)
        moment.proceed(fleet, session)
    _wait(lambda: _reasons(_events(fleet, worker)[said:], moment.victim))
    end()
    state = fleet.finished(session)
    assert fleet.job_status(session, "finished")
    records = fleet.log(session).read()
    # Nothing that was acknowledged is missing, nothing is there twice.
    assert records[: len(before)] == before and fleet.verify(session).ok
    # Nobody took it over, and no cell ran again.
    told = history(session, records)
    assert (state.attempt, state.strikes, told.ran_twice) == (1, 0, [])
    assert ran(fleet, session) == [str(each.number) for each in told.cells]
    name = moment.reached.__name__.strip("_")
    assert outputs(records) == SAID[name]
    # Each reply was asked for once.
    assert [each.reply for each in fleet.model.arrivals[asked:]] == list(range(len(SCRIPTS[name])))
    # The worker's log says why it waited, and the session's own how long.
    assert any(OUTAGES[begin] in reason for reason in _reasons(_events(fleet, worker)[said:], moment.victim))
    if begin is outages.away and moment not in (ENDS, SETTLES):  # At the end there is nothing left to log it with.
        assert [body.why for body in bodies(records, TurnWaiting) if body.seconds > LONG] == [REDIS_AWAY]
    _wait(lambda: not list(fleet.connection.scan_iter("outlast:hand:*")))
    assert not _said(fleet, "lease.lost")


def test_a_slow_redis_makes_a_session_slow_and_nothing_else(fleet: Fleet, site: Redises) -> None:
    session, other = f"session-{next(_numbers)}", f"session-{next(_numbers)}"
    for name in (session, other):
        _runs(fleet, name)
    # A fifth of a lease for each answer, and a worker may ask for ten things between two renewals.
    site.slow_down(0.2)
    for name in (session, other):
        let_go(fleet, name)
        assert fleet.finished(name).attempt == 1
    # From a quarter of a lease on it is worth a word.
    site.slow_down(0.3)
    _wait(lambda: _said(fleet, "redis.slow"))
    site.slow_down(0.0)
    _wait(lambda: _said(fleet, "redis.quick"))
    for name in (session, other):
        assert fleet.job_status(name, "finished") and fleet.verify(name).ok and ran(fleet, name) == ["1"]
    assert not _said(fleet, "lease.lost")


def test_a_session_whose_time_is_up_during_an_outage_is_closed_after_it(fleet: Fleet, site: Redises) -> None:
    session = f"session-{next(_numbers)}"
    fleet.enqueue(session, "runs", "max_seconds:=30")
    fleet.wait(session, lambda _, record: record.type == "cell.output")
    worker = fleet.holder(session)
    said = len(_events(fleet, worker))
    end = outages.killed(site)
    # The cell is silent: nothing is written before it is stopped.
    _wait(lambda: _reasons(_events(fleet, worker)[said:], "child"))
    end()
    state = fleet.finished(session)
    assert state.closed is not None and "used up its 30 seconds" in state.closed.reason and state.attempt == 1
    assert fleet.job_status(session, "failed")


def test_an_attempt_that_waits_for_redis_to_log_its_end_leaves_when_its_worker_is_to(
    fleet: Fleet, site: Redises
) -> None:
    session = f"session-{next(_numbers)}"
    _runs(fleet, session)
    name = fleet.holder(session)
    worker, said = fleet.workers[name], len(_events(fleet, name))
    end = outages.killed(site)
    # What `stop-job` has the worker send, were it to hear of it now.
    psutil.Process(worker.pid).children()[0].send_signal(signal.SIGUSR1)
    _wait(lambda: _reasons(_events(fleet, name)[said:], "child"))
    worker.send_signal(signal.SIGTERM)
    _wait(lambda: [each for each in _events(fleet, name)[said:] if each["event"] == "attempt.left_open"])
    end()
    assert worker.wait() == 0
    assert not [each for each in _events(fleet, name)[said:] if each["event"] == "child.killed"]
    fleet.start_worker(name)
    let_go(fleet, session)
    assert fleet.finished(session).attempt == 2 and fleet.job_status(session, "finished")


def test_an_attempt_whose_last_record_is_gone_ends_and_the_next_goes_on_from_those_that_are_there(
    fleet: Fleet, site: Redises
) -> None:
    session = f"session-{next(_numbers)}"
    _runs(fleet, session)
    kept = fleet.log(session).read()[:-1]
    # As on a replica that lagged when it took its primary's place.
    with site.admin() as admin, admin.pipeline() as replaced:
        replaced.delete(log_key(session))
        for record in kept:
            replaced.xadd(log_key(session), record.fields(), id=str(record.id))  # type: ignore[arg-type]  # redis-py's own type is invariant
        replaced.execute()
    let_go(fleet, session)
    state = fleet.finished(session)
    assert fleet.job_status(session, "finished")
    records = fleet.log(session).read()
    assert records[: len(kept)] == kept and fleet.verify(session).ok
    assert (state.attempt, state.strikes, outputs(records)) == (2, 0, SAID["runs"])
    said = [event for name in fleet.workers for event in _events(fleet, name) if event["event"] == "attempt.left_open"]
    assert ["had been acknowledged" in event["reason"] for event in said if event["session"] == session] == [True]


def test_a_session_that_is_opened_while_redis_fails_over_gets_its_user(
    site: Redises, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(users, "confinement", lambda settings: Confinement("strict", ("user",)))
    with connect(site.url) as connection:
        log = RedisLog(connection, "opens")
        assert log.tail() == EMPTY
        site.fail_over()
        # Its open connection is left at the old server, and would be told for ever that this one takes no writes.
        assert users.new(connection, Settings(workspaces=str(tmp_path)), log.patience) > FIRST_UID


def test_a_redis_that_ended_because_its_disk_is_full_is_waited_for(tmp_path: Path, kernel_python: Path) -> None:
    try:
        server = outages.OnSmallDisk(tmp_path / "redis", 8)
    except OSError as error:
        missing(f"this machine allows no mounts of one's own: {error}")
    try:
        with Fleet(tmp_path / "fleet", {"scripts": SCRIPTS}, kernel_python, workers=1, server=server) as fleet:
            _runs(fleet, "job")
            before = fleet.log("job").read()
            ballast = server.fill()
            let_go(fleet, "job")
            # It cannot keep what it would acknowledge, and cannot know what of it is on the disk.
            _wait(server.has_ended)
            _wait(lambda: _reasons(_events(fleet, "worker-1"), "child"))
            ballast.unlink()
            server.restart()
            assert fleet.finished("job").attempt == 1 and fleet.job_status("job", "finished")
            assert fleet.log("job").read()[: len(before)] == before and fleet.verify("job").ok
            assert ran(fleet, "job") == ["1"]
    finally:
        server.end()


def _events(fleet: Fleet, worker: str) -> list[dict[str, Any]]:
    lines = (fleet.directory / f"{worker}.log").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def _said(fleet: Fleet, event: str) -> bool:
    return any(each["event"] == event for name in fleet.workers for each in _events(fleet, name))


def _reasons(events: list[dict[str, Any]], victim: str) -> list[str]:
    """Why the child, or its parent, says that it waits."""
    field = {"child": "reason", "parent": "error"}[victim]
    return [event[field] for event in events if event["event"] == "redis.away" and field in event]


def _stopped_worker(fleet: Fleet) -> str:
    pid = int((fleet.directory / STOPPED).read_text())
    return next(name for name, process in fleet.workers.items() if process.pid == pid)


@contextmanager
def _held(fleet: Fleet, worker: str) -> Iterator[None]:
    """Nobody takes over from a worker that the test has stopped, however long it takes until it goes on."""
    others = [psutil.Process(process.pid) for name, process in fleet.workers.items() if name != worker]
    for other in others:
        other.suspend()
    try:
        yield
    finally:
        for other in others:
            other.resume()


def _wait(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > until:
            raise NeverHappened
        time.sleep(0.01)
