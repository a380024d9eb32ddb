"""Outlast's RQ worker.

Theory of operation
-------------------
`rq worker --worker-class outlast.queue.Worker` makes one *parent*: a loop in one thread that takes a job, forks a
*child* for it, and settles the job when the child has ended. The child (`child.py`) moves one session forward; it
starts a *guardian*, which starts the *kernel*. Who dies with whom: the child with the parent (PR_SET_PDEATHSIG), the
kernel through its guardian with the child. A dead child is seen by its parent at once (pidfd); a dead parent by the
other workers, because its lease is renewed no more (`leases.py`).

A job is always in exactly one list: its queue, the *hand* of the worker that took it, or the waiters of a session
(`keys.py`). BLMOVE and Lua scripts move it, so there is no instant at which a kill loses it. What it came to is read
from the session's log, never from the child's exit code; RQ's state is written in the transaction that takes the
job out of the hand (`settle.py`).

Every turn of the loop, busy or idle, is a *tick*: renew the lease, sample the others' and recover those that have
lapsed, read commands from RQ's channel, enqueue scheduled jobs, keep RQ's registration of the worker alive. Redis
may be away at any time: the tick fails, is tried again, and the worker never leaves for it. If the lease is gone
when Redis answers, somebody took the jobs over: the child is killed, and the worker goes on under a new lease.
"""

from __future__ import annotations

import logging
import math
import time
from functools import partial
from typing import Any, ClassVar

import redis
import rq
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT
from rq.serializers import DefaultSerializer
from rq.suspension import WORKERS_SUSPENDED
from rq.worker import DequeueStrategy, WorkerStatus

from outlast import heartbeat, logs, secrecy
from outlast.errors import SettingsError
from outlast.kernel.confine import confinement
from outlast.log.patience import CONNECT_SECONDS, SOCKET_SECONDS
from outlast.points import Point, reach
from outlast.queue import command_line
from outlast.queue.attend import Attendant
from outlast.queue.job import Job
from outlast.queue.pulse import Pulse
from outlast.queue.registration import Registration
from outlast.queue.scripts import script
from outlast.queue.seam import Attempts, attempts
from outlast.queue.serializer import PlainSerializer
from outlast.queue.signals import StopRequests
from outlast.settings import Settings

log = logging.getLogger(__name__)

command_line.install()

#: Seconds that a worker with several queues sleeps on the first of them before it looks at all again: BLMOVE
#: waits for one list only, and BLPOP, which waits for several, drops a job if its caller dies.
SEVERAL_QUEUES_SLICE = 0.1

_STOCK_SERIALIZERS = (None, "rq.serializers.DefaultSerializer", "pickle", DefaultSerializer)


class Worker(rq.Worker):
    """What `rq worker --worker-class outlast.queue.Worker` runs; see the module's theory of operation."""

    #: What moves a session forward; `outlast.attempt`, but for tests.
    attempts: ClassVar[Attempts | None] = None

    @command_line.in_a_sentence()
    def __init__(self, *args: Any, serializer: Any = None, prepare_for_work: bool = True, **kwargs: Any) -> None:
        """As `rq.Worker`; `prepare_for_work=False` (`rq info`) makes one that only shows another's state."""
        if prepare_for_work and serializer not in _STOCK_SERIALIZERS:
            raise SettingsError("Outlast reads what the stock `rq enqueue` writes; leave --serializer out.")
        kwargs.update(job_class=Job, serializer=PlainSerializer, prepare_for_work=prepare_for_work)
        self.settings = Settings.load() if prepare_for_work else Settings()
        super().__init__(*args, **kwargs)
        for queue in self.queues:
            queue.job_class, queue.serializer = Job, PlainSerializer

    # What RQ's constructor does with Redis.

    def _set_connection(self, connection: redis.Redis) -> redis.Redis:
        """Fail fast: waiting is the loop's business, which has a lease to renew. A command is never sent twice."""
        pool = connection.connection_pool
        # RQ's 415 would stall renewals.
        pool.connection_kwargs["socket_timeout"] = SOCKET_SECONDS
        if issubclass(pool.connection_class, redis.Connection):
            pool.connection_kwargs["socket_connect_timeout"] = CONNECT_SECONDS
        connection.set_retry(Retry(NoBackoff(), 0))
        pool.disconnect()
        return connection

    def _set_ip_address(self, connection: redis.Redis) -> None:
        command_line.await_redis(connection, self.settings, partial(super()._set_ip_address, connection))

    # The loop.

    @command_line.in_a_sentence()
    def work(
        self,
        burst: bool = False,
        logging_level: str | None = None,
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
        max_jobs: int | None = None,
        max_idle_time: int | None = None,
        with_scheduler: bool = False,
        dequeue_strategy: DequeueStrategy = DequeueStrategy.DEFAULT,
    ) -> bool:
        """Take jobs and see them through until told to stop; whether any was worked on.

        Scheduled jobs are always looked after, so `with_scheduler` changes nothing. The formats are Outlast's own.
        """
        logs.configure(self.settings.log_format, logging_level or self.settings.log_level)
        self._dequeue_strategy = dequeue_strategy
        stop = StopRequests()
        stop.install()
        if self.attempts is None:
            self.settings.demand_places()
            confinement(self.settings)
            secrecy.protect()
        work = self.attempts or attempts()
        work.prepare()
        pulse = Pulse(self, Registration(self), stop, self.settings)
        attendant = Attendant(self, pulse, stop, work)
        intake = _Intake(self, pulse)
        worked, idle_since = 0, time.monotonic()
        idle_limit = math.inf if max_idle_time is None else max_idle_time
        try:
            pulse.begin()
            while not stop and (max_jobs is None or worked < max_jobs):
                if not pulse.tick():
                    pulse.wait_for_redis()
                    continue
                if pulse.suspended(WORKERS_SUSPENDED):
                    if burst:
                        break
                    self._show(WorkerStatus.SUSPENDED)
                    stop.sleep(pulse.until_beat())
                    continue
                self._show(WorkerStatus.IDLE)
                job = intake.take(block=not burst)
                if job is not None:
                    reach(Point.TAKEN)
                    self._show(WorkerStatus.BUSY)
                    attendant.see_through(job)
                    worked, idle_since = worked + 1, time.monotonic()
                elif (burst and intake.sure) or time.monotonic() - idle_since >= idle_limit:
                    break
        finally:
            pulse.end()
            stop.uninstall()
            heartbeat.end(self.settings.runtime_path)
        return bool(worked)

    def _show(self, state: str) -> None:
        """The state that `rq info` shows; written only when it changes."""
        if self.get_state() != state:
            try:
                self.set_state(state)
            except redis.RedisError:
                self._state = "?"


class _Intake:
    """Takes jobs out of the queues into the hand."""

    def __init__(self, worker: Worker, pulse: Pulse) -> None:
        self._worker = worker
        self._pulse = pulse
        self._connection: redis.Redis = worker.connection
        self._take = script(self._connection, "take")
        #: False after a failed take: it may have been carried out all the same, so the hand is looked at first.
        self.sure = True

    def take(self, *, block: bool) -> bytes | None:
        """The id of a job that now is in the hand, or None; waits until the next beat at most."""
        try:
            return self._taken(block=block)
        except redis.RedisError as error:
            self.sure = False
            self._pulse.failed(error)
            return None

    def _taken(self, *, block: bool) -> bytes | None:
        hand = self._pulse.settlement.hand
        if not self.sure:
            held = self._pulse.settlement.in_hand()
            self.sure = True
            if held is not None:
                return held
        queues = self._worker._ordered_queues
        if len(queues) > 1 or not block:
            reply: Any = self._take(keys=[hand, *(queue.key for queue in queues)])
            if reply is not None:
                self._worker.reorder_queues(reference_queue=queues[int(reply[0]) - 1])
                return bytes(reply[1])
            if not block:
                return None
        seconds = self._pulse.until_beat()
        if len(queues) > 1:
            seconds = min(seconds, SEVERAL_QUEUES_SLICE)
        # To Redis, 0 means for ever.
        wait: Any = max(seconds, 0.01)
        job: Any = self._connection.blmove(queues[0].key, hand, wait)
        if job is None:
            return None
        self._worker.reorder_queues(reference_queue=queues[0])
        return bytes(job)
