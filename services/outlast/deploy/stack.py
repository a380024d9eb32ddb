"""The stack in a directory: its files, what Compose makes of them, and its containers as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from . import docker
from .docker import Result

SERVICES = ("redis", "worker", "vllm")
CPU_FILES = "compose.yaml:compose.cpu.yaml"

_PROJECT, _SERVICE, _NUMBER, _ONE_OFF = (
    f"com.docker.compose.{name}" for name in ("project", "service", "container-number", "oneoff")
)


@dataclass(frozen=True, slots=True)
class Container:
    """One container as the engine has it. `health` is empty where there is no check."""

    id: str
    name: str
    service: str
    #: From 1, more than one where the service is scaled.
    number: str
    status: str
    health: str
    #: The last line of its health check.
    said: str
    exit_code: int
    restarts: int
    started: str
    created: float
    image: str
    published: tuple[str, ...]

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def ready(self) -> bool:
        return self.running and self.health in ("healthy", "")


@dataclass(frozen=True, slots=True)
class Stack:
    """`directory` has compose.yaml; `environ` is what its commands get."""

    directory: Path
    environ: Mapping[str, str]

    @property
    def env_file(self) -> Path:
        """.env, or the file that COMPOSE_ENV_FILES names instead, as for Compose itself."""
        return self.directory / (self.environ.get("COMPOSE_ENV_FILES") or ".env")

    @property
    def client_file(self) -> Path:
        """What the host's own `rq` needs: `.env.client`, beside `.env`."""
        return self.env_file.with_name(f"{self.env_file.name}.client")

    def docker(self, *words: str, timeout: float | None = 60) -> Result:
        """`docker …`; the engine answers such a question in a moment, or is not well."""
        return docker.run(["docker", *words], self.directory, self.environ, timeout)

    def compose(self, *words: str, timeout: float | None = None) -> Result:
        """`docker compose …`, to its end however long it takes."""
        return docker.run(["docker", "compose", *words], self.directory, self.environ, timeout)

    def config(self, *profiles: str) -> dict[str, Any]:
        """What Compose makes of files and settings. DeployError with its own words if it makes nothing of them."""
        words = [word for profile in profiles for word in ("--profile", profile)]
        result = self.compose(*words, "config", "--format", "json", timeout=60)
        if not result.ok:
            raise docker.failure("read the stack's files", result)
        found: dict[str, Any] = json.loads(result.out)
        return found

    def containers(self, project: str) -> list[Container]:
        """Those of the project, the stopped ones too. DeployError if the engine does not tell."""
        listed = self.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={_PROJECT}={project}")
        if not listed.ok:
            raise docker.failure("list the containers", listed)
        ids = listed.out.split()
        if not ids:
            return []
        # One that goes away in between is left out, and makes the command fail: what it prints still counts.
        shown = self.docker("inspect", "--type", "container", *ids)
        described: list[dict[str, Any]] = json.loads(shown.out or "[]")
        return sorted((_container(it) for it in described if _is_service(it)), key=_place)

    def logs(self, container: Container, lines: int) -> list[str]:
        """The end of what it said."""
        result = self.docker("logs", "--tail", str(lines), container.id)
        return (result.out + result.err).splitlines()[-lines:]


def _is_service(described: Mapping[str, Any]) -> bool:
    return bool(described["Config"]["Labels"].get(_ONE_OFF) != "True")


def _container(described: Mapping[str, Any]) -> Container:
    state = described["State"]
    health: Mapping[str, Any] = state.get("Health") or {}
    checks: Sequence[Mapping[str, Any]] = health.get("Log") or ()
    ports = described["NetworkSettings"].get("Ports") or {}
    return Container(
        id=described["Id"],
        name=described["Name"].lstrip("/"),
        service=described["Config"]["Labels"].get(_SERVICE, ""),
        number=described["Config"]["Labels"].get(_NUMBER, "1"),
        status=state["Status"],
        health=health.get("Status", ""),
        said=_printable(checks[-1]["Output"]) if checks and not _earlier(checks[-1], state) else "",
        exit_code=state["ExitCode"],
        restarts=described["RestartCount"],
        started=state["StartedAt"],
        created=seconds(described["Created"]),
        image=described["Image"],
        published=tuple(f"{it['HostIp']}:{it['HostPort']}" for given in ports.values() for it in given or ()),
    )


def _earlier(check: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """Whether a health check is from before the container was started the last time."""
    return seconds(check["Start"]) < seconds(state["StartedAt"])


def _printable(output: str) -> str:
    """Its last line, without anything that a terminal would obey."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return "".join(it if it.isprintable() else "·" for it in lines[-1][:200]) if lines else ""


def _place(container: Container) -> tuple[int, str]:
    known = container.service in SERVICES
    return (SERVICES.index(container.service) if known else len(SERVICES), container.name)


def seconds(stamp: str) -> float:
    """Docker's way to write a time, as seconds since 1970; it has more digits than Python reads."""
    found = re.fullmatch(r"(.{19})(\.\d+)?(Z|[+-]\d\d:\d\d)", stamp)
    if found is None:
        return 0.0
    zone = "+00:00" if found[3] == "Z" else found[3]
    return datetime.fromisoformat(found[1] + zone).timestamp() + float(found[2] or 0)


def mounted(service: Mapping[str, Any], target: str) -> Path | None:
    """The directory of this host that a service has at `target`, from Compose's configuration."""
    found = (volume for volume in service.get("volumes", ()) if volume["target"] == target)
    return next((Path(volume["source"]) for volume in found), None)


def files_of(stack: Stack, compose_file: str) -> Sequence[Path]:
    """The files that Compose reads, as COMPOSE_FILE names them; without it, an operator's override counts too."""
    named = [part for part in compose_file.split(":") if part]
    return [stack.directory / name for name in named or ("compose.yaml", "compose.override.yaml")]
