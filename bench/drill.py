"""A thousand random kills over two hundred jobs: what is lost, doubled or different, and how soon it goes on.

The drill of `make drill` (services/outlast/drill) with workers of a fleet instead of containers: the Redis that its
container runs, two workers, the scripted model server in a process of its own. What is killed is started again at
once, as Docker and the supervisor would.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import yaml

from outlast.drill import jobs
from outlast.drill.conductor import Conductor, Order
from outlast.drill.judge import KINDS
from outlast.drill.report import SHARES, report
from outlast.drill.schedule import OF_A_SESSION
from outlast.log.redis_log import connect
from tests.fleet import ROOT, Fleet, kill
from tests.kept_redis import KeptRedis
from tests.ports import free_port

from .crew import Crew
from .figure import Options, Row
from .sample import Goal, Sample
from .table import amount

WORKERS = 2
#: A quarter of the least time (seconds) that a cell takes.
PAUSE = 0.05


class FleetHand:
    """Kills parts of a fleet, and keeps its Redis and its model server running until the block ends."""

    def __init__(self, place: Path, kernel_python: Path, *, warm_workers: bool) -> None:
        self._script = place / "script.yaml"
        self._script.write_text(yaml.safe_dump(jobs.script(PAUSE)), encoding="utf-8")
        self._model: subprocess.Popen[bytes] | None = None
        # One thread for all restarts: Redis ends with the thread that has started it.
        self._mender = ThreadPoolExecutor(1, "redis")
        self._mending: Future[None] | None = None
        self._redis = KeptRedis(place / "redis")
        self._port = free_port()
        self.fleet = Fleet(
            place,
            [],
            kernel_python,
            workers=0,
            server=self._redis,
            environment={"OUTLAST_MODEL_URL": f"http://127.0.0.1:{self._port}/v1", "OUTLAST_LOG_LEVEL": "debug"},
            warm_workers=warm_workers,
        )
        self.crew = Crew(self.fleet, WORKERS)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self._redis.kill)
            stack.callback(self._mender.shutdown)
            stack.callback(self._end_model)
            stack.enter_context(self.fleet)
            self._model = self._new_model()
            stack.enter_context(self.crew)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def strike(self, victim: str, worker: str) -> float | None:
        """As `Hand`."""
        if victim in OF_A_SESSION:
            return self.crew.strike(worker, victim)
        if victim == "container":
            return self._end_workers()
        if victim == "model":
            return self._model_struck()
        if self._mending is not None and not self._mending.done():
            return None
        at = time.time()
        kill(self._redis.pid)
        if victim == "everything":
            self._end_workers()
            self._model_struck()
        self._mending = self._mender.submit(self._redis.restart)
        return at

    def logs(self) -> Iterator[str]:
        """As `Hand`."""
        for path in self.fleet.directory.glob("worker-*.log"):
            yield from path.read_text(encoding="utf-8", errors="replace").splitlines()

    def _model_struck(self) -> float:
        at = time.time()
        self._end_model()
        self._model = self._new_model()
        return at

    def _end_workers(self) -> float | None:
        times = [self.crew.strike(name, "all") for name in list(self.fleet.workers)]
        return min((at for at in times if at is not None), default=None)

    def _new_model(self) -> subprocess.Popen[bytes]:
        program = [sys.executable, str(ROOT / "services/outlast/drill/scripted_model.py"), str(self._script)]
        with (self.fleet.directory / "model.log").open("ab") as log:
            return subprocess.Popen(
                [*program, "--port", str(self._port)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _end_model(self) -> None:
        if self._model is not None:
            self._model.kill()
            self._model.wait()


def drill(
    place: Path,
    kernel_python: Path,
    order: Order,
    tell: Callable[[Mapping[str, Any]], None],
    *,
    warm_workers: bool = False,
) -> dict[str, Any]:
    """Run a drill with a fleet in `place`; its report. `ended` are workers that ended without being killed.

    `warm_workers` are back sooner than those of a deployment, so their recoveries are no measurement.
    """
    with (
        FleetHand(place, kernel_python, warm_workers=warm_workers) as hand,
        connect(hand.fleet.redis.client_url) as client,
    ):
        result = Conductor(client, hand.fleet.workspaces, hand, order, tell).run()
        return report(result) | {"ended": hand.crew.ended}


def measure(options: Options) -> list[Row]:
    """One row about what went wrong, and one for each victim about how soon the jobs went on."""
    order = Order(options.jobs or (12 if options.quick else 200), options.count(1000, 60), options.seed)
    told = drill(options.place("drill"), options.kernel_python, order, lambda event: options.say(f"drill: {event}"))
    what = f"kills over {told['jobs']} jobs: lost, duplicated, run again, different or failed, of {told['kills']}"
    wrong = Row(
        "drill",
        what,
        Sample.of([sum(told[kind] for kind in KINDS)]),
        unit="count",
        goal=Goal(worst=0),
        violations=(*told["problems"], *told["ended"]),
        notes=(f"seed {told['seed']}; {told['records']} records in {told['seconds']:.0f} s",),
        details=told,
    )
    return [wrong, *(_recovery(victim, spread, told) for victim, spread in told["recovery"].items())]


def _recovery(victim: str, spread: Mapping[str, float], told: Mapping[str, Any]) -> Row:
    times = [each["went_on"] for each in told["faults"] if victim in ("all", each["victim"])]
    named = ", ".join(f"{name} {amount(spread[name], 's')}" for name in SHARES)
    what = f"SIGKILL of {'whatever it was' if victim == 'all' else victim} to the job going on"
    return Row("drill", what, Sample.of([each for each in times if each is not None]), notes=(f"{what}: {named}",))
