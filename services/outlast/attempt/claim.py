"""Opening an attempt: read the log, check it, open the next attempt behind it, atomically.

The opening is what fences the attempt before. It succeeds only on the very tail that was read, so whatever a
late writer appended in between is read first.
"""

from __future__ import annotations

import os
import platform
import socket
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from ..errors import Fenced, LogDamaged, Refused
from ..interpreter.prompt import EMPTY_OUTPUT_TEMPLATE, OUTPUT_TEMPLATE, system_message
from ..log.project import Projection, project
from ..log.records import GENESIS, AttemptOpened, Record, SessionOpened
from ..log.store import Log, Tail
from ..log.verify import verify
from ..points import Point, reach
from ..settings import Settings
from .context import budget
from .hold import Hold
from .request import Request

#: How often the tail may move under a claim before something else is wrong.
CLAIM_TRIES = 100


def claim(
    log: Log,
    request: Request,
    *,
    newest: int,
    holder: str,
    worker: str,
    settings: Settings,
    new_user: Callable[[], int] = os.getuid,
) -> Hold:
    """Open the session's next attempt (and the session, if this is its first, for `new_user`).

    `newest` is the attempt that was found over before this one was asked for (0: none). A newer one may be alive,
    opened by a worker that took another job for the same session at the same moment: it is not fenced, Fenced is
    raised instead. Refused for a request that cannot be carried out, LogDamaged if the log does not verify.
    """
    for _ in range(CLAIM_TRIES):
        # The head first: it must not be newer than the records that it is held against.
        head = log.head()
        records = log.read()
        tail = tail_of(records)
        if tail.id is not None and tail.id.attempt > newest:
            raise Fenced(f"attempt {tail.id.attempt} of session {request.session} was opened by another worker.")
        session = None
        if not records:
            if request.function != "run":
                raise Refused(
                    f"session {request.session} does not exist; open it with "
                    f"rq enqueue outlast.run prompt=… --job-id {request.session}"
                )
            session = open_session(request, settings, new_user)
        else:
            verdict = verify(records, head)
            if not verdict.ok:
                raise LogDamaged(
                    f"the log of session {request.session} does not verify ({verdict.problems[0]}); "
                    f"nothing was run, see `outlast verify {request.session}`"
                )
        opening = AttemptOpened(
            worker=worker, why=why(project(records), request), job=request.job, host=socket.gethostname()
        )
        reach(Point.CLAIMING)
        waited = log.waited
        try:
            writer = log.open_attempt(opening, holder=holder, expected=tail, session=session)
        except Fenced:
            continue
        return Hold(request.session, writer, log.read(), worker, lambda: log.waited, waited)
    raise LogDamaged(f"the log of session {request.session} moved {CLAIM_TRIES} times while it was being claimed")


def tail_of(records: list[Record]) -> Tail:
    """Where a log that was read ends."""
    if not records:
        return Tail(None, GENESIS, 0)
    return Tail(records[-1].id, records[-1].digest, len(records))


def why(state: Projection, request: Request) -> str:
    """Why the next attempt opens, in the words of `AttemptOpened`."""
    if state.opened is None or state.attempt == 0:
        return "first"
    if state.closed is None or state.closed.how == "crashed":
        return "crash"
    if state.closed.how == "drained":
        return "drain"
    # A chat whose message was read already was enqueued again, as any other job that failed.
    return "message" if request.function == "chat" and request.job not in state.sources else "requeue"


def open_session(request: Request, settings: Settings, new_user: Callable[[], int] = os.getuid) -> SessionOpened:
    """The record that opens a session; Refused if it asks for what cannot be."""
    input_files(request.options, settings)
    budget(request.options, settings)
    return SessionOpened(
        prompt=request.text,
        options=dict(request.options),
        system_message=system_message(settings),
        output_template=OUTPUT_TEMPLATE,
        empty_output_template=EMPTY_OUTPUT_TEMPLATE,
        max_seconds=request.max_seconds,
        queue=request.queue,
        versions={
            "outlast": version("outlast"),
            "rq": version("rq"),
            "open-interpreter": version("open-interpreter"),
            "python": platform.python_version(),
        },
        uid=new_user(),
    )


def input_files(options: dict[str, object], settings: Settings) -> list[Path]:
    """The files that the request names, each inside the data directory; Refused with what to do for any other."""
    named = options.get("files") or []
    assert isinstance(named, list | tuple)
    root = Path(settings.data).resolve()
    found: list[Path] = []
    for name in named:
        path = Path(root, str(name)).resolve()
        if not path.is_relative_to(root):
            raise Refused(f"input file {name} is not under {root}; put it there (OUTLAST_DATA) and name it again")
        if not path.is_file():
            raise Refused(f"input file {name} does not exist under {root}; check the name or copy the file there first")
        found.append(path)
    return found
