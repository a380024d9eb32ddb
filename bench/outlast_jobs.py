"""What the figures need of a fleet beyond what the tests need."""

from __future__ import annotations

import time
from typing import Any

import redis
from rq import Queue

from outlast.drill.ledger import second_runs
from outlast.queue import keys
from tests.fleet import Fleet
from tests.observer import PATIENCE, NeverHappened

#: File in a session's directory that every cell begins by appending its number to.
RAN = "ran.txt"


def enqueue(fleet: Fleet, session: str, prompt: str, **options: Any) -> None:
    """What `rq enqueue outlast.run` does, without the start of another Python."""
    with redis.Redis.from_url(fleet.redis.url) as connection:
        Queue(connection=connection).enqueue("outlast.run", prompt=prompt, job_id=session, **options)


def wait_until_idle(fleet: Fleet) -> None:
    """Wait until every worker of the fleet waits for a job."""
    deadline = time.monotonic() + PATIENCE
    for name in list(fleet.workers):
        while fleet.connection.hget(f"rq:worker:{name}", "state") != b"idle":
            if time.monotonic() > deadline:
                log = (fleet.directory / f"{name}.log").read_text(errors="replace")[-2000:]
                raise NeverHappened(f"{name} does not become idle:\n{log}")
            time.sleep(0.02)


def holder_of(fleet: Fleet, job: str) -> str | None:
    """The worker that has the job in its hand, an attempt opened or not; None if no living lease has it."""
    leases: Any = fleet.connection.hkeys(keys.LEASES)
    for lease in (name.decode() for name in leases):
        hand: Any = fleet.connection.lrange(keys.hand_key(lease), 0, -1)
        if job.encode() in hand:
            return keys.worker_of(lease)
    return None


def ran(fleet: Fleet, session: str) -> list[int]:
    """The numbers that the session's cells appended."""
    path = fleet.workspaces / session / "files" / RAN
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def problems_of(fleet: Fleet, session: str) -> list[str]:
    """What is wrong with a session that should have finished, as sentences."""
    state = fleet.state(session)
    problems = [] if state.closed is not None and state.closed.how == "finished" else [f"it ended as {state.closed}"]
    verdict = fleet.verify(session)
    problems += [f"verify: {problem}" for problem in verdict.problems]
    problems += second_runs(fleet.log(session).read(), ran(fleet, session))
    return [f"{session}: {problem}" for problem in problems]
