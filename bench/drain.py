"""From SIGTERM to the worker's exit, in the middle of a cell that can be interrupted.

The cell has `OUTLAST_DRAIN_GRACE` seconds (1 by default) to end by itself; it does not, and is interrupted. The worker
must leave with exit code 0, the attempt be closed as drained, and the next worker go on with the job.
"""

from __future__ import annotations

import time

from outlast.log.records import AttemptClosed
from tests.fleet import Fleet
from tests.observer import PATIENCE, NeverHappened, bodies

from .figure import Options, Row
from .outlast_jobs import problems_of, wait_until_idle
from .recovery import REPLIES
from .sample import Goal, Sample


def measure(options: Options) -> list[Row]:
    """One row."""
    seconds: list[float] = []
    violations: list[str] = []
    with Fleet(options.place("drain"), REPLIES, options.kernel_python, workers=2) as fleet:
        wait_until_idle(fleet)
        for number in range(1, options.count(30, 3) + 1):
            session = f"drain-{number}"
            fleet.enqueue(session)
            fleet.wait(session, lambda state, record: record.type == "cell.output" and state.cell == 2)
            worker = fleet.workers.pop(fleet.holder(session))
            began = time.monotonic()
            worker.terminate()
            code = worker.wait(PATIENCE)
            seconds.append(time.monotonic() - began)
            (fleet.workspaces / session / "files" / "go").touch()
            try:
                fleet.wait(session, lambda _, record: record.type == "session.finished")
                fleet.job_status(session, "finished")
            except NeverHappened as lost:
                violations.append(f"{session} did not go on after the drain: {lost}")
                break
            closings = [body.how for body in bodies(fleet.log(session).read(), AttemptClosed)]
            if code or closings != ["drained", "finished"]:
                violations.append(f"{session}: exit code {code}, attempts closed as {closings}")
            violations += problems_of(fleet, session)
            options.say(f"drain {number}: {seconds[-1]:.2f} s")
            fleet.start_worker(f"worker-{number + 2}")
            wait_until_idle(fleet)
    return [
        Row(
            "drain",
            "SIGTERM to the exit of a worker in the middle of a cell",
            Sample.of(seconds),
            goal=Goal(median=1.5),
            violations=tuple(violations),
        )
    ]
