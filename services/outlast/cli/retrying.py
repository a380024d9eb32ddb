"""`outlast retry ID`: another go for a session that failed, or whose job is gone from RQ's books."""

from __future__ import annotations

import argparse

from ..log.records import AttemptOpened, SessionOpened
from .output import Output, Trouble, complain
from .source import Source
from .text import one_line

#: What RQ says of a job that will be taken, or is in some worker's hand.
_ALIVE = ("queued", "started", "scheduled", "deferred")


def run(given: argparse.Namespace, source: Source, out: Output) -> int:
    """Enqueue each session's own request again; 1 if one of them cannot be, the others are nevertheless."""
    code = 0
    for session in given.session:
        try:
            queue = _retry(session, source)
        except Trouble as trouble:
            complain(str(trouble))
            code = trouble.code
            continue
        if out.json:
            out.emit({"session": session, "queue": queue})
        else:
            out.line(f"{session} is in queue {queue} again; outlast logs -f {session} shows how it goes on")
    return code


def _retry(session: str, source: Source) -> str:
    """The queue that its job is in now; Trouble if there is nothing to retry."""
    log = source.known(session)
    head, shown = log.head(), one_line(session)
    records = log.read()
    opened = next((record.body for record in records if isinstance(record.body, SessionOpened)), None)
    if head is None or opened is None:
        raise Trouble(f"session {shown} cannot be read; `outlast verify {shown}` says why.")
    if head.state == "finished":
        raise Trouble(
            f"session {shown} has finished, there is nothing to retry; "
            f"to go on with it: rq enqueue outlast.chat {shown} message='…'."
        )
    newest = next((record.body.job for record in reversed(records) if isinstance(record.body, AttemptOpened)), session)
    for job in dict.fromkeys((newest, session)):
        status = source.status(job)
        if status in _ALIVE:
            raise Trouble(f"session {shown} goes on by itself: its job {one_line(job)} is {status} already.")
    limit = {} if opened.max_seconds is None else {"max_seconds": opened.max_seconds}
    source.enqueue(opened.queue, session, opened.prompt, {**opened.options, **limit})
    return opened.queue
