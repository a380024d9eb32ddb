"""The deployment in real containers: how long a death, a restart and a start take.

A stack of the tests (tests/stack/stack.py): the product's images and compose.yaml, a script as the model server,
a copy of the repository of its own. Every sample is the time in a record of the session's log minus the time just
before the kill or the command: one machine, one clock.

- A worker container killed while a second one idles: SIGKILL from the host to its first process, to `attempt.opened`.
- The only worker container killed in the same way, and restarted by Docker: to `attempt.opened`.
- `make restart S=worker`: from the command to the cell that runs again; the attempt before must have been drained.
- `make up` with built images and the real tiny model, to its end; and in it, from the first container's start until
  Redis and the worker are healthy, by Docker's own events.

Docker waits before it restarts a container that has not run for 10 s: 0.1 s, and twice as long with each such end in a
row. Kills of a bench would come that often, those of an accident do not; so each kill waits until that is over.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from outlast.log.project import Projection
from outlast.log.records import AttemptClosed, Record
from tests.observer import NeverHappened, bodies
from tests.stack.stack import ROOT, Stack, cell_speaks, docker, with_real_model, with_scripted_model

from .figure import Beside, Options, Row
from .sample import Goal, Sample

#: Seconds that a container must have run for Docker to restart it at once, and a little more.
STEADY = 11.0

STOCK = Beside(
    "stock RQ 3.0.0, default settings (then failed)", None, "811 s, then failed: measured once, November 2026"
)


def measure(options: Options) -> list[Row]:
    """Four rows; none where there is no engine."""
    if docker("version", check=False).returncode:
        options.say("containers: left out, no Docker Engine answers (tools/engine starts one)")
        return []
    made = subprocess.run([ROOT / "tests/stack/tiny-model"], check=True, capture_output=True, text=True)
    model = ROOT / made.stdout.strip().splitlines()[-1]
    runs = options.count(20, 3)
    with with_scripted_model(options.place("containers"), model) as stack:
        stack.make("up")
        stack.connect()
        alone = _sessions(stack, "alone", runs, options, stack.kill_holder, _opened)
        drained = _sessions(stack, "drained", runs, options, lambda _: _restart(stack), _runs_again, closing="drained")
        stack.compose("up", "--detach", "--wait", "--no-recreate", "--scale", "worker=2")
        beside = _sessions(stack, "beside", runs, options, stack.kill_holder, _opened)
    with with_real_model(options.place("up"), model) as stack:
        up, waiting = _starts(stack, options.count(5, 1), options)
    return [
        _row("a worker container killed, a second one idle, to attempt.opened", beside, Goal(median=4.0), STOCK),
        _row(
            "the only worker container killed, restarted by Docker, to attempt.opened", alone, Goal(median=10.0), STOCK
        ),
        _row("make restart S=worker to the cell running again", drained, Goal(worst=8.0)),
        _row("make up, images built, tiny model on the processor, to its end", (up, []), Goal(worst=90.0)),
        _row("in it, first container's start to Redis and worker healthy", (waiting, []), Goal(worst=10.0)),
    ]


def _row(what: str, measured: tuple[list[float], list[str]], goal: Goal, *beside: Beside) -> Row:
    seconds, violations = measured
    return Row(
        "containers",
        what,
        Sample.of(seconds) if seconds else None,
        goal=goal,
        beside=beside,
        violations=tuple(violations),
    )


def _opened(state: Projection, record: Record) -> bool:
    return record.type == "attempt.opened" and state.attempt == 2


def _runs_again(state: Projection, record: Record) -> bool:
    return record.type == "cell.output" and state.attempt == 2


def _sessions(
    stack: Stack,
    name: str,
    runs: int,
    options: Options,
    disturb: Callable[[str], float],
    resumed: Callable[[Projection, Record], bool],
    closing: str = "",
) -> tuple[list[float], list[str]]:
    """Seconds from each disturbance to the record that `resumed` picks; what was wrong."""
    chance = options.random(name)
    seconds: list[float] = []
    violations: list[str] = []
    for number in range(1, runs + 1):
        session = stack.enqueue(f"{name}-{number}", "gated")
        stack.wait(session, cell_speaks(3))
        time.sleep(_until_steady(stack) + chance.uniform(0, 1))
        try:
            began = disturb(session)
            _, record = stack.wait(session, resumed)
            stack.let_go(session)
            stack.finished(session)
        except NeverHappened as lost:
            violations.append(f"{session} did not go on: {lost}")
            break
        seconds.append(record.at - began)
        options.say(f"containers {session}: {seconds[-1]:.2f} s")
        stack.wait_healthy()
        if stack.ran(session) != ["1", "2", "3", "3", "4"] or not stack.verify(session).ok:
            violations.append(f"{session} ran its cells as {stack.ran(session)}, verify: {stack.verify(session)}")
        closed = [body.how for body in bodies(stack.log(session).read(), AttemptClosed)]
        if closing and closed[0] != closing:
            violations.append(f"{session}: its first attempt ended as {closed[0]}, not {closing}")
    return seconds, violations


def _until_steady(stack: Stack) -> float:
    """Seconds until every worker container has run long enough."""
    facts = [stack.inspect(container) for container in stack.containers("worker")]
    started = [datetime.fromisoformat(each["State"]["StartedAt"][:19] + "+00:00").timestamp() for each in facts]
    return max(0.0, max(started) + STEADY - time.time())


def _restart(stack: Stack) -> float:
    began = time.time()
    stack.make("restart", "S=worker")
    return began


def _starts(stack: Stack, runs: int, options: Options) -> tuple[list[float], list[float]]:
    """Seconds of each `make up`, and in it until Redis and the worker were healthy."""
    stack.make("up")
    seconds, waiting = [], []
    for _ in range(runs):
        stack.make("down")
        began = time.time()
        stack.make("up")
        seconds.append(time.time() - began)
        waiting.append(_until_healthy(stack, began, "redis", "worker"))
        options.say(f"containers make up: {seconds[-1]:.1f} s, Redis and worker after {waiting[-1]:.1f} s")
    return seconds, waiting


def _until_healthy(stack: Stack, since: float, *services: str) -> float:
    """Seconds from the start of the stack's first container to the moment when all `services` were healthy."""
    told = docker(
        *("events", "--since", f"{since:.3f}", "--until", f"{time.time():.3f}"),
        *("--filter", f"label=com.docker.compose.project={stack.project}", "--format", "{{json .}}"),
    )
    events = [json.loads(line) for line in told.stdout.splitlines()]
    started = min(event["timeNano"] for event in events if event["Action"] == "start")
    healthy = [
        min(event["timeNano"] for event in events if _is_of(event, service) and event["Action"].endswith(": healthy"))
        for service in services
    ]
    return float(max(healthy) - started) / 1e9


def _is_of(event: dict[str, Any], service: str) -> bool:
    return bool(event["Actor"]["Attributes"].get("com.docker.compose.service") == service)
