"""Where the workspaces are not on this machine but on a volume of the stack: the worker container's own `outlast`
is asked, through `docker compose exec`. What it answers is read with no more trust than a workspace itself.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .output import Trouble, complain
from .text import one_line

SERVICE = "worker"

#: Characters of what the container said that are looked at.
_SAID = 20_000

#: Seconds.
_MOMENT = 5.0


class Cut(Trouble):
    """What came from the container is not what the command prints."""

    def __init__(self) -> None:
        super().__init__("what the worker container sent was cut off, or is of another version of Outlast.")


def stack(start: Path) -> Path | None:
    """The nearest directory from `start` upwards that holds a compose.yaml."""
    return next((path for path in (start, *start.parents) if (path / "compose.yaml").is_file()), None)


@contextmanager
def asked(arguments: Sequence[str], session: str, workspaces: str, instead: str = "files") -> Iterator[IO[bytes]]:
    """The output of `outlast <arguments>` in the worker container, which is ended with the block.

    Its complaints are passed on. Trouble if there is no stack here, or if the command fails, however much was read;
    `instead` is the command that is proposed where there is none.
    """
    directory = stack(Path.cwd())
    if directory is None:
        name = one_line(session)
        raise Trouble(
            f"session {name} has no workspace below {one_line(workspaces, 200)} on this machine; in the directory of "
            f"the stack's compose.yaml: docker compose exec {SERVICE} outlast {instead} {name}"
        )
    command = ["docker", "compose", "exec", "-T", SERVICE, "outlast", *arguments]
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
        except OSError as error:
            raise Trouble(f"`docker compose exec {SERVICE}` cannot be started: {error.strerror}.") from error
        assert process.stdout is not None
        trouble: Trouble | None = None
        try:
            yield process.stdout
        except Trouble as error:
            trouble = error
        finally:
            code = _end(process)
        errors.seek(0)
        said = errors.read(_SAID).decode("utf-8", "replace").splitlines()
    words = [one_line(line.removeprefix("outlast: "), 1000) for line in said if line.startswith("outlast: ")]
    if code and (trouble is None or isinstance(trouble, Cut)):
        # The command failed: its own reason is better than that what came was no answer.
        last = one_line(said[-1], 300).rstrip(".") if said else f"it ended with {code}"
        failed = f"`docker compose exec {SERVICE}` in {directory} failed: {last}."
        trouble = Trouble(words.pop() if words else failed)
    for word in words:
        complain(word)
    if trouble is not None:
        raise trouble


def _end(process: subprocess.Popen[bytes]) -> int:
    """Its exit code. It gets a moment to find out that nobody reads it any more."""
    if process.stdout is not None:
        process.stdout.close()
    try:
        return process.wait(_MOMENT)
    except subprocess.TimeoutExpired:
        process.terminate()
        return process.wait()
