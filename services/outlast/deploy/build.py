"""Building the images: from the cache in a moment where nothing has changed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from . import docker
from .checks import Facts
from .docker import DeployError
from .progress import Display
from .stack import Stack

#: Lines of the log that a failure shows.
_SHOWN = 12


def build(stack: Stack, facts: Facts, display: Display, *, fresh: bool) -> None:
    """Bring every image up to its files. DeployError if one cannot be built."""
    if not facts.base_here or (fresh and _came_from_a_registry(stack, facts.base_image)):
        if not facts.base_here and not facts.base_afar:
            return  # all images are here, and nothing to build them from: an air-gapped host that loaded them
        # Pulled once and kept, so that no later build has to ask for it.
        pulled = stack.docker("pull", "--quiet", facts.base_image, timeout=None)
        if not pulled.ok and not facts.base_here:
            raise docker.failure(f"pull {facts.base_image}", pulled)
    log = stack.directory / ".make/build.log"
    log.parent.mkdir(exist_ok=True)
    _torch(stack, facts)
    if not display.terminal:
        print(f"building the images (the log: {log})", flush=True)
    _run(stack, ["docker", "compose", "build"], log, display)
    display.clear()


def _torch(stack: Stack, facts: Facts) -> None:
    """Give the build of the model server for processors its PyTorch, where this host's pip finds it.

    Where it does not, the build itself asks PyTorch's own index, and says so if it cannot reach that either.
    """
    arguments = (facts.service("vllm").get("build") or {}).get("args") or {}
    if arguments.get("FLAVOUR") == "cpu" and not list((stack.directory / "wheels").glob("*.whl")):
        docker.run([str(stack.directory / "tools/torch-wheel")], stack.directory, stack.environ)


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
                text = "".join(it if it.isprintable() else " " for it in said.decode(errors="replace")).strip()
                if text and "level=warning" not in text:
                    display.note(f"building: {text}")
        except KeyboardInterrupt:
            process.terminate()
            raise
    if process.returncode:
        display.clear()
        text = log.read_text(encoding="utf-8", errors="replace")
        about = docker.known(text)
        reason = f"{about[0]}. What to do: {about[1]}" if about else "its last lines"
        tail = "".join(f"    {line}\n" for line in text.splitlines()[-_SHOWN:])
        raise DeployError(
            f"Could not build the images: {reason}:\n{tail}The whole log is in {log}. Nothing was started or stopped."
        )
