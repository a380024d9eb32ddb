"""Calling `docker`, and turning what it complains of into a sentence with the way out."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import OutlastError


class DeployError(OutlastError):
    """The stack cannot be changed or started; the message is the sentence for the operator."""


#: Exit code of a shell for a command that is not there.
NOT_FOUND = 127

#: Pattern in what Docker says → (what is the matter, what to do). The first that fits counts.
_KNOWN = (
    (
        r"permission denied.*(docker daemon socket|docker API|docker\.sock)",
        "this user may not use the Docker Engine",
        "run sudo usermod -aG docker $USER, then log out and in again; or run make with sudo",
    ),
    (
        r"Cannot connect to the Docker daemon|failed to connect to the docker API|error during connect",
        "no Docker Engine answers",
        "start it with sudo systemctl start docker (where there is no service: sudo tools/engine)",
    ),
    (
        r"port is already allocated|address already in use|failed to bind host port",
        "the port of Redis is taken by another program",
        "set another REDIS_PORT in .env",
    ),
    (
        r"no space left on device|disk quota exceeded",
        "the disk is full",
        "docker system df shows what Docker holds, and docker builder prune and docker image prune free some of it",
    ),
    (
        r"could not select device driver|nvidia-container-cli|unresolvable CDI devices|failed to discover GPU",
        "the engine can give no GPU to a container",
        "install the NVIDIA Container Toolkit, then sudo nvidia-ctk runtime configure and restart Docker; "
        "without a GPU: COMPOSE_FILE=compose.yaml:compose.cpu.yaml in .env",
    ),
    (
        r"docker-init.*executable file not found|exec: \"docker-init\"",
        "the engine has no docker-init",
        "install it (Debian, Ubuntu: sudo apt install tini)",
    ),
    (
        r"WRONGPASS|invalid username-password pair|Redis refuses the login",
        "Redis has other passwords than secrets/",
        "take away secrets/redis_*, then make up makes new ones and gives them to all",
    ),
    (
        r"Range of CPUs is from",
        "WORKER_CPUS is more than this machine has",
        "lower it in .env",
    ),
    (
        r"(pull access denied|failed to resolve|manifest unknown|manifest for .* not found|no such host"
        r"|Client\.Timeout exceeded|TLS handshake timeout|i/o timeout)",
        "the base image cannot be pulled",
        "run make base-image, which makes one, then put BASE_IMAGE=outlast-base:bookworm into .env",
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """What a command came to; `code` is 127 where it is not there, 124 where it did not end in time."""

    code: int
    out: str
    err: str

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def missing(self) -> bool:
        return self.code == NOT_FOUND


def run(words: Sequence[str], directory: Path, environ: Mapping[str, str], timeout: float | None = None) -> Result:
    """Run a command to its end, out of reach of the terminal's Ctrl-C: who interrupts gets to decide what stops."""
    try:
        done = subprocess.run(
            words, cwd=directory, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", timeout=timeout, check=False, start_new_session=True,
        )  # fmt: skip
    except FileNotFoundError:
        return Result(NOT_FOUND, "", f"{words[0]}: not found")
    except PermissionError:
        return Result(NOT_FOUND, "", f"{words[0]} may not be run")
    except subprocess.TimeoutExpired:
        return Result(124, "", f"{' '.join(words[:3])} gave no answer in {timeout:g} s")
    return Result(done.returncode, done.stdout, done.stderr)


def known(said: str) -> tuple[str, str] | None:
    """What is the matter and what to do, if Docker's words are among those that we know."""
    for pattern, what, mend in _KNOWN:
        if re.search(pattern, said, re.I | re.S):
            return what, mend
    return None


def last_line(said: str) -> str:
    """The last line that says something; warnings of Compose are not what failed."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and "level=warning" not in line]
    return lines[-1] if lines else "it says nothing"


def failure(doing: str, result: Result) -> DeployError:
    """The error for a command that failed while `doing`."""
    about = known(result.err + result.out)
    if about is None:
        return DeployError(f"Could not {doing}: {last_line(result.err or result.out).rstrip('.')}.")
    what, mend = about
    return DeployError(f"Could not {doing}: {what}. What to do: {mend}.")


def child_environ() -> dict[str, str]:
    """The environment of every command: the operator's own, without what makes two runs differ."""
    # Attestations hold the time of a build: with them, an image that was built again from its cache is another one.
    return {**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
