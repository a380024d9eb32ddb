"""Runs a drill: the reference, the jobs, the kills at their moments, and the look at what is left.

One thread: it follows the logs, and between two looks it asks its hand to strike when a kill is due. It holds back
from kills that the rules answer by giving a cell up (two strikes, five deaths in a row: the invariants promise nothing
else), for then the conversation is rightly another one; everything else may be hit at any time, in the middle of
recoveries too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import redis
from rq import Queue

from ..errors import OutlastError, RedisAway
from ..log.patience import Patience
from ..queue import keys
from . import jobs
from .judge import Fault, Outcome, Problem, problems
from .remains import remains
from .said import appended
from .schedule import OF_A_SESSION, Strike, strikes
from .watch import Watched

#: Seconds between two looks at the logs.
_LOOK_SECONDS = 0.03
#: What is opened, by turns, where nothing else is said.
_ALL_KINDS = tuple(jobs.CELLS)
#: Seconds between two tries at a kill that found nothing to hit.
_AGAIN_SECONDS = 0.2
#: Jobs that wait or run at a time; what is open is looked at again and again.
_OPEN_AT_ONCE = 6
#: Kills among which the next one is chosen.
_AHEAD = 8
#: Hits of one session in a row, without a cell completed in between; five deaths make a strike.
_MOST_HITS = 4
#: Cells to be completed between two kernels killed of one session; two strikes on one cell give it up.
_CELLS_BETWEEN_KERNELS = 2


class Stuck(OutlastError):
    """No job got on for a long time although nothing was killed; the message names them."""


class Hand(Protocol):
    """Who kills. Whatever it kills is started again without being asked to."""

    def strike(self, victim: str, worker: str) -> float | None:
        """SIGKILL to `victim` (of that worker, if it belongs to one); the time just before.

        None if there is nothing to hit, or not yet again.
        """
        ...

    def logs(self) -> Iterable[str]:
        """Each line that a worker has logged since the first began, from level `debug` on, as JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done; `patience` is the seconds without any new record after which the drill gives up."""

    jobs: int
    kills: int
    seed: int
    #: Of `jobs.CELLS`, by turns.
    kinds: tuple[str, ...] = _ALL_KINDS
    patience: float = 300.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it; times are seconds since the epoch."""

    order: Order
    began: float
    ended: float
    outcomes: Mapping[str, Outcome]
    faults: list[Fault]
    problems: list[Problem]


@dataclass(slots=True)
class _Toll:
    """What a session has borne: hits since it completed its cell number `completed`, and where its kernel was hit."""

    completed: int = 0
    hits: int = 0
    kernel: int = -_CELLS_BETWEEN_KERNELS

    def bears(self, victim: str, completed: int) -> bool:
        if completed != self.completed:
            self.completed, self.hits = completed, 0
        if victim in ("kernel", "guardian") and completed < self.kernel + _CELLS_BETWEEN_KERNELS:
            return False
        return self.hits < _MOST_HITS

    def pay(self, victim: str) -> None:
        self.hits += 1
        if victim in ("kernel", "guardian"):
            self.kernel = self.completed


@dataclass(slots=True)
class Conductor:
    """`connection` is a client's; `tell` gets one mapping for each thing that happens."""

    connection: redis.Redis
    workspaces: Path
    hand: Hand
    order: Order
    tell: Callable[[Mapping[str, Any]], None]
    _kinds: dict[str, str] = field(default_factory=dict)
    _watched: dict[str, Watched] = field(default_factory=dict)
    _tolls: dict[str, _Toll] = field(default_factory=dict)
    _faults: list[Fault] = field(default_factory=list)
    _news_at: float = 0.0
    #: Jobs that are ordered and not opened yet.
    _left: int = 0

    def run(self) -> Result:
        """The whole drill. Stuck if there is no undisturbed job to compare with: whatever comes later is judged."""
        for kind in self.order.kinds:
            self._open(_reference(kind), kind)
        self._follow(self._all_over)
        usual = self._outcomes("")
        if not all(each.appended for each in usual.values()):
            raise Stuck("The workers' logs name none of the records that they appended: they are at another level.")
        for session, each in usual.items():
            if wrong := problems(each, each):
                raise Stuck(f"Nothing can be compared with {session}, which was not disturbed: {wrong[0].said}.")
        began = time.time()
        self.tell({"event": "reference", "seconds": max(_seconds(each) for each in usual.values())})
        self._left = self.order.jobs
        stuck = ""
        try:
            self._disturb(strikes(self.order.seed, self.order.kills))
            self._follow(self._all_over)
        except Stuck as error:
            stuck = str(error)
            self.tell({"event": "stuck", "why": stuck})
        outcomes = {session: each for session, each in self._outcomes(stuck).items() if session not in usual}
        found = [
            problem
            for session, outcome in outcomes.items()
            for problem in problems(outcome, usual[_reference(self._kinds[session])])
        ]
        ended = time.time()
        found += [Problem("failed", session, f"it was never opened. {stuck}", ended) for session in self._unopened()]
        return Result(self.order, began, ended, outcomes, self._faults, found)

    def _open(self, session: str, kind: str) -> None:
        """Enqueue a job, as `rq enqueue` does; an absent Redis is waited for. Stuck."""

        queue = Queue(connection=self.connection)

        def enqueue() -> None:
            if not self.connection.exists(keys.job_key(session)):
                # RQ forgets a finished job after a while, and a drill looks at them all at its end.
                queue.enqueue("outlast.run", prompt=kind, job_id=session, result_ttl=-1)

        since = time.monotonic()
        try:
            Patience(lambda: time.monotonic() - since > self.order.patience).ask(enqueue)
        except RedisAway as away:
            raise Stuck(f"{session} could not be enqueued: {away}") from away
        self._kinds[session] = kind
        self._watched[session] = Watched(self.connection, session)
        self._tolls[session] = _Toll()
        self._news_at = time.monotonic()

    def _disturb(self, due: list[Strike]) -> None:
        """Deal all kills at their moments; more jobs are opened if all are over before."""
        left = list(due)
        for moment in due:
            self._follow(partial(self._come_to, moment.share))
            self._wait(moment.pause)
            # What cannot be hit just now gives way to the next that can: the kills keep up with the work.
            while (dealt := next((each for each in left[:_AHEAD] if self._dealt(each)), None)) is None:
                self._left += self._all_over()
                self._wait(_AGAIN_SECONDS)
            left.remove(dealt)

    def _dealt(self, strike: Strike) -> bool:
        """Deal one kill, if there is something that it may hit."""
        self._look()
        running = [each for each in self._watched.values() if each.state.open and not each.over]
        bearing = [each for each in running if self._tolls[each.session].bears(strike.victim, each.state.completed)]
        worker = ""
        if strike.victim in OF_A_SESSION:
            running = [bearing[int(strike.pick * len(bearing))]] if bearing else []
            holder = running[0].holder() if running else ""
            if not holder:
                return False
            worker = keys.worker_of(holder)
        elif not running or (strike.victim in ("container", "everything") and len(bearing) < len(running)):
            return False
        hit = {each.session: each.last for each in running}
        at = self.hand.strike(strike.victim, worker)
        if at is None:
            return False
        fault = Fault(len(self._faults) + 1, strike.victim, at, hit)
        self._faults.append(fault)
        for each in running:
            if strike.victim not in ("redis", "model"):
                self._tolls[each.session].pay(strike.victim)
        self.tell({"event": "fault", "number": fault.number, "victim": fault.victim, "at": at, "sessions": sorted(hit)})
        return True

    def _follow(self, until: Callable[[], bool]) -> None:
        """Follow the logs until it is so. Stuck."""
        over = self._over()
        while not until():
            self._look()
            self._feed()
            if self._over() != over:
                over = self._over()
                self.tell({"event": "over", "jobs": over, "share": self._share()})
            if time.monotonic() - self._news_at > self.order.patience:
                open_ = ", ".join(each.session for each in self._watched.values() if not each.over)
                raise Stuck(f"No job has got on for {self.order.patience:g} s: {open_}.")
            time.sleep(_LOOK_SECONDS)

    def _wait(self, seconds: float) -> None:
        """Follow the logs for so long."""
        until = time.monotonic() + seconds
        self._follow(lambda: time.monotonic() >= until)

    def _come_to(self, share: float) -> bool:
        """Whether so much of the work is done; with fewer jobs than it takes, all that there is."""
        return self._share() >= share or self._all_over()

    def _feed(self) -> None:
        """Open as many jobs as may be open at a time."""
        kinds = self.order.kinds
        while self._left and len(self._watched) - self._over() < _OPEN_AT_ONCE:
            number = len(self._watched) - len(kinds) + 1
            self._open(f"job-{number}", kinds[number % len(kinds)])
            self._left -= 1

    def _look(self) -> None:
        for each in self._watched.values():
            if not each.over:
                last = each.last
                if not each.look():
                    return
                if each.last != last:
                    self._news_at = time.monotonic()

    def _over(self) -> int:
        return sum(each.over for each in self._watched.values())

    def _all_over(self) -> bool:
        return not self._left and self._over() == len(self._watched)

    def _share(self) -> float:
        """How much of the work of the ordered jobs is done, 0 to 1: each job is as much as any other."""
        done = [
            min(1.0, self._watched[session].state.total_turns / jobs.turns(kind))
            for session, kind in self._kinds.items()
            if not session.startswith("reference-")
        ]
        return sum(done) / max(self.order.jobs, len(done), 1)

    def _outcomes(self, stuck: str) -> dict[str, Outcome]:
        """What each job has left so far; `stuck` says why those that are open get no further."""
        until = time.monotonic() + self.order.patience
        said = appended(self.hand.logs())
        return {
            session: remains(each, said.get(session, {}), self.connection, self.workspaces / session, until, stuck)
            for session, each in self._watched.items()
        }

    def _unopened(self) -> Iterator[str]:
        opened = len(self._watched) - len(self.order.kinds)
        return (f"job-{number}" for number in range(opened + 1, opened + self._left + 1))


def _reference(kind: str) -> str:
    """Id of the undisturbed job of a kind."""
    return f"reference-{kind}"


def _seconds(outcome: Outcome) -> float:
    return outcome.records[-1].at - outcome.records[0].at
