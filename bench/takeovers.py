"""False take-overs while the machine has nothing left to give.

A busy loop a processor and two writers that sync every block run for a minute beside two workers that are never
without a job. Nothing is killed, so every attempt after a session's first that says `crash` is a healthy worker
taken for dead. There must be none.
"""

from __future__ import annotations

import shutil
import time

from outlast.log.records import AttemptOpened
from tests.fleet import Fleet

from . import demo_job
from .crew import Crew
from .figure import Options, Row
from .kills import LANES
from .lanes import run_lanes
from .load import full_load
from .outlast_jobs import enqueue, problems_of
from .sample import Goal, Sample

#: Seconds under load; jobs that run then are seen to their end.
SECONDS, QUICK_SECONDS = 60.0, 15.0
#: Seconds for one job on a machine that gives it little.
PATIENCE = 600.0


def measure(options: Options) -> list[Row]:
    """One row; the count is of take-overs."""
    place = options.place("takeovers")
    seconds = QUICK_SECONDS if options.quick else SECONDS
    crashes: list[str] = []
    problems: list[str] = []
    finished: list[str] = []
    with Fleet(place, demo_job.script(), options.kernel_python, workers=0) as fleet:
        demo_job.write_data(fleet.data / demo_job.DATA, 0.5 if options.quick else 3, options.seed)
        with Crew(fleet, LANES) as crew, full_load(place, seconds + PATIENCE) as load:
            end = time.monotonic() + seconds

            def work(number: int) -> bool:
                session = f"loaded-{number}"
                enqueue(fleet, session, "clean the sales and draw them by region", files=[demo_job.DATA])
                fleet.finished(session, PATIENCE)
                fleet.job_status(session, "finished", "failed")
                openings = [record for record in fleet.log(session).read() if record.type == "attempt.opened"]
                for record in openings:
                    body = record.body
                    if isinstance(body, AttemptOpened) and body.why != "first":
                        crashes.append(f"{session}: attempt {record.id.attempt} by {body.worker} because of {body.why}")
                problems.extend(problems_of(fleet, session))
                finished.append(session)
                shutil.rmtree(fleet.workspaces / session, ignore_errors=True)
                return time.monotonic() < end

            problems += run_lanes(LANES, None, work)
            problems += crew.ended
    return [
        Row(
            "takeovers",
            f"false take-overs in {seconds:.0f} s of full load",
            Sample.of([len(crashes)]),
            unit="count",
            goal=Goal(worst=0),
            violations=tuple(crashes + problems),
            notes=(f"{load}; {len(finished)} jobs ran to their end meanwhile",),
        )
    ]
