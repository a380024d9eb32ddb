"""The same checks at any time, and how the running services are: what `make doctor` and `outlast doctor` show."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from . import checks, docker, secrets
from .checks import Facts
from .findings import Finding, bad, good, unknown
from .progress import state
from .stack import Stack


def findings(stack: Stack) -> Iterator[Finding]:
    """The host, the containers, and what the worker's container finds from its side."""
    found, facts = checks.check(stack)
    yield from found
    if not facts.config or not facts.info:
        return
    yield from _containers(facts)
    yield from _stale(facts)
    if any(it.service == "worker" and it.running for it in facts.containers):
        yield from _inside(stack)
    else:
        yield unknown("connections", "are looked at from the worker's container, which does not run")


def _containers(facts: Facts) -> Iterator[Finding]:
    if not facts.containers:
        yield bad("containers", "none of this stack is there.", "make up starts it.")
        return
    for name in facts.config["services"]:
        own = [it for it in facts.containers if it.service == name]
        if not own:
            yield bad(name, "it has no container.", "make up starts it.")
        for container in own:
            said = f": {container.said}" if container.said else ""
            word = state(container)
            if word == "ready":
                yield good(container.name, container.said or "it is well")
            elif word == "starting":
                yield unknown(container.name, f"it is starting{said}")
            elif word == "stopped":
                yield bad(container.name, f"it is stopped (exit code {container.exit_code}).", "make up starts it.")
            else:
                mend = f"make logs S={name} says more."
                yield bad(container.name, f"it is {word}{said}", mend)


def _stale(facts: Facts) -> Iterator[Finding]:
    outdated = secrets.outdated(facts.config, facts.containers)
    if outdated:
        said = f"{', '.join(outdated)} still {'have' if len(outdated) > 1 else 'has'} an older one than there is now."
        yield bad("secrets", said, "make up gives them the new one.")


def _inside(stack: Stack) -> Iterator[Finding]:
    """What `outlast doctor` says in the container: Redis, the model server, the workspaces, the workers."""
    result = stack.compose("exec", "-T", "worker", "outlast", "doctor", "--json", timeout=120)
    told = 0
    for text in result.out.splitlines():
        try:
            given = json.loads(text)
            finding = Finding(str(given["check"]), given["verdict"], str(given["said"]), str(given["mend"]))
        except (ValueError, KeyError, TypeError):
            continue
        told += 1
        yield finding
    if not told:
        said = f"the worker's container does not tell of them: {docker.last_line(result.err).rstrip('.')}."
        yield bad("connections", said, "make logs S=worker says more.")


def in_directory(directory: Path) -> Iterator[Finding]:
    """The findings about the stack in `directory`."""
    return findings(Stack(directory, docker.child_environ()))
