"""The tick: what a worker does all the time, busy or idle, so that it is seen to live and others' deaths are seen."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar, cast

import redis
from rq.defaults import RQ_KEY_PREFIX
from rq.utils import now, utcformat

from outlast import heartbeat
from outlast.log.patience import SOCKET_SECONDS, forget, is_away
from outlast.queue import keys
from outlast.queue.leases import LapsedLeases, Leases
from outlast.queue.registration import Registration
from outlast.queue.scripts import script
from outlast.queue.settle import Settlement
from outlast.queue.signals import StopRequests
from outlast.settings import Settings

if TYPE_CHECKING:
    from outlast.queue.worker import Worker

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Renewals in one lease.
BEATS_A_LEASE = 4
#: Seconds between two tries while Redis is away: at first, and at most.
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0
#: Seconds that a worker which is to leave waits for Redis to settle what it holds.
LEAVE_SECONDS = 8.0
#: Tries of a step that Redis refuses for good.
MOST_REFUSALS = 4
#: Seconds between two looks at the scheduled jobs.
SCHEDULE_SECONDS = 1.0


class LeaseLost(Exception):
    """Somebody took over what this worker held; nothing of it may be settled here any more."""


class Pulse:
    """One worker's lease and what is done at each beat of it. `lease` changes when it was lost."""

    def __init__(self, worker: Worker, registration: Registration, stop: StopRequests, settings: Settings) -> None:
        self._worker = worker
        self._connection: redis.Redis = worker.connection
        self._registration = registration
        self._stop = stop
        self._lease_seconds = settings.lease
        self._runtime = settings.runtime_path
        self._interval = settings.lease / BEATS_A_LEASE
        self.lease = keys.new_lease_id(worker.name)
        self.leases = Leases(self._connection)
        self.settlement = Settlement(worker, lambda: self.lease)
        self._lapsed = LapsedLeases(settings.lease)
        self._due = script(self._connection, "due")
        self._next_beat = 0.0
        self._next_schedule = 0.0
        self._pause = FIRST_PAUSE
        self._away_since: float | None = None
        #: Why, in the words of each kind of failure that this outage has brought so far.
        self._reasons: set[str] = set()
        self._slow = False
        self._registered = False
        #: Called with each command of RQ that is about the job in hand.
        self.on_command: Callable[[dict[str, Any]], None] = lambda command: None

    def begin(self) -> None:
        """Take up the lease and the name; waits for Redis. SettingsError if a living worker has the name."""
        while not self._stop:
            try:
                self._registration.free_name(self.leases, self._lease_seconds)
                self._enter()
                break
            except redis.RedisError as error:
                self.failed(error)
                self.wait_for_redis()

    def _enter(self) -> None:
        self.leases.register(self.lease)
        self._registered = True
        self._registration.register(self.lease)
        queues = ",".join(self._worker.queue_names())
        log.info("worker.listening", extra={"worker": self._worker.name, "lease": self.lease, "queues": queues})
        self._warn_if_not_durable()

    def _warn_if_not_durable(self) -> None:
        try:
            told: dict[str, str] = self._connection.config_get("append*")  # type: ignore[assignment]  # redis-py types the answer as one that may be awaited
        except redis.ResponseError:  # not everyone may ask
            return
        if (told.get("appendonly"), told.get("appendfsync")) != ("yes", "always"):
            todo = "set appendonly yes and appendfsync always, or a power cut loses what was logged"
            log.warning("redis.not_durable", extra={"todo": todo})

    def until_beat(self) -> float:
        """Seconds until the next beat is due."""
        return max(0.0, self._next_beat - time.monotonic())

    def tick(self) -> bool:
        """Do what is due; False while Redis is away. A lost lease shows as a new `lease`."""
        try:
            if time.monotonic() >= self._next_beat and not self._beat():
                self._renew_from_scratch()
            for command in self._registration.commands():
                self._obey(command)
            self._enqueue_scheduled()
            self._registration.heartbeat(self.lease)
        except redis.RedisError as error:
            self.failed(error)
            return False
        self._back()
        return True

    def _beat(self) -> bool:
        """Renew the lease and recover lapsed ones; False if ours is gone."""
        asked = time.monotonic()
        self._next_beat = asked + self._interval
        renewed, counters = self.leases.beat(self.lease)
        answered = time.monotonic()
        self._judge_speed(answered - asked)
        counters.pop(self.lease, None)
        for lease, counter in self._lapsed.sample(asked, answered, counters).items():
            jobs = self.leases.recover(lease, counter)
            if jobs is not None:
                log.warning("worker.recovered", extra={"lease": lease, "jobs": ",".join(jobs)})
        return renewed

    def _judge_speed(self, seconds: float) -> None:
        """Say once that an answer takes longer than the time between two renewals, and once that it no longer does."""
        if not self._slow and seconds > self._interval:
            self._slow = True
            log.warning("redis.slow", extra={"seconds": round(seconds, 2), "lease": self.lease})
        elif self._slow and seconds < self._interval / 2:
            self._slow = False
            log.info("redis.quick", extra={"seconds": round(seconds, 2)})

    def _renew_from_scratch(self) -> None:
        """Our lease is gone: begin another. Whoever works for the old one sees that `lease` has changed."""
        lost, self.lease = self.lease, keys.new_lease_id(self._worker.name)
        log.error("lease.lost", extra={"lease": lost, "new_lease": self.lease})
        if self.leases.of_worker(self._worker.name):
            # Only with a fixed --name: while this process was stalled, another was started in its place.
            log.error("worker.replaced", extra={"worker": self._worker.name})
            self._registered = False
            self._stop.ask()
            return
        self._enter()

    def failed(self, error: redis.RedisError) -> None:
        """Redis did not do what it was asked: no sample of leases is timely until it does."""
        heartbeat.beat(self._runtime, heartbeat.State.WAITING)
        # Who waits for an answer when Redis vanishes without a word waits to the end; others may have to.
        self._lapsed.outage(SOCKET_SECONDS if isinstance(error, redis.TimeoutError) else 0.0)
        forget(self._connection)
        self._registration.forget_commands()
        self._away_since = self._away_since or time.monotonic()
        if str(error) not in self._reasons:
            self._reasons.add(str(error))
            log.warning("redis.away", extra={"error": str(error)})

    def _back(self) -> None:
        heartbeat.beat(self._runtime, heartbeat.State.WORKING)
        if self._away_since is not None:
            log.info("redis.back", extra={"seconds": round(time.monotonic() - self._away_since, 1)})
            self._away_since = None
            self._reasons.clear()
        self._pause = FIRST_PAUSE

    def wait_for_redis(self, *others: Any) -> None:
        """Pause after a failure; longer each time, and short of a beat so that the lease is renewed at once."""
        self._stop.sleep(min(self._pause, LONGEST_PAUSE, max(self._interval, FIRST_PAUSE)), *others)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        self._next_beat = 0.0

    def insist(self, step: Callable[[], T]) -> T:
        """The result of `step`, repeated while Redis is away and ticking in between.

        LeaseLost as soon as the lease it began under is gone (`step` is then somebody else's), and when the worker
        is to leave and has waited long enough: the lease will lapse, and another will take the step. What Redis refuses
        for another reason than an outage is tried a few times and then raised.
        """
        lease, refusals = self.lease, 0
        while True:
            if self.lease != lease:
                raise LeaseLost
            try:
                return step()
            except redis.RedisError as error:
                if not is_away(error):
                    # Not an outage but a contradiction (a key of the wrong type, a missing right).
                    refusals += 1
                    if refusals == MOST_REFUSALS:
                        raise
                self.failed(error)
            if self._stop.overdue(LEAVE_SECONDS):
                raise LeaseLost
            time.sleep(min(self._pause, self._interval))
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            self._next_beat = 0.0
            self.tick()

    def during(self, work: Callable[[], T]) -> T:
        """The result of `work`, ticking meanwhile; for what may take longer than a lease, such as reading a long log.

        The one place with a second thread: it has ended before anything is forked.
        """
        done: SimpleQueue[tuple[T | None, BaseException | None]] = SimpleQueue()

        def run() -> None:
            try:
                done.put((work(), None))
            except BaseException as error:
                done.put((None, error))

        threading.Thread(target=run, name="reader", daemon=True).start()
        while True:
            try:
                result, error = done.get(timeout=max(self.until_beat(), FIRST_PAUSE))
            except Empty:
                self.tick()
                if self._stop.overdue(LEAVE_SECONDS):
                    raise LeaseLost from None
                continue
            if error is not None:
                raise error
            return cast(T, result)

    def suspended(self, key: str) -> bool:
        """Whether `rq suspend` is in force."""
        try:
            return bool(self._connection.exists(key))
        except redis.RedisError as error:
            self.failed(error)
            return False

    def _obey(self, command: dict[str, Any]) -> None:
        name = command.get("command")
        log.info("command.received", extra={"command": name})
        if name == "shutdown":
            self._stop.ask()
        else:
            self.on_command(command)

    def _enqueue_scheduled(self) -> None:
        if time.monotonic() < self._next_schedule:
            return
        self._next_schedule = time.monotonic() + SCHEDULE_SECONDS
        for queue in self._worker.queues:
            moved: Any = self._due(
                keys=[queue.scheduled_job_registry.key, queue.key],
                args=[int(time.time()), utcformat(now()), RQ_KEY_PREFIX],
            )
            for job in moved:
                log.info("job.due", extra={"job": job.decode("utf-8", "replace"), "queue": queue.name})

    def end(self) -> None:
        """Leave: what is still in the hand goes back, lease and registration end. Best effort; a lease lapses."""
        if not self._registered:
            return
        try:
            jobs = self.leases.recover(self.lease)
            self._registration.unregister()
            log.info("worker.left", extra={"worker": self._worker.name, "jobs": ",".join(jobs or ())})
        except redis.RedisError as error:
            log.warning("worker.left", extra={"worker": self._worker.name, "error": str(error)})
