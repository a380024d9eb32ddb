"""The generated secrets: made once, each at one stroke, and never overwritten.

The directory is the user's alone (0700). The files in it can be read by all (0444): Compose mounts them into the
containers as they are, and the containers' users are not those of the host.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from .findings import Finding, bad, good
from .stack import Container

NAMES = ("redis_client", "redis_worker", "redis_admin", "model_key")

#: Fewer characters could be guessed; the containers refuse them too.
LEAST_CHARACTERS = 16


def findings(directory: Path) -> Iterator[Finding]:
    """What is wrong with those that are there; missing ones are made by `make up`."""
    missing, mistakes = [], []
    for name in NAMES:
        file = directory / name
        try:
            text = file.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            missing.append(name)
            continue
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no plain text"
            closed = isinstance(error, PermissionError)
            mend = f"Work as {_owner(directory)}, who made it." if closed else "Take it away: make up makes a new one."
            mistakes.append(bad("secrets", f"{file} cannot be read ({why}).", mend))
            if closed:
                break
            continue
        if len(text) < LEAST_CHARACTERS or not text.isprintable() or " " in text:
            said = f"{file} must be one line of {LEAST_CHARACTERS} or more letters and digits."
            mistakes.append(bad("secrets", said, "Take it away: make up makes a new one."))
    yield from mistakes
    if not mistakes:
        yield good("secrets", f"make up makes {', '.join(missing)}" if missing else f"all are in {directory}")


def _owner(directory: Path) -> str:
    try:
        return directory.owner()
    except (KeyError, OSError):
        return "the user"


def outdated(config: Mapping[str, Any], containers: Iterable[Container]) -> list[str]:
    """The services that have a container from before one of their secrets was made anew."""
    newest: dict[str, float] = {}
    for service, described in config["services"].items():
        files = (Path(config["secrets"][it["source"]]["file"]) for it in described.get("secrets") or ())
        newest[service] = max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
    return sorted({it.service for it in containers if it.created < newest.get(it.service, 0.0)})


def make(directory: Path) -> list[Path]:
    """Make what is missing; the files that were made."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if directory.stat().st_mode & 0o077:
        directory.chmod(0o700)
    return [directory / name for name in NAMES if _make(directory / name)]


def _make(file: Path) -> bool:
    """Whether it had to be made. Two at once make one: a link fails where there is something already."""
    if file.exists():
        return False
    with _written(file, secrets.token_hex(32) + "\n", 0o444) as whole:
        try:
            os.link(whole, file)
        except FileExistsError:
            return False
    return True


def replace(file: Path, text: str, mode: int) -> bool:
    """Make `file` hold `text`, at one stroke; whether it did not already."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if file.read_text(encoding="utf-8") == text and file.stat().st_mode & 0o777 == mode:
            return False
    with _written(file, text, mode) as whole:
        os.replace(whole, file)
    return True


@contextlib.contextmanager
def _written(file: Path, text: str, mode: int) -> Iterator[str]:
    """A file beside `file` that holds all of `text`; gone afterwards, unless it was renamed."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        yield name
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
