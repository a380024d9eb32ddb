"""The sessions of a running stack, as the worker's container tells of them: which run, and whether they went on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .stack import Container, Stack

#: Seconds in which a session must have gone on: a lease, a slow sweep and a kernel's start, several times over.
GOES_ON_SECONDS = 60.0

OK, FAILED, INTERRUPTED = 0, 1, 130

#: What `outlast show` or `outlast list` says of one session.
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Session:
    """One that runs; `attempt` is its newest."""

    id: str
    attempt: int


def unsafe(containers: Sequence[Container], service: str) -> Iterator[str]:
    """Why this is not the moment to stop a service: Redis could not come back, or be told of what is handed back."""
    for container in containers:
        if container.service == "redis" and service != "vllm" and not container.ready:
            what = "it might not come back" if service == "redis" else "nothing can be handed back to it"
            said = container.said or f"it is {container.status}."
            yield f"✗ {container.name}: {said} While that is so, {what}; make logs S=redis says more."


def running(stack: Stack, containers: Sequence[Container]) -> list[Session] | None:
    """The sessions that run now, none where no worker runs; None, and a sentence, if that could not be asked."""
    if not any(it.service == "worker" and it.running for it in containers):
        return []
    rows = _lines(stack, "list", "--running")
    if rows is None:
        said = "Which sessions run could not be asked, so whether each goes on is not looked at"
        print(f"{said}: docker compose exec worker outlast list tells it, once Redis answers.", file=sys.stderr)
        return None
    return [Session(str(row["session"]), int(row["attempts"])) for row in rows]


def until_gone_on(stack: Stack, ran: Sequence[Session], *, reopened: bool) -> int:
    """Wait until each of the sessions goes on, `reopened` by a newer attempt, and say so. The exit code."""
    try:
        return _until_gone_on(stack, ran, reopened=reopened)
    except KeyboardInterrupt:
        print(
            "\nInterrupted: it is done, but not all sessions that ran were seen to go on. "
            "docker compose exec worker outlast list tells where they stand."
        )
        return INTERRUPTED


def _until_gone_on(stack: Stack, ran: Sequence[Session], *, reopened: bool) -> int:
    left = {session.id: session for session in ran}
    first: dict[str, Row] = {}
    held_up: list[str] = []
    until = time.monotonic() + GOES_ON_SECONDS
    while left and time.monotonic() < until:
        for session in list(left.values()):
            for row in _lines(stack, "show", session.id) or ():
                if _goes_on(row, session, first.setdefault(session.id, row), reopened=reopened):
                    del left[session.id]
                elif row["state"] == "drained" and row["suspended"]:
                    del left[session.id]
                    held_up.append(session.id)
        if left:
            time.sleep(0.5)
    if ran and not left and not held_up:
        print(f"{'The session' if len(ran) == 1 else f'All {len(ran)} sessions'} that ran went on: {_names(ran)}.")
    for name in held_up:
        print(
            f"Session {name} was handed back and waits, for the workers were told to take no jobs: "
            "docker compose exec worker rq resume lets them.",
            file=sys.stderr,
        )
    for session in left.values():
        print(
            f"Session {session.id} has not gone on within {GOES_ON_SECONDS:.0f} s; nothing of it is lost: "
            f"docker compose exec worker outlast show {session.id} tells where it stands.",
            file=sys.stderr,
        )
    return FAILED if left or held_up else OK


def _goes_on(row: Row, session: Session, first: Row, *, reopened: bool) -> bool:
    """Whether it is over, or an attempt is open: a newer one, or the one that there was, whose worker lives.

    The log says of a session that it runs whoever is gone; the renewals since the `first` look say that one is there.
    """
    if row["state"] in ("finished", "failed"):
        return True
    newer = len(row["attempts"]) > session.attempt
    alive = not reopened and row["renewals"] != first["renewals"]
    return row["state"] in ("running", "waiting") and (newer or alive)


def _names(sessions: Sequence[Session], most: int = 5) -> str:
    names = [session.id for session in sessions]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _lines(stack: Stack, *words: str) -> list[Row] | None:
    """What `outlast` says in the worker's container; None while it cannot be asked."""
    said = stack.compose("exec", "-T", "worker", "outlast", *words, "--json", timeout=30)
    return [json.loads(text) for text in said.out.splitlines()] if said.ok else None
