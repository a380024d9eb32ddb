"""Sees one taken job through: understand it, decide, run a child for it, and settle what came of it."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import redis
from redis.connection import ConnectionPool
from rq.connections import parse_connection

from outlast.attempt.request import Request, parse_request, queue_of
from outlast.errors import LogDamaged, RedisAway, Refused
from outlast.kernel.guard import kill_leftovers
from outlast.log.records import SessionOpened
from outlast.points import Point, reach
from outlast.queue.child import fork
from outlast.queue.decide import What, decide
from outlast.queue.pulse import LeaseLost, Pulse
from outlast.queue.seam import Attempts, Outcome
from outlast.queue.sessions import Sessions, View
from outlast.queue.settle import Raw, read_job
from outlast.queue.signals import StopRequests
from outlast.queue.watch import Ending, watch
from outlast.stop import StopSignal

if TYPE_CHECKING:
    from outlast.queue.worker import Worker

log = logging.getLogger(__name__)

#: A child that lives shorter than this (seconds) and crashes, crashed quickly.
QUICK_CRASH_SECONDS = 5.0
#: Quick crashes in a row, without a session to show for them, after which the job fails.
MOST_CRASHES = 5
#: Seconds that a job waits after its second quick crash in a row, and at most; doubled each time. None after one.
FIRST_BACKOFF, LONGEST_BACKOFF = 0.2, 5.0


class Attendant:
    """Handles the jobs of one worker, one at a time."""

    def __init__(self, worker: Worker, pulse: Pulse, stop: StopRequests, attempts: Attempts) -> None:
        self._worker = worker
        self._pulse = pulse
        self._stop = stop
        self._attempts = attempts
        self._settlement = pulse.settlement
        self._sessions = Sessions(worker.connection)

    def see_through(self, job: bytes) -> None:
        """Settle the job, or leave it where it is if this worker may not. Raises nothing: a job never ends a worker."""
        try:
            job_id = job.decode()
        except UnicodeDecodeError:
            log.error("job.malformed", extra={"job": repr(job)})
            self._drop(job)
            return
        try:
            self._see_through(job_id)
        except LeaseLost:
            log.error("job.taken_over", extra={"job": job_id})
        except redis.ResponseError as error:
            log.exception("job.unsettled", extra={"job": job_id, "error": str(error)})
            self._drop(job)
        except Exception as error:
            log.exception("job.unhandled", extra={"job": job_id})
            reason = f"Outlast's worker could not handle this job ({type(error).__name__}: {error}); see its log."
            self._refuse(job_id, reason)
        reach(Point.SETTLED)

    def _see_through(self, job_id: str) -> None:
        raw = self._ask(lambda: self._settlement.raw(job_id))
        if not raw or raw.get(b"status") == b"canceled":
            log.warning("job.gone", extra={"job": job_id})
            self._drop(job_id.encode())
            return
        refusal = ""
        try:
            request = parse_request(job_id, raw)
            self._readable(job_id, raw)
        except Refused as refused:
            # A used --job-id: the session's own request is in its log, whatever RQ's hash now says.
            refusal = str(refused)
            request = Request("run", job_id, job_id, "", queue=queue_of(raw))
        try:
            view = self._view(request, raw)
            if refusal and view.opened is None:
                raise Refused(refusal)
            self._go_on(request, raw, view, refusal)
        except (Refused, LogDamaged) as refused:
            self._refuse(job_id, str(refused))

    def _readable(self, job_id: str, raw: Raw) -> None:
        try:
            read_job(self._worker.connection, job_id, raw)
        except Exception as error:
            raise Refused(
                f"The job's hash is malformed ({type(error).__name__}: {error}); enqueue it with `rq enqueue`."
            ) from None

    def _go_on(self, request: Request, raw: Raw, view: View, refusal: str) -> None:
        while True:
            decision = decide(request, view.standing)
            log.info("job.taken", extra={"job": request.job, "session": request.session, "next": decision.what.value})
            if decision.what is What.REFUSE:
                raise Refused(decision.reason)
            if decision.restore and view.opened is not None:
                request = self._restore(request, view, refusal or decision.reason)
            if decision.what is What.SETTLE:
                outcome = self._outcome(request)
                if outcome.kind in ("finished", "failed"):
                    self._settle(request, outcome)
                    return
            elif request.function == "chat":
                self._deliver(request.session, "message", request.job, {"text": request.text})
            if decision.what is What.WAIT:
                if self._ask(lambda held=view.holder, asked=request: self._settlement.wait(asked, held)):
                    log.info("job.waits", extra={"job": request.job, "session": request.session, "holder": view.holder})
                    return
                view = self._view(request, raw)
                continue
            self._run(request, view)
            return

    def _restore(self, request: Request, view: View, reason: str) -> Request:
        """Refuse the second request and go on with the one that opened the session."""
        opened = view.opened
        assert isinstance(opened, SessionOpened)
        log.warning("request.refused", extra={"job": request.job, "session": request.session, "reason": reason})
        if view.standing.held:
            self._deliver(request.session, "refused", request.job, {"reason": reason})
        self._ask(lambda: self._settlement.restore_call(request.job, opened))
        return replace(request, text=opened.prompt, options=dict(opened.options), max_seconds=opened.max_seconds)

    def _run(self, request: Request, view: View) -> None:
        """Fork a child for the request, see it end, settle."""
        if not self._ask(lambda: self._settlement.start(request, view.standing.attempt)):
            self._drop(request.job.encode())
            return
        reach(Point.STARTED)
        lease, began = self._pulse.lease, time.monotonic()
        try:
            child = fork(lambda stop: self._in_child(request, view.standing.attempt, lease, stop))
        except OSError as error:
            # No process or memory to spare at the moment, which says nothing about the job.
            log.error("child.not_forked", extra={"job": request.job, "error": str(error)})
            self._pause(LONGEST_BACKOFF)
            self._give_back(request)
            return
        reach(Point.FORKED)
        ending = watch(child, request.job, self._pulse, self._stop, self._worker.settings.drain_grace)
        reach(Point.ENDED)
        if self._pulse.lease != lease:
            raise LeaseLost
        if ending.refusal:
            raise Refused(ending.refusal)
        self._conclude(request, ending, time.monotonic() - began)

    def _in_child(self, request: Request, newest: int, lease: str, stop: StopSignal) -> None:
        client, connection_class, options = parse_connection(self._worker.connection)
        connection = client(connection_pool=ConnectionPool(connection_class=connection_class, **options))
        self._attempts.run_session(
            request,
            newest=newest,
            holder=lease,
            worker=self._worker.name,
            connection=connection,
            settings=self._worker.settings,
            stop=stop,
        )

    def _conclude(self, request: Request, ending: Ending, lived: float) -> None:
        """Settle by what the log says; a crash gives the job back."""
        outcome = self._outcome(request)
        fields = {"job": request.job, "session": request.session, "outcome": outcome.kind, "exit": ending.code}
        log.info("child.ended", extra=fields)
        if ending.stopped and outcome.kind != "finished":
            reason = outcome.reason or "The job was stopped on request (stop-job)."
            self._ask(lambda: self._settlement.fail(request, reason, stopped=True))
        elif outcome.kind in ("finished", "failed", "waiting"):
            self._settle(request, outcome)
        elif outcome.kind == "drained" or ending.drained:
            self._give_back(request)
        else:
            self._after_crash(request, outcome, ending.code, lived)

    def _after_crash(self, request: Request, outcome: Outcome, code: int, lived: float) -> None:
        # Its next attempt may be in another container, which cannot see what the guardian, if it died too, left here.
        self._pulse.during(lambda: kill_leftovers(self._worker.settings, request.session))
        quick = lived < QUICK_CRASH_SECONDS
        crashes = self._ask(lambda: self._settlement.count_crash(request.job, quick=quick))
        if outcome.kind == "none" and crashes >= MOST_CRASHES:
            how = f"signal {-code}" if code < 0 else f"exit code {code}"
            self._refuse(
                request.job,
                f"The job's process ended {crashes} times in a row before it opened the session ({how}); "
                "see the worker's log, then `rq requeue` the job.",
            )
            return
        if crashes > 1:
            pause = min(FIRST_BACKOFF * 2 ** (crashes - 2), LONGEST_BACKOFF)
            log.warning("job.crashes", extra={"job": request.job, "crashes": crashes, "pause": pause})
            self._pause(pause)
        self._give_back(request)

    def _pause(self, seconds: float) -> None:
        """Stay alive to the others for so long; ends early when the worker is to leave."""
        until = time.monotonic() + seconds
        while not self._stop and (left := until - time.monotonic()) > 0:
            self._pulse.tick()
            self._stop.sleep(min(left, self._pulse.until_beat()))

    def _give_back(self, request: Request) -> None:
        if self._ask(lambda: self._settlement.requeue(request)):
            log.info("job.requeued", extra={"job": request.job, "session": request.session, "queue": request.queue})

    def _settle(self, request: Request, outcome: Outcome) -> None:
        """FINISHED or FAILED, as the session."""
        if outcome.kind == "failed":
            settled = self._ask(lambda: self._settlement.fail(request, outcome.reason))
        else:
            settled = self._ask(lambda: self._settlement.finish(request, outcome.result))
        if settled:
            fields = {"job": request.job, "session": request.session, "outcome": outcome.kind, "reason": outcome.reason}
            log.info("job.settled", extra=fields)

    def _refuse(self, job_id: str, reason: str) -> None:
        log.warning("job.refused", extra={"job": job_id, "reason": reason})
        try:
            raw = self._ask(lambda: self._settlement.raw(job_id))
            self._ask(lambda: self._settlement.refuse(job_id, raw, reason))
        except LeaseLost:
            return
        except Exception:
            log.exception("job.unsettled", extra={"job": job_id})
            self._drop(job_id.encode())

    def _drop(self, job: bytes) -> None:
        try:
            self._ask(lambda: self._settlement.drop(job))
        except (LeaseLost, redis.ResponseError):
            log.error("job.undropped", extra={"job": repr(job)})

    # What asks Redis: repeated until it answers; once the worker is to leave, not for ever.

    def _view(self, request: Request, raw: Raw) -> View:
        view: View = self._ask(lambda: self._sessions.view(request, raw, self._pulse.lease, self._pulse.tick))
        return view

    def _outcome(self, request: Request) -> Outcome:
        outcome: Outcome = self._ask(lambda: self._read_outcome(request))
        return outcome

    def _read_outcome(self, request: Request) -> Outcome:
        return self._pulse.during(lambda: self._attempts.outcome(self._worker.connection, request.session))

    def _deliver(self, session: str, kind: str, source: str, body: dict[str, str]) -> None:
        def once() -> None:
            try:
                self._sessions.deliver(session, kind, source, body)
            except RedisAway as away:
                raise redis.ConnectionError(str(away)) from away

        self._ask(once)
        reach(Point.DELIVERED)

    def _ask(self, step: Any) -> Any:
        return self._pulse.insist(step)


