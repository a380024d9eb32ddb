"""Building the images, where anything that they are made of has changed since they were."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from . import docker, secrets
from .checks import Facts
from .docker import DeployError
from .progress import Display
from .stack import Stack

#: Lines of the log that a failure shows.
_SHOWN = 12


def build(stack: Stack, facts: Facts, display: Display, *, fresh: bool) -> None:
    """Bring every image up to its files; `fresh` takes the newest base image. DeployError if one cannot be built."""
    made_from = stack.directory / ".make/images"
    if not fresh and facts.base_here and _digest(stack, facts) == _noted(made_from):
        return
    if not facts.base_here or (fresh and _came_from_a_registry(stack, facts.base_image)):
        if not facts.base_here and not facts.base_afar:
            return  # all images are here, and nothing to build them from: an air-gapped host that loaded them
        # Pulled once and kept, so that no later build has to ask for it.
        pulled = stack.docker("pull", "--quiet", facts.base_image, timeout=None)
        if not pulled.ok and not facts.base_here:
            raise docker.failure(f"pull {facts.base_image}", pulled)
    log = stack.directory / ".make/build.log"
    log.parent.mkdir(exist_ok=True)
    if not display.terminal:
        print(f"building the images (the log: {log})", flush=True)
    _torch(stack, facts)
    _run(stack, ["docker", "compose", "build"], log, display)
    display.clear()
    secrets.replace(made_from, _digest(stack, facts), 0o644)


def _digest(stack: Stack, facts: Facts) -> str:
    """What the images are made of, and which they are: one that another build has replaced is no longer ours."""
    services = facts.config["services"].values()
    builds = [service.get("build") for service in services]
    names = [facts.base_image, *(str(service.get("image")) for service in services)]
    images = [stack.docker("image", "inspect", "--format", "{{.Id}}", name).out.strip() for name in names]
    files = sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in _context(stack.directory))
    return hashlib.sha256(json.dumps([builds, names, images, files]).encode()).hexdigest()


def _context(directory: Path) -> Iterator[Path]:
    """The files that a build may see: .dockerignore is an allow-list."""
    yield (allowed := directory / ".dockerignore")
    for line in allowed.read_text(encoding="utf-8").splitlines():
        if line.startswith("!"):
            top = directory / line[1:].strip("/")
            if top.is_file():
                yield top
            for place, directories, files in os.walk(top):
                directories[:] = [name for name in directories if name != "__pycache__"]
                yield from (Path(place, name) for name in files)


def _noted(made_from: Path) -> str:
    try:
        return made_from.read_text(encoding="utf-8")
    except OSError:
        return ""


def _torch(stack: Stack, facts: Facts) -> None:
    """Give the build of the model server for processors its PyTorch; DeployError where this host's pip finds none."""
    arguments = (facts.service("vllm").get("build") or {}).get("args") or {}
    if arguments.get("FLAVOUR") == "cpu" and not list((stack.directory / "wheels").glob("*.whl")):
        done = docker.run([str(stack.directory / "tools/torch-wheel")], stack.directory, stack.environ)
        if not done.ok:
            said = done.err.strip().splitlines()
            raise DeployError(said[-1] if said else f"tools/torch-wheel failed with {done.code}.")


def _came_from_a_registry(stack: Stack, image: str) -> bool:
    return bool(stack.docker("image", "inspect", "--format", "{{range .RepoDigests}}{{.}}{{end}}", image).out.strip())


def _run(stack: Stack, command: list[str], log: Path, display: Display) -> None:
    """Run a build with its log in a file, and its latest line on the display."""
    environ = {**stack.environ, "BUILDKIT_PROGRESS": "plain"}
    with log.open("wb") as kept, subprocess.Popen(
        command, cwd=stack.directory, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            for said in process.stdout:
                kept.write(said)
                kept.flush()
                # The classic builder overwrites its own line; what it wrote last counts.
                text = said.decode(errors="replace").rstrip().rpartition("\r")[2]
                text = "".join(it if it.isprintable() else " " for it in text).strip()
                if text and "level=warning" not in text:
                    display.note(f"building: {text}")
        except KeyboardInterrupt:
            process.terminate()
            raise
    if process.returncode:
        display.clear()
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN:]
        about = docker.known("\n".join(lines))
        mend = f"What to do: {about[1]}.\n" if about else ""
        raise DeployError(
            f"Could not build the images{f': {about[0]}' if about else ''}. The last lines:\n"
            + "".join(f"    {line}\n" for line in lines)
            + f"{mend}The whole log is in {log}. Nothing was started or stopped."
        )
