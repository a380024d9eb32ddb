"""`make drill`: random kills on this host, under jobs of the drill's own, and a report of what they cost.

Theory of operation. Nothing here touches the operator's stack: the drill is a Compose project of its own (the name ends
with `-drill`, compose.drill.yaml says what differs), with its own volumes, networks, passwords and no published port,
limited to a share of the machine. A conductor in a container of that project (`outlast.drill`) opens the jobs, follows
their logs, draws the kills and judges; this side is its hand, and kills by `docker exec` in containers of that project
alone. At the end, after Ctrl-C too, the project is removed with all that it had; what stays is the report.
"""

from __future__ import annotations

import base64
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from . import docker, dotenv, secrets
from .docker import DeployError
from .drill_report import lines, progress, wrong
from .interrupts import alone, interruptible, uninterrupted
from .options import in_words
from .stack import Container, Stack, seconds

OVERRIDE = "compose.drill.yaml"
#: Where what its containers said is kept, if something went wrong.
CONTAINERS = "containers.log"
FILES = ("report.md", "report.json", "chart.png", "conductor.log", CONTAINERS)
INTERRUPTED = 130

#: Images that the drill runs; `make up` makes them.
IMAGES = ("outlast-redis:local", "outlast-worker:local")
#: Parts of the drill's processors: what each container gets of them.
CPUS = {"worker": 0.65, "redis": 0.1, "model": 0.1, "conductor": 0.15}
#: The least that a drill runs with: two sessions at a time, Redis, the script's server and the conductor.
LEAST_CPUS, LEAST_MEMORY = 1.0, 3.5 * (1 << 30)
#: Bytes of all containers but the worker's, and what its two sessions have use for.
OTHERS_MEMORY, MOST_WORKER_MEMORY = 1.5 * (1 << 30), 4 * (1 << 30)
#: Default of SHARE in per cent.
SHARE = 25.0
#: A quarter of the least time (seconds) of a cell.
PAUSE = 0.2
#: Seconds that a container must have run to be killed as a whole: Docker restarts it at once then, and after a growing
#: pause if it ends more quickly.
STEADY_SECONDS = 11.0

#: What the jobs rely on, whatever the operator's own .env says.
_SETTINGS = {
    "OUTLAST_QUEUES": "default", "OUTLAST_ON_INTERRUPT": "rerun", "OUTLAST_WORKERS": "2", "OUTLAST_MAX_TURNS": "100",
    "OUTLAST_CONTEXT_WINDOW": "32768", "OUTLAST_MAX_TOKENS": "4096", "OUTLAST_OUTPUT_CHARS": "2800",
    # For the judge, who reads in the workers' logs which records they have appended.
    "OUTLAST_LOG_FORMAT": "json", "OUTLAST_LOG_LEVEL": "debug",
}  # fmt: skip

#: SIGKILL to everything in a container but its first process, which ends with it, so that Docker starts it again.
_KILL_ALL = "import os, time; print(time.time(), flush=True); os.kill(-1, 9)"

_SERVICES = {
    "redis": ("redis",), "model": ("vllm",), "container": ("worker",), "everything": ("redis", "worker", "vllm"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for; `share` in per cent, None for the default or what a drill needs at least."""

    jobs: int
    kills: int
    seed: int | None
    share: float | None
    output: Path


@dataclass(frozen=True, slots=True)
class Room:
    """What the drill takes of the machine."""

    share: float
    cpus: float
    memory: float
    of_cpus: int
    of_memory: int

    @property
    def worker_memory(self) -> float:
        return min(MOST_WORKER_MEMORY, self.memory - OTHERS_MEMORY)


def room(share: float | None, info: Mapping[str, Any]) -> Room:
    """The share in processors and bytes. DeployError if it is too little for a drill."""
    cpus, memory = int(info["NCPU"]), int(info["MemTotal"])
    least = max(LEAST_CPUS / cpus, LEAST_MEMORY / memory) * 100
    if least > 100:
        raise DeployError(
            f"A drill needs {LEAST_CPUS:g} processor and {in_words(LEAST_MEMORY)} of memory, "
            f"and this machine has {cpus} and {in_words(memory)}: run it on a larger one."
        )
    if share is not None and share < least:
        raise DeployError(
            f"SHARE={share:g}% of this machine is too little for a drill, which needs {LEAST_CPUS:g} processor and "
            f"{in_words(LEAST_MEMORY)} of memory: SHARE={-int(-least // 1)}% or more."
        )
    taken = max(SHARE, least) if share is None else share
    return Room(taken, cpus * taken / 100, memory * taken / 100, cpus, memory)


def drill(stack: Stack, order: Order) -> int:
    """Run a drill; its exit code: 0 only if nothing was lost, duplicated, run again, different or failed."""
    taken = _checked(stack, order)
    order.output.mkdir(parents=True, exist_ok=True)
    for name in FILES:  # another drill's, which nobody shall take for this one's
        (order.output / name).unlink(missing_ok=True)
    with alone(stack.directory / OVERRIDE), interruptible():
        try:
            told = _drilled(stack, order, taken)
        except KeyboardInterrupt:
            print("\nInterrupted: the drill's containers and volumes are removed, there is no report.", file=sys.stderr)
            return INTERRUPTED
    return _report(order.output, told)


def _drilled(stack: Stack, order: Order, taken: Room) -> dict[str, Any]:
    """What the conductor says in the end; whatever was started for it is gone by then."""
    seed = random.SystemRandom().randrange(10**6) if order.seed is None else order.seed
    own = _project(stack, order.output / ".stack", taken)
    say = sys.stdout if sys.stdout.isatty() else sys.stderr
    print(
        f"Drill {own.environ['COMPOSE_PROJECT_NAME']}: {order.jobs} jobs, {order.kills} kills, seed {seed}; at most "
        f"{taken.share:.0f} % of this machine ({taken.cpus:.1f} of {taken.of_cpus} processors, "
        f"{in_words(taken.memory)} of {in_words(taken.of_memory)}). Your own jobs are not touched.",
        file=say,
        flush=True,
    )
    try:
        _remove(own)  # what a drill has left that was killed itself
        _start(own)
        told = _conducted(own, order, seed, say)
        if wrong(told["report"]):
            _keep_logs(own, order.output)
        return told
    except DeployError as error:
        _keep_logs(own, order.output)
        raise DeployError(f"{error} {order.output}/{CONTAINERS} has what its containers said.") from error
    finally:
        with uninterrupted():
            _remove(own)
            shutil.rmtree(order.output / ".stack", ignore_errors=True)


def _checked(stack: Stack, order: Order) -> Room:
    """Whether there are engine, images and room. DeployError."""
    if order.jobs < 1 or order.kills < 1:
        raise DeployError("A drill needs one job and one kill at least: make drill N=20 KILLS=60.")
    if order.share is not None and not 0 < order.share <= 100:
        raise DeployError(f"SHARE={order.share:g}% is not a share of this machine: a number up to 100.")
    asked = stack.docker("info", "--format", "{{json .}}")
    if not asked.ok:
        raise docker.failure("ask the engine what this machine has", asked)
    for image in IMAGES:
        if not stack.docker("image", "inspect", "--format", "{{.Id}}", image).ok:
            raise DeployError(f"There is no image {image}, and a drill builds none: make up does.")
    return room(order.share, json.loads(asked.out))


def _project(stack: Stack, place: Path, taken: Room) -> Stack:
    """The drill's own stack, its settings and passwords in `place`."""
    shutil.rmtree(place, ignore_errors=True)
    (place / "data").mkdir(parents=True)
    secrets.make(place / "secrets")
    # The operator's own settings of workers and cells count in the drill too, but for what a drill is about.
    given = dotenv.read(stack.env_file.read_text(encoding="utf-8")) if stack.env_file.exists() else []
    kept = {entry.name: entry.value for entry in given if entry.name.startswith("OUTLAST_")}
    kept |= _SETTINGS
    env_file = place / "env"
    env_file.write_text("".join(f"{name}='{value}'\n" for name, value in kept.items()), encoding="utf-8")
    name = stack.environ.get("COMPOSE_PROJECT_NAME") or next(
        (entry.value for entry in given if entry.name == "COMPOSE_PROJECT_NAME"), "outlast"
    )
    own = {
        "COMPOSE_PROJECT_NAME": f"{name}-drill",
        "COMPOSE_FILE": f"compose.yaml:{OVERRIDE}",
        "COMPOSE_ENV_FILES": str(env_file.resolve()),
        "COMPOSE_PROFILES": "conductor",
        "SECRETS_DIR": str((place / "secrets").resolve()),
        "DATA_DIR": str((place / "data").resolve()),
        **_SETTINGS,
        "REDIS_MEMORY": "256mb",
        "REDIS_MEMORY_LIMIT": "512mb",
        "WORKER_MEMORY": str(int(taken.worker_memory)),
        "WORKER_CPUS": f"{taken.cpus * CPUS['worker']:.2f}",
        "DRILL_REDIS_CPUS": f"{taken.cpus * CPUS['redis']:.2f}",
        "DRILL_MODEL_CPUS": f"{taken.cpus * CPUS['model']:.2f}",
        "DRILL_CONDUCTOR_CPUS": f"{taken.cpus * CPUS['conductor']:.2f}",
        "DRILL_PAUSE": str(PAUSE),
    }
    return Stack(stack.directory, {**stack.environ, **own})


def _keep_logs(own: Stack, output: Path) -> None:
    """Save what the containers have said, which goes with them."""
    said = own.compose("logs", "--no-color", "--timestamps")
    (output / CONTAINERS).write_text(said.out + said.err, encoding="utf-8")


def _start(own: Stack) -> None:
    # Nobody waits until all is well here: the conductor's first jobs do.
    started = own.compose("up", "--detach", "--no-build", "redis", "worker", "vllm")
    if not started.ok:
        raise docker.failure("start the drill's containers", started)


def _remove(own: Stack) -> None:
    """Take the project away with its volumes and networks; nothing of another project can be meant."""
    removed = own.compose("down", "--volumes", "--remove-orphans", "--timeout", "2")
    if not removed.ok:
        raise docker.failure(f"remove the project {own.environ['COMPOSE_PROJECT_NAME']}", removed)


def _conducted(own: Stack, order: Order, seed: int, say: TextIO) -> dict[str, Any]:
    """Run the conductor to its end, and kill what it names; its last line. DeployError."""
    words = ["docker", "compose", "run", "--rm", "-T", "--no-deps", "conductor", "python", "-m", "outlast.drill"]
    words += ["conduct", "--jobs", str(order.jobs), "--kills", str(order.kills), "--seed", str(seed)]
    # Out of reach of the terminal's Ctrl-C, as every command here: who interrupts gets to decide what stops.
    with (order.output / "conductor.log").open("wb") as log, subprocess.Popen(
        words, cwd=own.directory, env=dict(own.environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
        text=True, errors="replace", start_new_session=True,
    ) as conductor:  # fmt: skip
        assert conductor.stdin is not None and conductor.stdout is not None
        try:
            for line in conductor.stdout:
                told: dict[str, Any] = json.loads(line)
                if "strike" in told or "logs" in told:
                    answer = _logs(own) if "logs" in told else _struck(own, told["strike"], told["worker"])
                    conductor.stdin.write(json.dumps(answer) + "\n")
                    conductor.stdin.flush()
                elif "tell" in told:
                    progress(told["tell"], order.kills, order.jobs, say)
                elif "stuck" in told:
                    raise DeployError(told["stuck"])
                else:
                    return told
        except BaseException:
            conductor.kill()
            raise
    said = docker.last_line((order.output / "conductor.log").read_text(errors="replace"))
    raise DeployError(
        f"The drill's conductor ended without a report ({said.rstrip('.')}); "
        "make up makes the image anew if it is older than these files."
    )


def _logs(own: Stack) -> list[str]:
    """What the workers have logged; a container that was only started again has kept it all. DeployError."""
    said = own.compose("logs", "--no-color", "--no-log-prefix", "worker")
    if not said.ok:
        raise docker.failure("read the logs of the drill's workers", said)
    return said.out.splitlines()


def _struck(own: Stack, victim: str, worker: str) -> float | None:
    """SIGKILL to what the conductor names; the time just before, None if it is not there, or not to be killed yet."""
    containers = {it.service: it for it in own.containers(own.environ["COMPOSE_PROJECT_NAME"])}
    if victim not in _SERVICES:
        words = ["python", "-m", "outlast.drill", "strike", victim, worker]
        return _exec(own, containers["worker"], *words) if containers["worker"].running else None
    hit = [containers[service] for service in _SERVICES[victim]]
    if not all(it.running and time.time() - seconds(it.started) > STEADY_SECONDS for it in hit):
        return None
    with ThreadPoolExecutor(len(hit)) as threads:
        times = [*threads.map(lambda container: _exec(own, container, "python3", "-c", _KILL_ALL), hit)]
    return min((at for at in times if at is not None), default=None)


def _exec(own: Stack, container: Container, *words: str) -> float | None:
    """The time that a command in a container prints before it kills; it may well not live to exit by itself."""
    said = own.docker("exec", container.id, *words).out.strip()
    return float(said) if said and said != "null" else None


def _report(output: Path, told: Mapping[str, Any]) -> int:
    """Write the files and print what matters; the exit code."""
    report, chart = told["report"], base64.b64decode(told["chart"])
    (output / "report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    (output / "report.md").write_text(told["page"], encoding="utf-8")
    (output / "chart.png").write_bytes(chart)
    for line in lines(report, as_json=not sys.stdout.isatty()):
        print(line)
    more = f", {CONTAINERS}" if wrong(report) else ""
    missing = "" if chart else f" The chart could not be drawn: {output}/conductor.log says why."
    print(f"In {output}: report.md, report.json, chart.png{more}.{missing}", file=sys.stderr)
    return 1 if wrong(report) or not chart else 0
