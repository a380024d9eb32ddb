"""`make backup` and `make restore`: which containers stand still and which copier runs when; `outlast.backup` copies.

A restore makes what `make up` would make of files and images, and stops nothing and touches no volume before the backup
has been compared with its manifest. Then redis and worker are stopped, what is there is made a backup too (the restore
point), and the other is put in its place, all of it or nothing. Redis has to start from it, and `outlast verify --all`
to find every log whole; else the restore point is put back, and what ran before runs again.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import checks, docker, envfile, up
from .checks import Facts
from .docker import DeployError
from .interrupts import uninterrupted
from .options import in_words
from .progress import Display
from .stack import Stack, mounted

SERVICE = "backup"
_MODULE = ("python", "-m", "outlast.backup")

#: Exit code of a container whose process was killed.
_KILLED = 137

#: What may go wrong between a restore's first change and its last: what was there before has to come back all the same.
_ANY_FAILURE = (DeployError, OSError, ValueError, LookupError)


class _Refused(DeployError):
    """The copier itself says why it cannot: it has changed nothing."""


@dataclass(slots=True)
class _Exchange:
    """How far a restore came: the restore point and what is not in it, and the copier's words that take it back.

    `point` is empty until it is known, and where there was nothing that it could have been made of.
    """

    point: str = ""
    left_out: list[str] = field(default_factory=list)
    back: tuple[str, ...] = ()
    failed: Exception | None = None


def with_service(stack: Stack) -> Stack:
    """Where BACKUP_EVERY is set, the service is one of the stack's, for every command."""
    if not _set(stack, "BACKUP_EVERY"):
        return stack
    profiles = ",".join(filter(None, [_set(stack, "COMPOSE_PROFILES"), SERVICE]))
    return replace(stack, environ={**stack.environ, "COMPOSE_PROFILES": profiles})


def _set(stack: Stack, name: str) -> str:
    return stack.environ.get(name) or envfile.value(stack.env_file, name)


def make(stack: Stack) -> int:
    """Make a backup of what runs, or of what stands still; returns the exit code. DeployError."""
    facts = Facts(config=stack.config(SERVICE))
    facts.containers = stack.containers(facts.project)
    place = _place(facts)
    secret = checks.secrets_directory(facts) / "redis_worker"
    if not secret.exists():
        raise DeployError(f"{secret} is not there, and the copier needs it: make up makes it, then make backup.")
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    running = {it.service for it in facts.containers if it.status in ("running", "restarting", "paused")}
    if "worker" in running and "redis" not in running:
        raise DeployError("worker runs and redis does not, so nothing can be copied: make up starts it.")
    made = _copier(stack, SERVICE, "make" if "redis" in running else "point")
    if not made["backup"]:
        raise DeployError("There is nothing yet that a backup could be made of: make up, then enqueue a job.")
    print(_told(place / made["backup"], made))
    return up.OK


def restore(stack: Stack, source: str) -> int:
    """Go back to a backup; returns the exit code. DeployError, and no volume was touched."""
    place = _place(Facts(config=stack.config(SERVICE)))
    name = _named(stack, place, source)
    ready = up.prepare(stack)
    if isinstance(ready, int):
        return ready
    facts, display, made = ready
    checked = _copier(stack, "restore", "check", name)
    print(f"{name} is what was made: {_counted(checked['sessions'], 'session')}.", flush=True)
    with uninterrupted("\nThis cannot be left half-done: it ends by itself in a moment."):
        done = _exchange(stack, facts, display, name)
        if done.failed is not None:
            print(f"{name} was not restored. {_put_back(stack, facts, display, done)}", file=sys.stderr)
            return up.FAILED
    if done.point:
        kept = f"What was there before is kept: make restore FROM={place / done.point}"
        print("\n".join([kept, *_missing(done.left_out)]), flush=True)
    return up.start(stack, facts, display, made)


def _place(facts: Facts) -> Path:
    place = mounted(facts.service(SERVICE), "/backups")
    assert place is not None, "compose.yaml gives the service its directory"
    return place


def _named(stack: Stack, place: Path, source: str) -> str:
    """The name of the backup; DeployError unless it is one in the directory of the backups."""
    given = Path(source)
    if not source:
        newest = sorted(it.name for it in place.glob("*Z")) if os.access(place, os.R_OK | os.X_OK) else []
        example = place / (newest[-1] if newest else "20261231T235959.000Z")
        raise DeployError(f"Say which backup, as a directory in {place}: make restore FROM={example}.")
    if given.name != source and (stack.directory / given).resolve().parent != place.resolve():
        raise DeployError(f"{source} is not in {place}: put it there (with its owners: cp -a), or set BACKUPS_DIR.")
    return given.name


def _exchange(stack: Stack, facts: Facts, display: Display, name: str) -> _Exchange:
    """Put the backup in the place of what is there, and verify it."""
    done = _Exchange()
    try:
        _stop(stack, "worker", SERVICE, "redis")
        told = _copier(stack, "restore", "point")
        done.point, done.left_out = str(told["backup"]), list(told.get("left_out", ()))
        done.back = ("put", done.point) if done.point else ("clear",)
        try:
            _copier(stack, "restore", "put", name)
        except _Refused:
            done.back = ()
            raise
        up.carry_out(stack, facts, ["docker", "compose", "up", "--detach", "--no-build", "redis"], ["redis"], display)
        _verify(stack)
    except _ANY_FAILURE as error:
        done.failed = error
    return done


def _verify(stack: Stack) -> None:
    """DeployError unless every session's log is whole."""
    done = stack.compose("run", "--rm", "--no-deps", "-T", "worker", "outlast", "verify", "--all", "--json")
    if done.ok:
        return
    broken = [told for line in done.out.splitlines() if not (told := json.loads(line))["ok"]]
    if not broken:
        raise docker.failure("verify the sessions", done)
    first = broken[0]
    more = f" (and {_counted(len(broken) - 1, 'more session')})" if len(broken) > 1 else ""
    raise DeployError(f"The log of session {first['session']}{more} is broken in it: {first['problems'][0]}")


def _put_back(stack: Stack, facts: Facts, display: Display, done: _Exchange) -> str:
    """Take back what was done; the sentences about it."""
    ran = sorted({it.service for it in facts.containers if it.running} & {"redis", "worker", SERVICE})
    why = _sentence(done.failed)
    try:
        if done.back:
            _stop(stack, "redis")
            _copier(stack, "restore", *done.back)
        if ran:
            up.carry_out(stack, facts, ["docker", "compose", "start", *ran], ran, display)
    except _ANY_FAILURE as error:
        way = f"make restore FROM={done.point}" if done.point else "make up"
        how = f"{_sentence(error)} Mend that, then {way}."
        return f"{why}\nWhat was there before could not be put back by itself: {how}"
    return "\n".join([why, "What was there before is there again.", *(_missing(done.left_out) if done.back else ())])


def _sentence(error: Exception | None) -> str:
    return str(error) if isinstance(error, DeployError) else f"Something unforeseen was in the way: {error!r}."


def _stop(stack: Stack, *services: str) -> None:
    # Named with its profile, for one of the services has one.
    stopped = stack.compose("--profile", SERVICE, "stop", *services)
    if not stopped.ok:
        raise docker.failure(f"stop {' and '.join(services)}", stopped)


def _copier(stack: Stack, service: str, *words: str) -> dict[str, Any]:
    """Run a command of `outlast.backup` in a container of its own; what it tells. DeployError with its sentence."""
    done = stack.compose("run", "--rm", "--no-deps", "-T", service, *_MODULE, *words)
    if done.code == _KILLED:
        raise DeployError(
            f"The copier (outlast.backup {words[0]}) was killed, most likely because there are more files than it has "
            "memory for: set BACKUP_MEMORY higher in .env, then try again."
        )
    if not done.ok:
        about = docker.known(done.err)
        said = docker.last_line(done.err).rstrip(".")
        kind = _Refused if done.code == 1 else DeployError
        raise kind(f"{said[:1].upper()}{said[1:]}." + (f" What to do: {about[1]}." if about else ""))
    found: dict[str, Any] = json.loads(docker.last_line(done.out))
    return found


def _told(backup: Path, made: dict[str, Any]) -> str:
    held = f"; cells that were to start waited up to {made['held']} s" if made["held"] else ""
    what = f"{_counted(made['sessions'], 'session')}, {_counted(made['files'], 'file')}, {in_words(made['bytes'])}"
    lines = [f"{backup}: {what}, in {made['seconds']} s{held}."]
    return "\n".join([*lines, *_missing(made["left_out"])])


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _missing(left_out: list[str]) -> list[str]:
    return [f"Left out: {''.join(it if it.isprintable() else '·' for it in said)}" for said in left_out]
