"""RQ's books on the jobs in this worker's hand: started, waiting, put back, finished, failed.

Every change happens only while the job is still in the hand, in one step with its leaving it: a worker whose lease
was taken over changes nothing, and a worker killed at any point leaves the job either in its hand or settled.
Each method may be repeated after a lost reply, and may raise redis.RedisError.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import redis
from redis.client import Pipeline
from rq import Queue
from rq.defaults import RQ_KEY_PREFIX
from rq.job import JobStatus
from rq.rate_limit import release_slot
from rq.utils import now, utcformat
from rq.worker import Worker as RqWorker

from outlast.attempt.payload import dump_plain
from outlast.attempt.request import ID_PATTERN, RQ_DEFAULT_TIMEOUT, Request
from outlast.log.records import SessionOpened
from outlast.log.store import head_key
from outlast.queue import keys
from outlast.queue.job import Job, bare, disarmed
from outlast.queue.scripts import script
from outlast.queue.serializer import PlainSerializer

Raw = Mapping[bytes, bytes]


def read_job(connection: redis.Redis, job_id: str, raw: Raw) -> Job:
    """RQ's object for a hash; ValueError and others for one that RQ cannot read."""
    job = Job(job_id, connection=connection, serializer=PlainSerializer)
    job.restore(raw)
    return job


class Settlement:
    """The books of one worker; `lease` gives its current lease."""

    def __init__(self, worker: RqWorker, lease: Callable[[], str]) -> None:
        self._worker = worker
        self._lease = lease
        self._connection: redis.Redis = worker.connection
        self._start = script(self._connection, "start")
        self._wait = script(self._connection, "wait")
        self._requeue = script(self._connection, "requeue")
        self._settle = script(self._connection, "settle")
        self._crash = script(self._connection, "crash")

    @property
    def hand(self) -> str:
        return keys.hand_key(self._lease())

    def in_hand(self) -> bytes | None:
        """The oldest job in the hand."""
        job: Any = self._connection.lindex(self.hand, 0)
        return job if isinstance(job, bytes) else None

    def drop(self, job_id: str | bytes) -> None:
        """Forget a job that is no job any more."""
        self._connection.lrem(self.hand, 1, job_id)  # type: ignore[arg-type]  # redis-py sends bytes too, and types it for str alone

    def raw(self, job_id: str) -> dict[bytes, bytes]:
        """The job's hash; empty if it is gone, or was never one."""
        try:
            stored: Any = self._connection.hgetall(keys.job_key(job_id))
        except redis.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            return {}
        return dict(stored)

    def start(self, request: Request, attempt: int) -> bool:
        """Mark the job as started; False if it is no longer ours. `attempt` is the session's newest so far."""
        job = request.job
        return bool(
            self._start(
                keys=[self.hand, keys.job_key(job), keys.started_key(request.queue)],
                args=[job, self._lease(), self._worker.name, request.session, attempt, utcformat(now())],
            )
        )

    def wait(self, request: Request, holder: str) -> bool:
        """Let the job wait for the attempt of `holder`; False if that is over, or not open any more."""
        session = request.session
        return bool(
            self._wait(
                keys=[
                    self.hand,
                    head_key(session),
                    keys.LEASES,
                    keys.waiters_key(session),
                    keys.job_key(request.job),
                    keys.hand_key(holder),
                ],
                args=[request.job, self._lease(), holder, session],
            )
        )

    def requeue(self, request: Request) -> bool:
        """Put the job back to the front of its queue; False if it is no longer ours."""
        job, queue = request.job, request.queue
        return bool(
            self._requeue(
                keys=[
                    self.hand,
                    keys.job_key(job),
                    keys.queue_key(queue),
                    keys.started_key(queue),
                    head_key(request.session),
                ],
                args=[job, self._lease()],
            )
        )

    def count_crash(self, job_id: str, *, quick: bool) -> int:
        """Quick crashes of this job in a row, this one included; 0 after one that was not quick."""
        return int(self._crash(keys=[keys.job_key(job_id)], args=[int(quick)]))

    def restore_call(self, job_id: str, opened: SessionOpened) -> None:
        """Write the request that opened the session back into a hash that a second `rq enqueue` overwrote."""
        limit = {} if opened.max_seconds is None else {"max_seconds": opened.max_seconds}
        call = ("outlast.run", None, (opened.prompt,), {**opened.options, **limit})
        fields = {
            "data": zlib.compress(dump_plain(call)),
            "description": f"outlast.run({opened.prompt[:200]!r})",
            "timeout": str(RQ_DEFAULT_TIMEOUT),
        }
        if self._connection.exists(keys.job_key(job_id)):
            self._connection.hset(keys.job_key(job_id), mapping=fields)  # type: ignore[arg-type]  # redis-py sends bytes too, and types it for str alone

    def finish(self, request: Request, result: Mapping[str, Any] | None) -> bool:
        """FINISHED with `result`, dependents enqueued; False if the job is no longer ours."""

        def outcome(job: Job, queue: Queue, pipeline: Pipeline) -> None:
            ttl = job.get_result_ttl(self._worker.default_result_ttl)
            job._result = dict(result) if result is not None else None
            self._worker.increment_successful_job_count(pipeline=pipeline)
            if ttl != 0:
                job._handle_success(ttl, pipeline, worker_name=self._worker.name)
            job.cleanup(ttl, pipeline=pipeline, remove_from_queue=False)

        return self._end(request.job, request.session, request.queue, JobStatus.FINISHED, outcome)

    def fail(self, request: Request, reason: str, *, stopped: bool = False) -> bool:
        """FAILED (or STOPPED) with `reason`; queued again if the job has retries. False if it is no longer ours."""

        def outcome(job: Job, queue: Queue, pipeline: Pipeline) -> None:
            self._worker.increment_failed_job_count(pipeline=pipeline)
            if job.should_retry and not stopped:
                job.retry(queue, pipeline)
            else:
                job.set_status(job._status, pipeline=pipeline)
                job._handle_failure(reason, pipeline, worker_name=self._worker.name)

        status = JobStatus.STOPPED if stopped else JobStatus.FAILED
        return self._end(request.job, request.session, request.queue, status, outcome)

    def refuse(self, job_id: str, raw: Raw, reason: str) -> bool:
        """FAILED with `reason`, without retries, callbacks, webhooks, or anything that a reader would execute."""
        if not ID_PATTERN.fullmatch(job_id):
            return self._refuse_id(job_id, raw, reason)
        kept, removed = disarmed(raw)
        try:
            read_job(self._connection, job_id, kept)
        except Exception:  # whatever is wrong with the hash, the job ends with the sentence
            kept, removed = bare(raw)

        def outcome(job: Job, queue: Queue, pipeline: Pipeline) -> None:
            self._worker.increment_failed_job_count(pipeline=pipeline)
            job.set_status(JobStatus.FAILED, pipeline=pipeline)
            if removed:
                pipeline.hdel(job.key, *removed)
            job._handle_failure(reason, pipeline, worker_name=self._worker.name)

        return self._end(job_id, "", "default", JobStatus.FAILED, outcome, kept)

    def _refuse_id(self, job_id: str, raw: Raw, reason: str) -> bool:
        """As `refuse`, where RQ makes no object of a job with such an id."""
        kept, _ = bare(raw)
        failed = {b"status": b"failed", b"exc_info": zlib.compress(reason.encode())}
        with self._connection.pipeline() as pipeline:
            pipeline.delete(keys.job_key(job_id))
            pipeline.hset(keys.job_key(job_id), mapping=kept | failed)  # type: ignore[arg-type]  # redis-py sends bytes too, and types it for str alone
            pipeline.lrem(self.hand, 1, job_id)
            pipeline.execute()
        return True

    def _end(
        self,
        job_id: str,
        session: str,
        queue_name: str,
        status: JobStatus,
        outcome: Callable[[Job, Queue, Pipeline], None],
        raw: Raw | None = None,
    ) -> bool:
        """Store an outcome, move dependents on and let go of the job, all in one transaction.

        `raw` is the hash to go by, if not the stored one.
        """
        raw = self.raw(job_id) if raw is None else raw
        if not raw:
            # Deleted by its owner while it ran: there is nothing to store, but others may wait.
            with self._connection.pipeline() as pipeline:
                self._let_go(job_id, session, queue_name, pipeline)
                pipeline.execute()
            return True
        job = read_job(self._connection, job_id, raw)
        job.origin = job.origin or queue_name
        job.ended_at = datetime.now(UTC)
        queue = Queue(job.origin, connection=self._connection, job_class=Job, serializer=PlainSerializer)
        with self._connection.pipeline() as pipeline:
            while True:
                try:
                    # Watched: a takeover, and a dependent that is added meanwhile.
                    pipeline.watch(self.hand, job.dependents_key)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped
                    if pipeline.lpos(self.hand, job_id) is None:
                        return False
                    job._status = status
                    ready = queue.move_dependents_to_ready(job, pipeline=pipeline, refresh_job_status=False)
                    if not pipeline.explicit_transaction:
                        pipeline.multi()
                    if job.started_at is not None:
                        self._worker.increment_total_working_time(job.ended_at - job.started_at, pipeline)
                    outcome(job, queue, pipeline)
                    self._let_go(job_id, session, job.origin, pipeline)
                    pipeline.execute()
                    break
                except redis.WatchError:
                    continue
        queue.enqueue_ready_jobs_by_queue(ready)
        release_slot(job)
        return True

    def _let_go(self, job_id: str, session: str, queue: str, pipeline: Pipeline) -> None:
        self._settle(
            keys=[
                self.hand,
                keys.started_key(queue),
                head_key(session),
                keys.waiters_key(session),
                keys.job_key(job_id),
            ],
            args=[job_id, self._lease(), RQ_KEY_PREFIX],
            client=pipeline,
        )
