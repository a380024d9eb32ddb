"""The checks before anything is changed, in the order in which they are told. None of them changes anything."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import docker, envfile, resources, secrets
from .docker import DeployError
from .findings import Finding, bad, good, unknown
from .model import model_finding
from .stack import CPU_FILES, Container, Stack, files_of, mounted

#: What `make base-image` makes.
OWN_BASE = "outlast-base:bookworm"

#: What compose.yaml is written for: `env_file` with `required` came with it.
LEAST_COMPOSE = (2, 24)


@dataclass(slots=True)
class Facts:
    """What the checks found out, for those who act on it. Empty where it could not be found out."""

    config: dict[str, Any] = field(default_factory=dict)
    info: dict[str, Any] = field(default_factory=dict)
    containers: list[Container] = field(default_factory=list)
    #: Services whose image has to be built before they can start.
    unbuilt: list[str] = field(default_factory=list)
    #: Whether the base image is on this host, and whether it could be pulled if it is not.
    base_here: bool = False
    base_afar: bool = False

    @property
    def project(self) -> str:
        return str(self.config["name"])

    def service(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.config["services"][name]
        return found

    @property
    def base_image(self) -> str:
        return str(self.service("redis")["build"]["args"]["BASE_IMAGE"])


def check(stack: Stack) -> tuple[list[Finding], Facts]:
    """All findings, and the facts behind them."""
    facts = Facts()
    return list(_all(stack, facts)), facts


def _all(stack: Stack, facts: Facts) -> Iterator[Finding]:
    yield from _engine(stack, facts)
    yield from _compose(stack, facts)
    files = files_of(stack, compose_file(stack))
    yield from envfile.findings(stack.env_file, stack.environ, envfile.names_used(files))
    if not facts.config:
        yield unknown("the rest", "cannot be looked at until Compose can read the stack's files")
        return
    yield from secrets.findings(secrets_directory(facts))
    yield from _writable(stack, facts)
    yield model_finding(stack, facts.service("vllm"))
    yield from resources.sessions(facts.service("worker"))
    if not facts.info:
        yield unknown("GPU, port, images, memory, disk", "cannot be looked at until the engine answers")
        return
    yield _gpu(stack, facts)
    yield from _runtime(stack, facts)
    yield _port(stack, facts)
    yield _images(stack, facts)
    yield from resources.memory(facts.config, facts.info, facts.containers)
    yield resources.disk(facts.config, facts.info, facts.unbuilt)


def _engine(stack: Stack, facts: Facts) -> Iterator[Finding]:
    result = stack.docker("info", "--format", "{{json .}}", timeout=30)
    if result.missing:
        yield bad(
            "Docker", "there is no docker command on this machine.",
            "Install it: https://docs.docker.com/engine/install/ (Debian, Ubuntu: sudo apt install docker.io).",
        )  # fmt: skip
        return
    try:
        info: dict[str, Any] = json.loads(result.out)
    except ValueError:
        info = {}
    # `docker info` exits 0 with what it knows of itself where the engine does not answer it.
    said = "\n".join([result.err, *(info.get("ServerErrors") or ())])
    if not info.get("ServerVersion"):
        what, mend = docker.known(said) or (f"the engine does not answer: {docker.last_line(said)}", "see docker info")
        yield bad("Docker", f"{what}.", f"{mend[0].upper()}{mend[1:]}.")
        return
    facts.info = info
    yield good("Docker", f"Engine {info['ServerVersion']} answers")


def _compose(stack: Stack, facts: Facts) -> Iterator[Finding]:
    result = stack.docker("compose", "version", "--short", timeout=30)
    if result.missing:
        yield unknown("Compose", "comes after Docker")
        return
    found = re.match(r"v?(\d+)\.(\d+)", result.out.strip())
    least = ".".join(str(part) for part in LEAST_COMPOSE)
    install = (
        "Install Docker's Compose plugin: https://docs.docker.com/compose/install/linux/ "
        "(Ubuntu: sudo apt install docker-compose-v2; or make venv, then tools/engine, which links the one from there)."
    )
    if not result.ok or found is None:
        yield bad("Compose", "there is no `docker compose` on this machine.", install)
        return
    if (int(found[1]), int(found[2])) < LEAST_COMPOSE:
        yield bad("Compose", f"{result.out.strip()} is too old, this needs {least} or newer.", install)
        return
    try:
        facts.config = stack.config()
        facts.containers = stack.containers(facts.project) if facts.info else []
    except DeployError as error:
        yield bad("Compose", str(error), "")
        return
    yield good("Compose", f"{result.out.strip()} reads the stack's files")


def compose_file(stack: Stack) -> str:
    """COMPOSE_FILE, as the environment or else .env has it."""
    given = stack.environ.get("COMPOSE_FILE", "")
    return given or envfile.value(stack.env_file, "COMPOSE_FILE")


def secrets_directory(facts: Facts) -> Path:
    return Path(facts.config["secrets"]["redis_client"]["file"]).parent


def _writable(stack: Stack, facts: Facts) -> Iterator[Finding]:
    """What is to be made can be made. Nothing is said of what is there already."""
    wanted = [secrets_directory(facts) / name for name in secrets.NAMES]
    wanted += [stack.env_file, stack.client_file, *filter(None, [mounted(facts.service("worker"), "/data")])]
    places = {_nearest(path) for path in wanted if not path.exists()}
    for place in sorted(place for place in places if not os.access(place, os.W_OK | os.X_OK)):
        yield bad(
            "directories", f"this user (uid {os.getuid()}) may not write to {place}.",
            f"Run sudo chown {os.getuid()} {place}, or work in a directory of your own.",
        )  # fmt: skip


def _nearest(path: Path) -> Path:
    """The directory in which something has to be made for `path` to be there."""
    return next(place for place in path.absolute().parents if place.exists())


def _gpu(stack: Stack, facts: Facts) -> Finding:
    vllm = facts.service("vllm")
    if not vllm["deploy"]["resources"].get("reservations"):
        return good("GPU", "none is asked for, the model runs on the processor")
    short = "" if stack.env_file.exists() else " (make up CPU=1 does)"
    cpu = f"Or run the model on the processor: put COMPOSE_FILE={CPU_FILES} into {stack.env_file.name}{short}."
    seen = docker.run(["nvidia-smi", "-L"], stack.directory, stack.environ, timeout=60)
    if not seen.ok:
        why = "there is no nvidia-smi" if seen.missing else f"nvidia-smi says: {docker.last_line(seen.out + seen.err)}"
        return bad("GPU", f"no NVIDIA GPU can be used on this machine ({why}).", f"Install NVIDIA's driver. {cpu}")
    count = len(re.findall(r"^GPU \d+:", seen.out, re.M))
    asked = str(vllm["environment"]["TENSOR_PARALLEL_SIZE"])
    if asked.isdecimal() and count < int(asked):
        return bad("GPU", f"TENSOR_PARALLEL_SIZE={asked}, and this machine has {count} GPU(s).", "Lower it.")
    if not _toolkit(facts.info):
        return bad(
            "GPU", "Docker cannot give the GPU to a container: the NVIDIA Container Toolkit is not set up.",
            "Install it (https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html), "
            f"then sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker. {cpu}",
        )  # fmt: skip
    return good("GPU", f"{count} of NVIDIA, and the container toolkit")


def _toolkit(info: dict[str, Any]) -> bool:
    """Whether the engine knows NVIDIA's runtime, or the devices are described to it (CDI)."""
    devices = info.get("DiscoveredDevices") or ()
    if "nvidia" in (info.get("Runtimes") or {}) or any("nvidia" in str(device) for device in devices):
        return True
    places = info.get("CDISpecDirs") or ()
    return any(list(Path(place).glob("*nvidia*")) for place in places)


def _runtime(stack: Stack, facts: Facts) -> Iterator[Finding]:
    """The worker's container can be started by what .env asks for. Nothing is said where it asks for nothing."""
    asked = str(facts.service("worker").get("runtime") or "")
    known = facts.info.get("Runtimes") or {}
    register = "run sudo runsc install -- --network=host"
    restart = f"and sudo systemctl restart docker, or take OUTLAST_RUNTIME out of {stack.env_file.name}."
    if not asked:
        return
    if asked not in known:
        gvisor = f"Install gVisor (https://gvisor.dev/docs/user_guide/install/), {register}"
        other = "Add it to `runtimes` in /etc/docker/daemon.json"
        said = f"Docker has no runtime {asked}, which OUTLAST_RUNTIME asks for; it has {', '.join(sorted(known))}."
        yield bad("runtime", said, f"{gvisor if asked == 'runsc' else other} {restart}")
    elif _cut_off(known[asked]):
        said = f"with a network of gVisor's own, {asked} keeps the worker from the engine's names of services."
        yield bad("runtime", said, f"{register[0].upper()}{register[1:]} {restart}")
    else:
        yield good("runtime", f"{asked} for the worker")


def _cut_off(runtime: dict[str, Any]) -> bool:
    """Whether this is gVisor without `--network=host`: it reaches no server on the loopback interface of Linux then."""
    words = [str(word).lstrip("-") for word in runtime.get("runtimeArgs") or ()]
    return Path(str(runtime.get("path", ""))).name == "runsc" and "network=host" not in words


def _port(stack: Stack, facts: Facts) -> Finding:
    published = facts.service("redis")["ports"][0]
    host, port = published.get("host_ip", "127.0.0.1"), int(published["published"])
    if any(f"{host}:{port}" in it.published for it in facts.containers):
        return good("port", f"{host}:{port} is this stack's")
    if _free(host, port):
        return good("port", f"{host}:{port} is free")
    holders = stack.docker("ps", "--filter", f"publish={port}", "--format", "{{.Names}}").out.split()
    by = f"the container {holders[0]}" if holders else "another program"
    other = next((number for number in range(port + 1, min(port + 100, 65536)) if _free(host, number)), None)
    mend = f"Stop it, or {_setting(stack, f'REDIS_PORT={other}')}." if other else "Stop it, or set another REDIS_PORT."
    return bad("port", f"{host}:{port} is taken by {by}.", mend)


def _free(host: str, port: int) -> bool:
    with socket.socket() as listener:
        # As the engine does: connections that are still closing are no obstacle.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except PermissionError:  # below 1024: the engine may, this user may not
            return True
        except OSError:
            return False
    return True


def _images(stack: Stack, facts: Facts) -> Finding:
    services: Sequence[str] = list(facts.config["services"])
    facts.unbuilt = [it for it in services if not _image_here(stack, str(facts.service(it).get("image")))]
    facts.base_here = _image_here(stack, facts.base_image)
    if facts.base_here:
        return good("images", f"built from {facts.base_image}, which is here")
    # The one question that leaves the host, and only where the base image is not on it.
    facts.base_afar = stack.docker("manifest", "inspect", facts.base_image, timeout=30).ok
    if facts.base_afar:
        return good("images", f"built from {facts.base_image}, which can be pulled")
    if not facts.unbuilt:
        return good("images", f"all are here; not built anew, for {facts.base_image} is not here")
    ours = _setting(stack, f"BASE_IMAGE={OWN_BASE}")
    mend = ours if _image_here(stack, OWN_BASE) else f"run make base-image, which makes one, then {ours}"
    said = f"the base image {facts.base_image} is neither here nor can it be pulled."
    return bad("images", said, f"{mend[0].upper()}{mend[1:]}.")


def _setting(stack: Stack, line: str) -> str:
    """How a setting is changed; a new .env keeps those of the first `make up`."""
    return f"put {line} into {stack.env_file.name}" if stack.env_file.exists() else f"run make up {line}"


def _image_here(stack: Stack, name: str) -> bool:
    return stack.docker("image", "inspect", "--format", "{{.Id}}", name).ok
