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


def stack(start: Path) -> Path | None:
    """The nearest directory from `start` upwards that holds a compose.yaml."""
    return next((path for path in (start, *start.parents) if (path / "compose.yaml").is_file()), None)


@contextmanager
def asked(arguments: Sequence[str], session: str, workspaces: str) -> Iterator[IO[bytes]]:
    """The output of `outlast <arguments>` in the worker container, which is ended with the block.

    Its complaints are passed on. Trouble if there is no stack here, or if the command fails, however much was read.
    """
    directory = stack(Path.cwd())
    if directory is None:
        raise Trouble(
            f"session {one_line(session)} has no workspace below {one_line(workspaces, 200)} on this machine; in the "
            f"directory of the stack's compose.yaml: docker compose exec {SERVICE} outlast files {one_line(session)}"
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
        done = False
        try:
            yield process.stdout
            done = True
        finally:
            if not done:
                process.terminate()
            process.stdout.close()
            code = process.wait()
            errors.seek(0)
            said = errors.read(_SAID).decode("utf-8", "replace").splitlines()
            words = [one_line(line.removeprefix("outlast: "), 1000) for line in said if line.startswith("outlast: ")]
            failure = words.pop() if done and code and words else ""
            for word in words:
                complain(word)
    if code:
        last = one_line(said[-1], 300).rstrip(".") if said else f"exit code {code}"
        raise Trouble(failure or f"`docker compose exec {SERVICE}` in {directory} failed: {last}.")
