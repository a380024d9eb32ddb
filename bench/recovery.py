"""From SIGKILL to the next attempt's first record, a second worker idle.

Two workers; one holds a session in the middle of a cell. At a random instant (the lease is renewed four times in its
length, so the instant matters) the worker, its child, the guardian and the kernel get SIGKILL. The sample is the time
in the next attempt's `attempt.opened` minus the time just before the first signal: one machine, one clock. A second
row goes on to the moment at which the interrupted cell runs again, its variables back. Nothing here waits in
parallel with something else, and the killed worker is replaced before the next run.

Stock RQ is killed in the same way with a second worker idle; the sample is the time until RQ has noticed, which
it shows by failing the job (it restores nothing). With its default settings that was 811 s, which only --full waits
for; --stock takes the most aggressive flags there are.
"""

from __future__ import annotations

import time
from pathlib import Path

from outlast.log.project import Projection
from outlast.log.records import Record
from tests.fleet import Fleet
from tests.observer import NeverHappened

from .figure import MEASURED, Beside, Options, Row
from .outlast_jobs import problems_of, wait_until_idle
from .sample import Goal, Sample
from .stock_queue import stock_queue, until

AGGRESSIVE = ("--worker-ttl", "16", "--maintenance-interval", "1", "--job-monitoring-interval", "1")
#: The middle cell runs until the file is there; x is what must be back.
REPLIES = [
    "One.\n```python\nx = [1, 2, 3]\n```",
    "Two.\n```python\nimport os, time\nprint('working', flush=True)\n"
    "while not os.path.exists('go'): time.sleep(0.01)\nprint(sum(x))\n```",
    "Done.",
]


def measure(options: Options) -> list[Row]:
    """Two rows of ours; stock RQ beside the first."""
    place = options.place("recovery")
    opened, resumed, violations = ours(place / "ours", options)
    return [
        Row(
            "recovery",
            "SIGKILL of worker, child and kernel to attempt.opened of the next",
            Sample.of(opened) if opened else None,
            goal=Goal(median=3.0, worst=5.0),
            beside=stock(place, options),
            violations=tuple(violations),
        ),
        Row(
            "recovery",
            "the same kill to the cell running again, variables back",
            Sample.of(resumed) if resumed else None,
        ),
    ]


def ours(place: Path, options: Options) -> tuple[list[float], list[float], list[str]]:
    """Seconds to the next attempt and to the cell's second run; what was wrong."""
    chance = options.random("recovery")
    opened: list[float] = []
    resumed: list[float] = []
    violations: list[str] = []
    with Fleet(place, REPLIES, options.kernel_python, workers=2) as fleet:
        wait_until_idle(fleet)
        for number in range(1, options.count(50, 5) + 1):
            session = f"recovery-{number}"
            fleet.enqueue(session)
            fleet.wait(session, lambda state, record: record.type == "cell.output" and state.cell == 2)
            time.sleep(chance.uniform(0, 1))
            killed_at = fleet.kill_holder(session)
            try:
                _, next_attempt = fleet.wait(session, lambda state, record: _opening(state, record))
                fleet.wait(session, lambda state, record: record.type == "cell.output" and state.attempt == 2)
                (fleet.workspaces / session / "files" / "go").touch()
                fleet.finished(session)
                fleet.job_status(session, "finished")
            except NeverHappened as lost:
                violations.append(f"{session} did not go on after the kill: {lost}")
                break
            again = [record.at for record in fleet.log(session).read() if record.type == "cell.started"]
            opened.append(next_attempt.at - killed_at)
            resumed.append(again[-1] - killed_at)
            violations += problems_of(fleet, session)
            options.say(f"recovery {number}: {opened[-1]:.2f} s, cell {resumed[-1]:.2f} s")
            fleet.start_worker(f"worker-{number + 2}")
            wait_until_idle(fleet)
    return opened, resumed, violations


def _opening(state: Projection, record: Record) -> bool:
    return record.type == "attempt.opened" and state.attempt == 2


def stock(place: Path, options: Options) -> tuple[Beside, ...]:
    """What is known of stock RQ, measured as far as the options allow."""
    name = "stock RQ 3.0.0, default settings (then failed)"
    noted = "811 s, then failed: measured once, November 2026, 2 cores; --full waits for it"
    default = Beside(name, None, noted)
    if options.full:
        default = Beside(name, Sample.of([until_noticed(place / "rq-default", (), options)]))
    name = "stock RQ 3.0.0, most aggressive flags (then failed)"
    noted = "61 s, then failed: measured once, November 2026, 2 cores; --stock measures it"
    aggressive = Beside(name, None, noted)
    if options.stock:
        seconds = until_noticed(place / "rq-aggressive", AGGRESSIVE, options)
        aggressive = Beside(name, Sample.of([seconds]), f"{MEASURED}: {' '.join(AGGRESSIVE)}")
    return default, aggressive


def until_noticed(place: Path, flags: tuple[str, ...], options: Options) -> float:
    """Seconds until stock RQ no longer says that a job runs whose worker was killed."""
    with stock_queue(place) as stock:
        stock.start_worker("one", flags)
        started = place / "started"
        job = stock.queue.enqueue("bench.stock_job.work", str(started), job_timeout=7200)
        until(started.exists, 60, "the stock job to start")
        stock.start_worker("two", flags)
        killed_at = stock.kill_worker("one")
        options.say(f"stock RQ {' '.join(flags) or 'with default settings'}: killed, waiting")
        until(lambda: job.get_status() != "started", 1200, "stock RQ to notice")
        return time.time() - killed_at
