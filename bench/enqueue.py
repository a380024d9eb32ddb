"""From `rq enqueue` to the first model request, warm worker.

First row: the time runs from just before RQ's own `Queue.enqueue` in this process (what the command does once Python
has started), so it holds the writing of the job, the worker's taking it, the fork, the opening of session and attempt
in the log, and the request's way to the scripted model. Second row: from the start of the `rq` command itself.
Requests for a single token (the probe whether the server continues a text) are not the model request meant here.

Beside it, a stock worker whose function does what people do: import Open Interpreter and chat.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rq.job import Job

from outlast.drill.scripted_model import Arrival, ScriptedModel
from tests.fleet import Fleet

from .figure import Beside, Options, Row
from .outlast_jobs import enqueue, wait_until_idle
from .sample import Goal, Sample
from .stock_queue import stock_queue, until

#: Jobs whose time is not taken: the worker is to be warm.
WARM_UP = 3


def measure(options: Options) -> list[Row]:
    """In process, by command, and stock."""
    place = options.place("enqueue")
    in_process, by_command = ours(place / "ours", options)
    stock = Beside("stock RQ worker, function imports Open Interpreter", through_stock(place / "stock", options))
    goal = Goal(median=0.1)
    return [
        Row("enqueue", "job in Redis to first model request, warm worker", in_process, goal=goal, beside=(stock,)),
        Row("enqueue", "start of the `rq enqueue` command to first model request", by_command),
    ]


def ours(place: Path, options: Options) -> tuple[Sample, Sample]:
    """Through RQ's Python interface, and through its command."""
    with Fleet(place, ["Done."], options.kernel_python, workers=1) as fleet:
        wait_until_idle(fleet)

        def by_interface(session: str) -> None:
            enqueue(fleet, session, f"go {session}")

        def by_command(session: str) -> None:
            command = ["enqueue", "--quiet", "--job-id", session, "outlast.run", f"prompt=go {session}"]
            subprocess.run(
                [sys.executable, "-m", "rq.cli", *command],
                env=fleet.environment,
                cwd=fleet.directory,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                check=True,
            )

        for number in range(WARM_UP):
            _once(fleet, f"warm-{number}", by_interface)
        interface = [_once(fleet, f"api-{number}", by_interface) for number in range(options.count(50, 10))]
        command = [_once(fleet, f"cli-{number}", by_command) for number in range(options.count(10, 3))]
    return Sample.of(interface), Sample.of(command)


def _once(fleet: Fleet, session: str, send: Callable[[str], None]) -> float:
    """Send one job, see it finished, and return the seconds until its model request."""
    seen = len(fleet.model.arrivals)
    began = time.time()
    send(session)
    fleet.job_status(session, "finished")
    return first_request(fleet.model.arrivals[seen:]) - began


def first_request(arrivals: list[Arrival]) -> float:
    """When the first real request came."""
    return next(arrival.at for arrival in arrivals if arrival.body.get("max_tokens") != 1)


def through_stock(place: Path, options: Options) -> Sample:
    """A stock worker, one job after the other."""
    seconds = []
    with stock_queue(place) as stock, ScriptedModel(["Done."]) as model:
        stock.start_worker("stock")
        for number in range(options.count(5, 1)):
            seen = len(model.arrivals)
            began = time.time()
            job = stock.queue.enqueue("bench.stock_job.converse", model.url, job_id=f"stock-{number}", job_timeout=300)
            arrivals = model.wait_for(_more_than(seen), 120)
            seconds.append(first_request(arrivals[seen:]) - began)
            until(partial(_has_ended, job), 120, f"{job.id} to end")
    return Sample.of(seconds)


def _more_than(count: int) -> Callable[[Sequence[Arrival]], bool]:
    return lambda arrivals: len(arrivals) > count


def _has_ended(job: Job) -> bool:
    return job.get_status() in ("finished", "failed")
