"""The stack in real containers, used as an operator uses it: `make up`, `rq`, `docker compose`.

Each `Stack` lives in a copy of the repository, with an `.env`, secrets, project name and port of its own, so that it
meets nothing of a stack that runs on the same machine. The images are the product's own, built by `make up`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import yaml

from outlast.log.project import Projection
from outlast.log.records import Record
from outlast.log.redis_log import connect
from tests.observer import PATIENCE, Observer
from tests.ports import free_port

ROOT = Path(__file__).parent.parent.parent
SERVICES = ("redis", "worker", "vllm")
#: The base image that tools/base-image makes; where it is missing the official one is pulled.
BASE_IMAGE = "outlast-base:bookworm"
#: What every stack of the tests is given: little memory, a small model.
SMALL = {"WORKER_MEMORY": "3g", "REDIS_MEMORY": "256mb", "OUTLAST_CONTEXT_WINDOW": "4096", "OUTLAST_MAX_TOKENS": "512"}
#: Seconds for a command of Docker's or make's: a hang fails the test instead of the run.
COMMAND = 900

_WAIT = ("up", "--detach", "--wait", "--no-build", "--no-recreate", "--scale")

Done = subprocess.CompletedProcess[str]


class CommandFailed(AssertionError):
    """A command exited otherwise than the test needs; the message holds all that it said."""


def docker(*arguments: str, check: bool = True, stdin: str | None = None, directory: Path | None = None) -> Done:
    """A `docker` command; CommandFailed with its output where `check` and it fails."""
    return _run(["docker", *arguments], check=check, stdin=stdin, directory=directory)


def build(tag: str, dockerfile: str, *arguments: str) -> str:
    """Build an image from what lies here, on our own base image where there is one; its layers are cached. The tag."""
    own = docker("image", "inspect", BASE_IMAGE, check=False).returncode == 0
    base = ("--build-arg", f"BASE_IMAGE={BASE_IMAGE}") if own else ()
    docker("build", "--quiet", "--tag", tag, "--file", dockerfile, *base, *arguments, ".", directory=ROOT)
    return tag


def copy_of_the_repository(directory: Path) -> Path:
    """The files that git knows, and new ones that it does not ignore, as a fresh checkout would have them."""
    listed = _run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], directory=ROOT).stdout
    for name in filter(None, listed.split("\0")):
        source, target = ROOT / name, directory / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return directory


class Stack(Observer):
    """One Compose project. `settings` are lines of its `.env`; nothing runs before `make("up")`."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self.directory = copy_of_the_repository(directory)
        self.project = f"outlast-test-{os.urandom(3).hex()}"
        self.port = free_port()
        own = {"COMPOSE_PROJECT_NAME": self.project, "REDIS_PORT": str(self.port)}
        if docker("image", "inspect", BASE_IMAGE, check=False).returncode == 0:
            own["BASE_IMAGE"] = BASE_IMAGE
        self.settings = own | dict(settings)
        self.write_env()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._disconnect()
        self.compose("--profile", "*", "down", "--volumes", "--timeout", "5", "--remove-orphans", check=False)

    def write_env(self) -> None:
        """`.env` of these settings; all others have their defaults."""
        lines = [f"{name}={value}\n" for name, value in self.settings.items()]
        (self.directory / ".env").write_text("".join(lines), encoding="utf-8")

    def make(self, *words: str, check: bool = True) -> Done:
        """`make …` in the copy, as an operator types it."""
        return _run(["make", "--no-print-directory", *words], check=check, directory=self.directory)

    def compose(self, *arguments: str, check: bool = True, stdin: str | None = None) -> Done:
        """`docker compose …` in the copy."""
        return docker("compose", *arguments, check=check, stdin=stdin, directory=self.directory)

    def inside(self, *words: str, check: bool = True) -> Done:
        """A command in the worker's container, as `docker compose exec worker …`."""
        return self.compose("exec", "-T", "worker", *words, check=check)

    def connect(self) -> None:
        """Look at the logs as the host's `rq` would, with what is in `.env.client`."""
        self._disconnect()
        self.connection = connect(self.client_environment()["RQ_REDIS_URL"])

    def _disconnect(self) -> None:
        if "connection" in vars(self):
            self.connection.close()

    def client_environment(self) -> dict[str, str]:
        """What `set -a; . ./.env.client` sets."""
        lines = (self.directory / ".env.client").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))

    def rq(self, *arguments: str, check: bool = True) -> Done:
        """The host's own stock `rq`, through the published port."""
        return self._client("rq.cli", *arguments, check=check)

    def outlast(self, *arguments: str, check: bool = True) -> Done:
        """The host's own `outlast`, through the published port."""
        return self._client("outlast", *arguments, check=check)

    def enqueue(self, session: str, prompt: str, *options: str) -> str:
        """`rq enqueue outlast.run` from the host; the session's id again."""
        self.rq("enqueue", "--job-id", session, "outlast.run", prompt, *options)
        return session

    def containers(self, service: str) -> list[str]:
        """Ids of the service's containers, running or not."""
        return self.compose("ps", "--all", "--quiet", service).stdout.split()

    def inspect(self, container: str) -> dict[str, Any]:
        """What Docker knows of a container."""
        found: list[dict[str, Any]] = json.loads(docker("inspect", container).stdout)
        return found[0]

    def restarts(self, service: str) -> int:
        """How often Docker restarted the service's containers by itself."""
        return sum(int(self.inspect(container)["RestartCount"]) for container in self.containers(service))

    def first_processes(self, *services: str) -> list[int]:
        """Pids, on the host, of the containers' first processes."""
        containers = [container for service in services for container in self.containers(service)]
        return [int(self.inspect(container)["State"]["Pid"]) for container in containers]

    def kill(self, *services: str) -> None:
        """SIGKILL from the host to the first processes, all at once: an accident, not `docker kill`."""
        for pid in self.first_processes(*services):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_holder(self, session: str) -> float:
        """SIGKILL to the first process of the container that holds the session; the time just before."""
        pid = int(self.inspect(self.holding_container(session))["State"]["Pid"])
        at = time.time()
        os.kill(pid, signal.SIGKILL)
        return at

    def holding_container(self, session: str) -> str:
        """The worker container that holds the session."""
        holder = self.holder(session)
        containers = self.containers("worker")
        [found] = [each for each in containers if self.inspect(each)["Config"]["Hostname"] in holder]
        return found

    def wait_healthy(self) -> None:
        """Block until every service is healthy; starts nothing that is up, and keeps as many workers as there are."""
        scale = f"worker={max(1, len(self.containers('worker')))}"
        until = time.monotonic() + PATIENCE
        # Compose gives up at once where one is unhealthy, as a container is after a pause until its next check.
        while self.compose(*_WAIT, scale, check=time.monotonic() > until).returncode:
            time.sleep(0.5)

    def let_go(self, session: str) -> None:
        """Open the gate of a waiting cell, whatever state the worker's container is in."""
        self._on_the_volume("touch", f"{session}/files/go")

    def read(self, session: str, name: str) -> str:
        """A file of the session, as `let_go`."""
        return self._on_the_volume("cat", f"{session}/files/{name}").stdout

    def _on_the_volume(self, program: str, path: str) -> Done:
        volume = f"{self.project}_workspaces:/w"
        image = self.inspect(self.containers("worker")[0])["Image"]
        how = ("--rm", "--network", "none", "--volume", volume, "--entrypoint", program)
        return docker("run", *how, image, f"/w/{path}")

    def ran(self, session: str) -> list[str]:
        """The numbers of the cells in the order in which they ran, fetched as a user would."""
        return self.outlast("cp", f"{session}:ran.txt", "-").stdout.split()

    def _client(self, module: str, *arguments: str, check: bool) -> Done:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAST_", "RQ_"))}
        environment = kept | {"PYTHONPATH": str(ROOT / "services")} | self.client_environment()
        command = [sys.executable, "-m", module, *arguments]
        return _run(command, check=check, directory=self.directory, environment=environment)


def with_real_model(directory: Path, model: Path) -> Stack:
    """A stack as it is shipped, on a machine without a GPU, not yet up."""
    files = "compose.yaml:compose.cpu.yaml"
    settings = {"COMPOSE_FILE": files, "MODELS_DIR": str(model.parent), "MODEL": model.name, "OUTLAST_MAX_TURNS": "3"}
    stack = Stack(directory, settings | SMALL)
    # Only this one builds vLLM, and a builder that is not BuildKit packs them up for every image of a stack.
    for wheel in (ROOT / "wheels").glob("*.whl"):
        shutil.copy2(wheel, stack.directory / "wheels" / wheel.name)
    return stack


def with_scripted_model(directory: Path, model: Path) -> Stack:
    """A stack whose model server is a script, not yet up; `model` is only what the pre-flight looks at."""
    files = "compose.yaml:compose.cpu.yaml:tests/stack/compose.scripted.yaml"
    own = {"COMPOSE_FILE": files, "MODELS_DIR": str(model.parent), "MODEL": model.name, "VLLM_MEMORY": "2gb"}
    stack = Stack(directory, own | SMALL)
    script = yaml.safe_load((ROOT / "tests/stack/scripts.yaml").read_text(encoding="utf-8"))
    script["scripts"]["csv"] = yaml.safe_load((ROOT / "demo/script.yaml").read_text(encoding="utf-8"))["replies"]
    (stack.directory / "scripts.yaml").write_text(yaml.safe_dump(script), encoding="utf-8")
    return stack


def cell_speaks(number: int) -> Callable[[Projection, Record], bool]:
    """For `Stack.wait`: cell `number` runs and has said something."""
    return lambda state, record: record.type == "cell.output" and state.cell == number


def _run(
    command: Sequence[str],
    *,
    check: bool = True,
    stdin: str | None = None,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Done:
    # Nothing of the environment that the tests run in chooses another project, file or set of settings.
    chosen = ("COMPOSE_", "OUTLAST_", "MAKE")
    clean = {name: value for name, value in (environment or os.environ).items() if not name.startswith(chosen)}
    done = subprocess.run(
        command,
        check=False,
        cwd=directory,
        env=clean,
        text=True,
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        timeout=COMMAND,
    )
    if check and done.returncode:
        said = f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        raise CommandFailed(f"{' '.join(command)} exited {done.returncode}\n{said}")
    return done
