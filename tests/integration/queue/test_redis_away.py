"""Redis goes away at every moment of a worker's life; the worker never does, and nothing is lost or done twice."""

from __future__ import annotations

import os
import signal
import time

from rq.command import send_shutdown_command

from tests.integration.queue.site import LEASE, Site
from tests.redis_server import RedisServer


def test_a_worker_that_starts_before_redis_waits_for_it(own_redis: RedisServer, own_site: Site) -> None:
    job = own_site.enqueue("go")
    own_redis.kill()
    worker = own_site.start()
    assert worker.stderr is not None
    own_site.until("the worker says that it waits", lambda: "Redis is away" in worker.stderr.readline())
    own_redis.restart()
    own_site.until_status(job, "finished")
    assert worker.poll() is None


def test_a_worker_during_whose_start_redis_goes_away_waits_for_it(own_redis: RedisServer, own_site: Site) -> None:
    job = own_site.enqueue("go")
    worker = own_site.start("RedisKilledWhenNamed", TEST_REDIS_PID=str(own_redis.pid))
    own_site.until("redis is down", lambda: not alive(own_redis.pid))
    own_redis.restart()
    own_site.until_status(job, "finished")
    assert worker.poll() is None


def test_a_worker_can_be_started_while_workers_are_suspended(own_redis: RedisServer, own_site: Site) -> None:
    own_site.rq("suspend")
    worker = own_site.start()
    own_site.lease_of(worker)
    own_site.rq("resume")
    own_site.until_status(own_site.enqueue("go"), "finished")


def test_an_idle_worker_outlives_redis(own_redis: RedisServer, own_site: Site) -> None:
    workers = [own_site.start("Worker", "--name", "one"), own_site.start("Worker", "a", "default")]
    leases = [own_site.lease_of(worker) for worker in workers]
    for _ in range(2):
        own_redis.kill()
        own_redis.restart()
    for queue in ("default", "a"):
        own_site.until_status(own_site.enqueue(f"--queue={queue}", "go"), "finished")
    assert [own_site.lease_of(worker) for worker in workers] == leases


def test_a_running_job_outlives_redis_and_is_not_taken_over(own_redis: RedisServer, own_site: Site) -> None:
    worker = own_site.start()
    job = own_site.enqueue("hold")
    child = own_site.began(job, 1)
    other = own_site.start()
    leases = [own_site.lease_of(worker), own_site.lease_of(other)]
    own_redis.kill()
    # Longer than a lease: when it comes back, both have been away for one, and neither is dead.
    os.kill(other.pid, 0)
    pause(own_site)
    own_redis.restart()
    own_site.let_go(job)
    own_site.until_status(job, "finished")
    assert own_site.attempts(job) == 1 and own_site.began(job, 1) == child
    assert [own_site.lease_of(worker), own_site.lease_of(other)] == leases


def test_commands_reach_a_worker_after_redis_came_back(own_redis: RedisServer, own_site: Site) -> None:
    worker = own_site.start("Worker", "--name", "w")
    own_site.lease_of(worker)
    own_redis.kill()
    own_redis.restart()
    own_site.until_status(own_site.enqueue("go"), "finished")
    send_shutdown_command(own_site.connection, "w")
    assert worker.wait(60) == 0


def pause(site: Site) -> None:
    """Let two leases pass; what is tested is that time without Redis does not count."""
    time.sleep(2 * LEASE)


def test_a_job_that_ends_while_redis_is_away_is_settled_when_it_returns(
    own_redis: RedisServer, own_site: Site
) -> None:
    worker = own_site.start("RedisKilledWhenEnded", TEST_REDIS_PID=str(own_redis.pid))
    job = own_site.enqueue("go")
    own_site.until("redis is down", lambda: not alive(own_redis.pid))
    own_redis.restart()
    own_site.until_status(job, "finished")
    assert own_site.attempts(job) == 1 and own_site.nothing_left() and worker.poll() is None


def test_a_job_that_is_taken_while_redis_goes_away_is_not_lost(own_redis: RedisServer, own_site: Site) -> None:
    # First the job: else Redis may be gone before it has answered whoever enqueues.
    job = own_site.enqueue("go")
    own_site.start("RedisKilledWhenTaken", TEST_REDIS_PID=str(own_redis.pid))
    own_site.until("redis is down", lambda: not alive(own_redis.pid))
    own_redis.restart()
    own_site.until_status(job, "finished")
    assert own_site.attempts(job) == 1 and own_site.nothing_left()


def test_a_worker_that_is_asked_to_leave_while_redis_is_away_leaves(own_redis: RedisServer, own_site: Site) -> None:
    worker = own_site.start()
    own_site.lease_of(worker)
    own_redis.kill()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(60) == 0


def test_a_redis_that_hangs_is_one_that_is_away(own_redis: RedisServer, own_site: Site) -> None:
    worker = own_site.start()
    job = own_site.enqueue("hold")
    own_site.began(job, 1)
    other = own_site.start()
    leases = [own_site.lease_of(worker), own_site.lease_of(other)]
    os.kill(own_redis.pid, signal.SIGSTOP)
    pause(own_site)
    os.kill(own_redis.pid, signal.SIGCONT)
    own_site.let_go(job)
    own_site.until_status(job, "finished")
    assert own_site.attempts(job) == 1
    assert [own_site.lease_of(worker), own_site.lease_of(other)] == leases


def test_a_redis_that_lost_everything_gets_its_workers_back(own_redis: RedisServer, own_site: Site) -> None:
    worker = own_site.start()
    lease = own_site.lease_of(worker)
    own_site.connection.flushall()
    own_site.until("the worker has a new lease", lambda: own_site.lease_of(worker) != lease)
    own_site.until_status(own_site.enqueue("go"), "finished")


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
