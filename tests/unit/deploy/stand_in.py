"""A host whose `docker` and `nvidia-smi` are stand-ins: they print what the real ones print, and note how they were
called. Nothing real is reached, and nothing but the stand-ins is on the PATH.
"""

from __future__ import annotations

import json
import re
import struct
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.ports import free_port

ROOT = Path(__file__).parents[3]

#: What the client of Docker 28.2 prints, but for addresses.
NO_ENGINE = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
#: Later clients say it otherwise; not from a run of one.
NO_ENGINE_29 = (
    "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the "
    "daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory"
)
#: Docker 28.2 again, as the rest.
NO_PERMISSION = (
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info": dial unix /var/run/docker.sock: connect: permission denied'
)
NO_COMPOSE = (
    "unknown flag: --short\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\n"
    "Run 'docker --help' for more information\n"
)
NO_PULL = (
    'failed to configure transport: error pinging v2 registry: Get "https://registry.example/v2/": '
    "dial tcp: lookup registry.example on 192.0.2.53:53: no such host"
)

_PROGRAM = """\
#!{python} -SE
# A stand-in for {name}, in a test: the longest of its answers that begins like the command line.
import fcntl, json, pathlib, signal, sys
place = pathlib.Path({place!r})
with (place / "lock").open("w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    answers = json.loads((place / "answers.json").read_text())
    words = " ".join([{name!r}, *sys.argv[1:]])
    with (place / "calls").open("a") as calls:
        calls.write(json.dumps([{name!r}, *sys.argv[1:]]) + "\\n")
    fitting = [start for start in answers if words.startswith(start)]
    if not fitting:
        sys.exit(f"stand-in: no answer to {{words}}")
    answer = answers[max(fitting, key=len)]
    if "then" in answer:
        # Renamed into place: a stand-in may be killed at any moment.
        (place / "answers.new").write_text(json.dumps(answers | answer["then"]))
        (place / "answers.new").replace(place / "answers.json")
sys.stdout.write(answer.get("out", ""))
sys.stdout.flush()
sys.stderr.write(answer.get("err", ""))
if answer.get("stays"):
    signal.pause()
sys.exit(answer.get("code", 0))
"""


class Host:
    """A checkout of the stack in `directory` on a machine that has what a test says. It begins with all well."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "checkout"
        self.programs = directory / "bin"
        self.programs.mkdir(parents=True)
        self.directory.mkdir()
        compose = ("compose.yaml", "compose.cpu.yaml", "compose.drill.yaml")
        ours = (*compose, ".env.example", ".dockerignore", "services", "Makefile", "tools")
        for name in ours:
            (self.directory / name).symlink_to(ROOT / name)
        self.install("docker")
        self.port = free_port()
        self.answers: dict[str, Any] = {}
        self.info: dict[str, Any] = {
            "ServerVersion": "28.2.2", "MemTotal": 64 << 30, "NCPU": 8, "DockerRootDir": str(directory),
            "Runtimes": {"runc": {}, "nvidia": {}},
        }  # fmt: skip
        self.values = {"REDIS_PORT": str(self.port)}
        self.containers: list[dict[str, Any]] = []
        self.make_model("Qwen3-4B-Instruct-2507")
        self.settle()

    def install(self, name: str) -> None:
        """Put a stand-in on the PATH."""
        program = self.programs / name
        program.write_text(_PROGRAM.format(python=sys.executable, name=name, place=str(self.programs)))
        program.chmod(0o755)

    def answer(self, start: str, out: str = "", err: str = "", code: int = 0, **more: Any) -> None:
        """What a command that begins so comes to; `then` are answers that it changes, `stays` that it does not end."""
        self.answers[start] = {"out": out, "err": err, "code": code, **more}
        self._write()

    def settle(self) -> None:
        """Make the answers fit `info`, `values` and `containers`."""
        self.answer("docker info", json.dumps(self.info))
        self.answer("docker compose version", "2.39.1\n")
        self.answer("docker compose config", json.dumps(self.config()))
        self.answer("docker compose --profile backup config", json.dumps(self.config("backup")))
        self.answer("docker compose --profile backup stop")
        self.answer("docker compose start")
        self.answer("docker image inspect", "sha256:1\n")
        self.answer("docker manifest inspect", err=NO_PULL, code=1)
        self.answer("docker ps --filter publish", "")
        self.answer("docker compose build", "built\n")
        self.answer("docker events", stays=True)
        self.answer("docker logs", "it said this\n")
        self.answer("docker compose stop")
        for start, given in self.listed(self.containers).items():
            self.answers[start] = given
        up = self.containers or [container(it, self.port) for it in ("redis", "worker", "vllm")]
        self.answer("docker compose up", then=self.listed(up))
        self.install("nvidia-smi")
        self.answer("nvidia-smi -L", "GPU 0: NVIDIA L4 (UUID: GPU-0)\n")

    def runs(self, *containers: dict[str, Any]) -> None:
        """A stack that runs; with these containers in place of those that are well."""
        replaced = {it["Config"]["Labels"]["com.docker.compose.service"] for it in containers}
        well = [container(it, self.port) for it in ("redis", "worker", "vllm") if it not in replaced]
        self.containers = [*well, *containers]
        self.settle()

    def listed(self, containers: list[dict[str, Any]]) -> dict[str, Any]:
        """The answers of an engine with these containers."""
        return {
            "docker ps --all": {"out": "".join(f"{it['Id']}\n" for it in containers)},
            "docker inspect": {"out": json.dumps(containers)},
        }

    def config(self, *profiles: str) -> dict[str, Any]:
        """What `docker compose config` makes of the real files, as far as it is looked at."""
        config: dict[str, Any] = yaml.safe_load(self._interpolated("compose.yaml"))
        if "compose.cpu.yaml" in self.values.get("COMPOSE_FILE", ""):
            config["services"]["vllm"]["deploy"]["resources"]["reservations"] = None
            config["services"]["vllm"]["build"]["args"]["FLAVOUR"] = "cpu"
        config["services"] = {
            name: it for name, it in config["services"].items() if {*it.get("profiles", ())} <= {*profiles}
        }
        for service in config["services"].values():
            resources = service["deploy"]["resources"]["limits"]
            resources["memory"] = str(int(resources["memory"].removesuffix("gb")) << 30)
            service["secrets"] = [{"source": name, "target": f"/run/secrets/{name}"} for name in service["secrets"]]
            service["volumes"] = [_long(volume, self.directory) for volume in service["volumes"]]
        published = config["services"]["redis"]["ports"][0].rsplit(":", 1)[0]
        host, _, port = published.partition(":")
        config["services"]["redis"]["ports"] = [{"host_ip": host, "published": port, "target": 6379}]
        for secret in config["secrets"].values():
            secret["file"] = str(self.directory / secret["file"])
        return config

    def _interpolated(self, name: str) -> str:
        text = (ROOT / name).read_text(encoding="utf-8")
        return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: self.values.get(found[1], found[2]), text)

    def make_model(self, name: str, **config: object) -> Path:
        """A model's directory with everything in it, all of it tiny."""
        directory = self.directory / "models" / name
        directory.mkdir(parents=True)
        (directory / "config.json").write_text(json.dumps({"max_position_embeddings": 262144, **config}))
        (directory / "tokenizer.json").write_text("{}")
        header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
        (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"1234")
        return directory

    def env(self, *lines: str) -> None:
        """The operator's .env."""
        (self.directory / ".env").write_text("".join(f"{line}\n" for line in lines))

    def calls(self) -> list[list[str]]:
        """How the stand-ins were called, in order."""
        noted = self.programs / "calls"
        return [json.loads(line) for line in noted.read_text().splitlines()] if noted.exists() else []

    def files(self) -> Mapping[str, tuple[int, str]]:
        """Mode and content of every file of the checkout that is not a link."""
        found = sorted(path for path in self.directory.rglob("*") if path.is_file() and not path.is_symlink())
        read = [(it.stat().st_mode & 0o777, it.read_text("latin-1")) for it in found]
        return dict(zip((str(it.relative_to(self.directory)) for it in found), read, strict=True))

    def _write(self) -> None:
        (self.programs / "answers.json").write_text(json.dumps(self.answers))


def _long(volume: Any, directory: Path) -> dict[str, Any]:
    """A volume as `docker compose config` writes it."""
    if isinstance(volume, str):
        source, target = volume.split(":")[:2]
        return {"type": "volume", "source": source, "target": target}
    return {**volume, "source": str(directory / volume["source"])}


def container(
    service: str, port: int = 0, *, status: str = "running", health: str = "healthy", restarts: int = 0,
    exit_code: int = 0, created: str = "2099-01-01T00:00:00.123456789Z", number: int = 1, id: str = "",
) -> dict[str, Any]:  # fmt: skip
    """One as `docker inspect` describes it, as far as it is looked at. By default newer than any secret."""
    labels = {"project": "outlast", "service": service, "container-number": str(number), "oneoff": "False"}
    published = [{"HostIp": "127.0.0.1", "HostPort": str(port)}] if service == "redis" else None
    check = {"Start": created, "End": created, "ExitCode": 0, "Output": f"{service} says how it is\n"}
    return {
        "Id": id or f"{service}{number}", "Name": f"/outlast-{service}-{number}", "Created": created,
        "Image": "sha256:1", "RestartCount": restarts,
        "Config": {"Labels": {f"com.docker.compose.{key}": it for key, it in labels.items()}},
        "State": {
            "Status": status, "ExitCode": exit_code, "StartedAt": created, "Health": {"Status": health, "Log": [check]},
        },
        "NetworkSettings": {"Ports": {"6379/tcp": published}},
    }  # fmt: skip
