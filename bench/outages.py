"""SIGKILLs of Redis under writers that never pause: is anything missing that it had acknowledged? Are they soon back?

Eight threads append to a log each, as an attempt does: through the log's own client, which waits and tries again. Redis
syncs its append-only file before each answer (`appendfsync always`). It is killed at an instant drawn uniformly over
the appends of one life, restarted on the same files, and killed again, while the writers go on. Each writer keeps the
record of every append that returned; at the end its log must be exactly these, in order, and verify: a record that is
missing, twice there, or there without ever having been acknowledged is a violation.

A SIGKILL takes the process and not the system's page cache, so this proves what Redis, its replay and our client do.
That the file is synced before the answer is Redis's word; what becomes of a torn file is tested beside the keeper.

The second figure is from the moment at which Redis answers again, after it was away for long enough that the pauses
between two tries have reached their cap, to each writer's next acknowledged record.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random

from outlast.log.records import AttemptOpened, Record, ReplyDelta, SessionOpened
from outlast.log.redis_log import RedisLog, connect
from outlast.log.store import EMPTY
from outlast.log.verify import verify_log
from tests.redis_server import RedisServer

from .figure import Options, Row
from .sample import Goal, Sample

WRITERS, KILLS, RECORDS = 8, 200, 100_000
QUICK_KILLS, QUICK_RECORDS = 10, 5_000
#: Characters of a record's text, about those of half a second of a model's reply.
TEXT = "word " * 40

#: Outages of the second figure, and between how many seconds each is drawn: the pauses reach their cap after 3.15.
RETURNS, QUICK_RETURNS, AWAY_SECONDS = 10, 2, (4.0, 8.0)


@dataclass
class Tally:
    """What all writers were acknowledged together."""

    records: int = 0
    outages: int = 0
    changed: threading.Condition = field(default_factory=threading.Condition)
    is_over: bool = False
    #: Writers that have had an answer since this was last cleared, and when (monotonic) the first one came.
    heard: dict[str, float] = field(default_factory=dict)

    def add(self, *, records: int = 0, outages: int = 0) -> None:
        """Called by the writers."""
        with self.changed:
            self.records += records
            self.outages += outages
            self.changed.notify_all()

    def until(self, records: int) -> None:
        """Return once so many have been acknowledged."""
        with self.changed:
            self.changed.wait_for(lambda: self.records >= records or self.is_over)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of it; `problems` are sentences, one for each thing that is wrong."""

    kills: int
    records: int
    #: Times that a writer met a Redis that was away.
    outages: int
    problems: list[str]


class Writer(threading.Thread):
    """Appends to a log of its own until the tally is over; `acknowledged`: the records of the appends that returned."""

    def __init__(self, url: str, number: int, tally: Tally) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self._tally = tally
        self._connection = connect(url)
        self.log = RedisLog(self._connection, f"writer-{number}", on_wait=lambda _: tally.add(outages=1))
        self.acknowledged: list[Record] = []
        self.error = ""

    def run(self) -> None:
        """Also ends, with `error`, when an append raises: nothing that Redis does may make one."""
        try:
            opening = AttemptOpened(self.name, "first")
            opened = self.log.open_attempt(opening, holder="", expected=EMPTY, session=SessionOpened("write"))
            while not self._tally.is_over:
                self.acknowledged.append(opened.append(ReplyDelta(f"{len(self.acknowledged)} {TEXT}")))
                self._tally.heard.setdefault(self.name, time.monotonic())
                self._tally.add(records=1)
        except Exception as error:
            self.error = f"{self.name} ended: {type(error).__name__}: {error}"
            self._tally.is_over = True
            self._tally.add()

    def problems(self) -> list[str]:
        """How the log differs from what was acknowledged."""
        stored = self.log.read()[2:]
        found = [self.error] if self.error else []
        kept = {record.digest for record in stored}
        missing = [record for record in self.acknowledged if record.digest not in kept]
        found += [f"{self.name}: {record.id} was acknowledged and is missing" for record in missing]
        if stored != self.acknowledged and not missing:
            found.append(f"{self.name}: {len(stored)} records are there, {len(self.acknowledged)} were acknowledged")
        found += [f"{self.name}: {problem}" for problem in verify_log(self.log).problems]
        self._connection.close()
        return found


@contextmanager
def writing(server: RedisServer, writers: int = WRITERS) -> Iterator[tuple[Tally, list[Writer]]]:
    """So many writers at work; they end with the block."""
    tally = Tally()
    threads = [Writer(server.url, number, tally) for number in range(1, writers + 1)]
    for thread in threads:
        thread.start()
    try:
        yield tally, threads
    finally:
        tally.is_over = True
    # Not after an error: they may wait for a Redis that is gone for good, and end with this process.
    for thread in threads:
        thread.join()


def strike(server: RedisServer, chance: Random, *, kills: int, records: int) -> Result:
    """Kill the server so often under the writers, until at least so many records are acknowledged."""
    with writing(server) as (tally, writers):
        for _ in range(kills):
            # Twice the mean at most, so that all lives together have about as many as are asked for.
            tally.until(tally.records + 1 + chance.randrange(max(1, 2 * records // kills)))
            server.kill()
            server.restart()
        tally.until(records)
    problems = [problem for writer in writers for problem in writer.problems()]
    return Result(kills, sum(len(writer.acknowledged) for writer in writers), tally.outages, problems)


def returns(server: RedisServer, chance: Random, outages: int) -> tuple[list[float], list[str]]:
    """After each of so many long outages: the seconds from Redis's return to each writer's next acknowledged
    record, and what is wrong with the logs."""
    found: list[float] = []
    with writing(server) as (tally, writers):
        for _ in range(outages):
            tally.until(tally.records + 1000)
            server.kill()
            time.sleep(chance.uniform(*AWAY_SECONDS))
            tally.heard.clear()
            server.restart()
            back = time.monotonic()
            with tally.changed:
                tally.changed.wait_for(lambda: len(tally.heard) == len(writers) or tally.is_over)
            # One that was heard before the server was seen to answer was back at once.
            found += [max(0.0, at - back) for at in tally.heard.values()]
    return found, [problem for writer in writers for problem in writer.problems()]


def measure(options: Options) -> list[Row]:
    """Two rows; `--runs` is the number of kills."""
    kills = options.count(KILLS, QUICK_KILLS)
    records = QUICK_RECORDS if options.quick else RECORDS
    with _server(options, "kills") as server:
        result = strike(server, options.random("outages"), kills=kills, records=records)
    with _server(options, "returns") as server:
        back, wrong = returns(server, options.random("returns"), QUICK_RETURNS if options.quick else RETURNS)
    return [
        Row(
            "outages",
            f"acknowledged records missing, doubled or changed after {result.kills} SIGKILLs of Redis",
            Sample.of([len(result.problems)]),
            unit="count",
            goal=Goal(worst=0),
            violations=tuple(result.problems),
            notes=(
                f"{result.records} records acknowledged to {WRITERS} writers, which met an absent Redis "
                f"{result.outages} times; `appendfsync always`, seed {options.seed}",
            ),
            details={"kills": result.kills, "records": result.records, "outages": result.outages},
        ),
        Row(
            "outages",
            "Redis back after {:g} to {:g} s to a writer's next record".format(*AWAY_SECONDS),
            Sample.of(back),
            goal=Goal(worst=3.0),
            violations=tuple(wrong),
        ),
    ]


@contextmanager
def _server(options: Options, name: str) -> Iterator[RedisServer]:
    server = RedisServer(options.place(f"outages-{name}"))
    try:
        yield server
    finally:
        server.kill()
