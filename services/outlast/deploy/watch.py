"""Waiting until every container is ready, or one cannot become so.

The engine's events say when to look; what counts is what `docker inspect` shows then. An event that is missed costs a
few seconds, no more.
"""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from . import docker
from .docker import DeployError
from .progress import Display, state
from .stack import Container, Stack

#: Seconds until it is looked at without an event: what a health check says changes without one.
LOOK_SECONDS = 5.0

#: Seconds that a container may be unhealthy at a stretch. One that ran before may recover when the others are back.
UNHEALTHY_SECONDS = 20.0

_EVENTS = ("create", "start", "die", "destroy", "health_status", "oom", "pause", "unpause")


class Failed(DeployError):
    """A service did not become ready; `container` is the one."""

    def __init__(self, message: str, container: Container) -> None:
        super().__init__(message)
        self.container = container


@contextmanager
def events(stack: Stack, project: str) -> Iterator[int]:
    """A file descriptor that can be read when something has happened to a container of the project."""
    filters = [word for event in _EVENTS for word in ("--filter", f"event={event}")]
    command = ["docker", "events", "--filter", "type=container", "--format", "{{.Action}}", *filters]
    command += ["--filter", f"label=com.docker.compose.project={project}"]
    with subprocess.Popen(
        command, cwd=stack.directory, env=dict(stack.environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            yield process.stdout.fileno()
        finally:
            process.kill()


def until_ready(
    stack: Stack, project: str, services: Sequence[str], before: Mapping[str, Container], display: Display,
    starting: subprocess.Popen[bytes] | None,
) -> list[Container]:  # fmt: skip
    """The services' containers, once all are ready and the command that starts them has ended.

    Failed, as soon as one cannot become ready; without an answer of a service it waits, for that is what models take.
    """
    unhealthy: dict[str, float] = {}
    #: Container → restarts that were none of this start; the engine begins to count anew when it is told to start one.
    restarts = {id: container.restarts for id, container in before.items()}
    with events(stack, project) as happened:
        while True:
            # Before the look: what it shows is then from after the end.
            over = starting is None or starting.poll() is not None
            containers = [it for it in stack.containers(project) if it.service in services]
            display.show(services, containers)
            for container in containers:
                _demand(container, restarts, unhealthy, settled=over or container.id not in before)
            if over:
                if starting is not None and starting.returncode:
                    return containers
                if {it.service for it in containers} >= set(services) and all(it.ready for it in containers):
                    return containers
            _wait(happened, display, services, containers, starting if not over else None)


def _wait(
    happened: int, display: Display, services: Sequence[str], containers: Sequence[Container],
    starting: subprocess.Popen[bytes] | None,
) -> None:  # fmt: skip
    """Until something happens, the starting command ends, or it is time to look anyway; the seconds go on meanwhile."""
    until = time.monotonic() + LOOK_SECONDS
    while (left := until - time.monotonic()) > 0:
        if select.select([happened], [], [], min(left, 0.5))[0]:
            if not os.read(happened, 65536):  # the engine's events have ended: look now and then
                time.sleep(1)
            return
        if starting is not None and starting.poll() is not None:
            return
        if display.terminal:
            display.show(services, containers)


def _demand(
    container: Container, restarts: dict[str, int], unhealthy: dict[str, float], *, settled: bool
) -> None:
    """Failed if this container has come to nothing; `settled` unless it may yet be replaced or started."""
    restarts[container.id] = min(restarts.get(container.id, 0), container.restarts)
    if container.restarts > restarts[container.id] or (settled and state(container) == "stopped"):
        code = "" if container.running else f" with exit code {container.exit_code}"
        raise Failed(f"{container.service} ended{code} instead of starting", container)
    if container.health != "unhealthy" or not settled:
        unhealthy.pop(container.id, None)
    elif time.monotonic() - unhealthy.setdefault(container.id, time.monotonic()) > UNHEALTHY_SECONDS:
        why = f": {container.said.rstrip('.')}" if container.said else ""
        raise Failed(f"{container.service} runs but is not well{why}", container)


def explained(stack: Stack, failed: Failed) -> str:
    """The failure with the end of what the container said, and where the rest is."""
    lines = stack.logs(failed.container, 12)
    told = "".join(f"    {line}\n" for line in lines) or "    (it said nothing)\n"
    about = docker.known("\n".join(lines))
    mend = f"What to do: {about[1]}.\n" if about else ""
    return f"{failed}. Its last lines:\n{told}{mend}"
