"""One attempt at a session, from claim to close.

claim (open, fenced) → restore the kernel → turns → close. The turns are Open Interpreter's loop; it calls back
for each reply and each cell, and all that it is told comes from the log.

Ways out, each leaving the log closed or, after a death, as it is:

| what ends it                                | attempt.closed | then                              |
| ------------------------------------------- | -------------- | --------------------------------- |
| the last reply has no cell, the inbox is empty | finished    | the job is finished               |
| drain                                       | drained        | the job goes to the queue's front |
| cancelled, out of time, out of turns, refused | failed       | the job fails with that reason    |
| an error of Outlast itself                  | crashed        | tried again; failed after three   |
| fenced                                      | (not ours)     | nothing: another attempt goes on  |
| drained while Redis is away                 | (left open)    | another attempt goes on           |
| records gone that Redis had acknowledged    | (left open)    | another attempt goes on           |
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

from redis import Redis

from ..errors import ContextTooLong, Fenced, KernelUnusable, LogDamaged, ModelRefused, RedisAway, Refused, Stopped
from ..interpreter.loop import run_loop
from ..interpreter.model import ModelClient
from ..interpreter.reply import Part
from ..kernel.workspace import Workspace
from ..log.inbox import Inbox
from ..log.plan import Do, Policy, plan
from ..log.project import At
from ..log.records import (
    AttemptClosed,
    Body,
    Record,
    ReplyDiscarded,
    RequestRefused,
    SessionFinished,
    UserMessage,
)
from ..log.redis_log import RedisLog
from ..settings import Settings
from ..stop import StopSignal
from . import users
from .cell import Cells
from .claim import claim, input_files
from .hold import Hold
from .notes import tell
from .reply import Asking
from .request import Request

logger = logging.getLogger("outlast.attempt")

#: Attempts in a row that may end by an error of Outlast itself, without progress, before the session is parked.
ERRORS_BEFORE_PARKING = 3

#: What leaves the attempt open: it may not be closed by this worker, or cannot be.
_LEFT_OPEN = (Fenced, RedisAway, LogDamaged)

NOT_RUN = (
    "This block was not run: it is empty, or not in python, shell or javascript. "
    "If there is something to run, write it as one fenced code block; if the task is done, say so in plain words."
)


def run_session(
    request: Request,
    *,
    newest: int,
    holder: str,
    worker: str,
    connection: Redis,
    settings: Settings,
    stop: StopSignal,
) -> None:
    """Move the session of `request` forward until it is finished, fails, is drained or fenced.

    Does nothing if there is an attempt after `newest`: another worker's, and none of ours to fence.
    Raises Refused if the request cannot open an attempt at all; any other exception is a crash of this attempt.
    """
    log = RedisLog(connection, request.session, give_up=lambda: stop.leaves, on_wait=_redis_waits)
    try:
        hold = claim(
            log,
            request,
            newest=newest,
            holder=holder,
            worker=worker,
            settings=settings,
            new_user=lambda: users.new(connection, settings, log.patience),
        )
    except Fenced as fenced:
        logger.warning("attempt.not_opened", extra={"session": request.session, "reason": str(fenced)})
        return
    hold.on_record = _log_record(hold)
    logger.info("attempt.opened", extra={"session": hold.session, "job": request.job, "attempt": hold.number})
    attempt = _Attempt(hold, log.inbox, request.max_seconds, settings, stop)
    try:
        attempt.run()
    except Fenced:
        logger.warning("attempt.fenced", extra={"session": hold.session, "attempt": hold.number})
    except (RedisAway, LogDamaged) as gone:
        # The next attempt goes on from what the log has; one that does not verify is refused there, in its claim.
        fields = {"session": hold.session, "attempt": hold.number, "reason": str(gone)}
        logger.warning("attempt.left_open", extra=fields)
    finally:
        attempt.end()


class _Attempt:
    def __init__(
        self, hold: Hold, inbox: Inbox, max_seconds: float | None, settings: Settings, stop: StopSignal
    ) -> None:
        assert hold.state.opened is not None
        self._hold, self._inbox, self._settings, self._stop = hold, inbox, settings, stop
        self._opened = hold.state.opened
        options = self._opened.options
        self._policy = Policy(
            on_interrupt=str(options.get("on_interrupt") or settings.on_interrupt), max_turns=settings.max_turns
        )
        #: A request to go on with a session may come with a limit of its own.
        self._max_seconds = self._opened.max_seconds if max_seconds is None else max_seconds
        #: Lets a save that goes on end before the attempt closes.
        self._leave_kernel: Callable[[], None] = lambda: None
        #: What `end` closes, in reverse.
        self._resources = ExitStack()

    def run(self) -> None:
        """Turns until there is nothing left to do; closes the attempt whatever happens but a death."""
        hold = self._hold
        try:
            if hold.state.errors >= ERRORS_BEFORE_PARKING:
                raise Refused(
                    f"{hold.state.errors} attempts in a row ended by an internal error, without progress "
                    f"(the last: {hold.state.last_error}); the worker's log says more, and `outlast retry "
                    f"{hold.session}` tries again from where the session's log ends"
                )
            self._begin()
            self._turns()
        except Stopped as stopped:
            self._stopped(stopped.reason)
        except (Refused, ModelRefused, ContextTooLong) as refused:
            self._close("failed", str(refused))
        except _LEFT_OPEN:
            raise
        except Exception as error:
            logger.exception("attempt.crashed", extra={"session": hold.session, "attempt": hold.number})
            self._close("crashed", f"internal error: {type(error).__name__}: {error}")

    def end(self) -> None:
        """Leave nothing behind: the kernel, the timer, the connections."""
        self._resources.close()

    def _begin(self) -> None:
        hold, settings, stop, options = self._hold, self._settings, self._stop, self._opened.options
        workspace = Workspace.open(settings, hold.session, users.identity(self._opened, settings))
        workspace.link_inputs(input_files(options, settings))
        self._cells = Cells(hold, workspace, settings, self._policy, stop)
        self._leave_kernel = self._cells.leave
        self._resources.callback(self._cells.close)
        model = ModelClient(settings, model=str(options.get("model") or settings.model))
        self._resources.callback(model.close)
        self._asking = Asking(hold, model, settings, stop)
        deadline = _Deadline(hold, self._max_seconds, stop)
        self._resources.callback(deadline.cancel)

    def _turns(self) -> None:
        state = self._hold.state
        with suppress(KernelUnusable):  # Who needs it tries again, and says so.
            self._cells.launch()
        self._cells.find_dead()
        while True:
            self._move_inbox()
            # Not by the loop: it sees the cell's output and would ask the model.
            self._cells.settle()
            step = plan(state, self._policy)
            if step.do is Do.NOTHING:
                if self._finish():
                    return
            elif step.do is Do.FAIL:
                raise Refused(step.cause)
            else:
                self._cells.restore()
                run_loop(state.messages(), reply=self._reply, cell=self._cells.run, stopped=lambda: bool(self._stop))
                self._check_stop()

    def _reply(self) -> Iterator[Part]:
        """A turn's reply, for Open Interpreter's loop."""
        self._check_stop()
        if self._hold.state.at is At.CELL:
            # The loop asks again without having run the block: it does not count it as code.
            self._cells.decline(NOT_RUN)
        self._asking.tell_cut()
        self._move_inbox()
        step = plan(self._hold.state, self._policy)
        if step.do is Do.FAIL:
            raise Refused(step.cause)
        if step.do is Do.DISCARD:
            self._hold.append(ReplyDiscarded(step.cause))
        tell(self._hold)
        yield from self._asking.reply()

    def _move_inbox(self) -> None:
        """Take what came from outside into the log, each entry once; never between a reply and its output."""
        if self._hold.state.at not in (At.TURN, At.ANSWERED):
            return
        for entry in self._inbox.unread():
            if entry.source not in self._hold.state.sources:
                body = _from_inbox(entry.kind, entry.source, entry.body)
                if body is not None:
                    self._hold.append(body)
            self._inbox.remove(entry.id)

    def _check_stop(self) -> None:
        if self._stop:
            raise Stopped(self._stop.reason)

    def _finish(self) -> bool:
        state = self._hold.state
        finished = SessionFinished(state.total_turns, state.completed, round(self._hold.seconds, 3))
        return self._hold.close(finished, AttemptClosed("finished"), state="finished")

    def _close(self, how: str, reason: str) -> None:
        try:
            self._leave_kernel()
        except _LEFT_OPEN:
            raise
        except Exception:  # Whatever is wrong with the save, the attempt closes.
            logger.exception("state.save_failed", extra={"session": self._hold.session, "attempt": self._hold.number})
        self._hold.close(AttemptClosed(how, reason), state=how)
        logger.warning("attempt.closed", extra={"session": self._hold.session, "how": how, "reason": reason})

    def _stopped(self, reason: str) -> None:
        match reason:
            case "drain":
                self._close("drained", "the worker was asked to stop")
            case "max_seconds":
                self._close(
                    "failed",
                    f"the session used up its {self._max_seconds:g} seconds of running time (--timeout or "
                    "max_seconds); go on with it by outlast.chat, with max_seconds:=N if it needs more",
                )
            case _:
                retry = f"`outlast retry {self._hold.session}` goes on with it"
                self._close("failed", f"the session was stopped on request ({reason}); {retry}")


def _from_inbox(kind: str, source: str, body: dict[str, object]) -> Body | None:
    match kind:
        case "message":
            return UserMessage(text=str(body.get("text", "")), source=source)
        case "refused":
            return RequestRefused(source=source, reason=str(body.get("reason", "")))
        case _:
            return None


class _Deadline:
    """Sets the stop signal when the session's running time is used up; waits do not count.

    Counted over all attempts since the session was last asked to go on, having been over.
    """

    def __init__(self, hold: Hold, max_seconds: float | None, stop: StopSignal) -> None:
        self._hold, self._limit, self._stop = hold, max_seconds, stop
        self._timer: threading.Timer | None = None
        self._arm()

    def _arm(self) -> None:
        if self._limit is None:
            return
        left = self._limit - (self._hold.seconds - self._hold.state.seconds_before)
        if left <= 0:
            self._stop.set("max_seconds")
            return
        # During a wait the time left stays as it is.
        self._timer = threading.Timer(max(left, 0.1), self._arm)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self) -> None:
        self._limit = None
        if self._timer is not None:
            self._timer.cancel()


def _log_record(hold: Hold) -> Callable[[Record], None]:
    def log_record(record: Record) -> None:
        logger.debug("record.appended", extra={"session": hold.session, "id": str(record.id), "type": record.type})

    return log_record


def _redis_waits(why: str) -> None:
    logger.warning("redis.away", extra={"reason": why, "pid": os.getpid()})
