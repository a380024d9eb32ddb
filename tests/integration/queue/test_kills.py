"""Whatever is killed, no job is lost, none runs twice, and nobody has to look after it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.integration.queue.site import Site, gone


def test_a_job_whose_worker_and_child_are_killed_goes_on_at_another_worker(site: Site) -> None:
    first = site.start()
    job = site.enqueue("hold")
    child = site.began(job, 1)
    second = site.start()
    site.lease_of(second)
    site.kill(first, child)
    site.began(job, 2)
    site.let_go(job)
    site.until_status(job, "finished")
    assert site.closings(job) == ["", "finished"]
    site.until("nothing is left", site.nothing_left)
    shown = site.rq("info").stdout
    assert "1 workers" in shown and str(second.pid) in shown


def test_a_child_dies_with_its_parent(site: Site) -> None:
    worker = site.start()
    job = site.enqueue("stubborn")
    child = site.began(job, 1)
    site.kill(worker)
    site.until("the child is gone", lambda: gone(child))
    site.start()
    site.began(job, 2)


def test_a_job_whose_child_alone_is_killed_goes_on_at_once(site: Site) -> None:
    site.start()
    job = site.enqueue("hold")
    os.kill(site.began(job, 1), signal.SIGKILL)
    site.began(job, 2)
    site.let_go(job)
    site.until_status(job, "finished")
    assert site.closings(job) == ["", "finished"]


@pytest.mark.parametrize("queues", [["default"], ["default", "other"]])
@pytest.mark.parametrize("kind", ["KilledWhenTaken", "KilledWhenStarted"])
def test_a_job_whose_worker_dies_between_taking_it_and_working_on_it_is_not_lost(
    site: Site, kind: str, queues: list[str]
) -> None:
    jobs = [site.enqueue("go") for _ in range(3)]
    doomed = site.start(kind, *queues)
    assert doomed.wait(60) == -signal.SIGKILL
    assert list(site.hands().values()) == [[jobs[0]]]
    site.start("Worker", *queues)
    for job in jobs:
        site.until_status(job, "finished")
    assert [site.attempts(job) for job in jobs] == [1, 1, 1]


def test_a_recovered_job_comes_before_those_behind_it(site: Site) -> None:
    jobs = [site.enqueue("go") for _ in range(3)]
    assert site.start("KilledWhenTaken").wait(60) == -signal.SIGKILL
    # On another queue: this worker only sweeps.
    site.start("Worker", "other")
    site.until("the job is back", lambda: site.connection.llen("rq:queue:default") == 3)
    queue = [job.decode() for job in site.connection.lrange("rq:queue:default", 0, -1)]
    assert queue == jobs and site.status(jobs[0]) == "queued"


@pytest.mark.parametrize(("prompt", "status"), [("go", "finished"), ("fail", "failed")])
def test_an_end_that_rq_did_not_learn_is_told_to_it_and_nothing_runs_again(
    site: Site, prompt: str, status: str
) -> None:
    job = site.enqueue(prompt)
    assert site.start("KilledWhenEnded").wait(60) == -signal.SIGKILL
    assert site.status(job) == "started"
    site.start()
    site.until_status(job, status)
    assert site.attempts(job) == 1 and site.nothing_left()


def test_a_busy_worker_recovers_the_jobs_of_a_dead_one(site: Site) -> None:
    busy = site.start("Worker", "one")
    mine = site.enqueue("--queue=one", "hold")
    site.began(mine, 1)
    dead = site.start("Worker", "two")
    other = site.enqueue("--queue=two", "hold")
    site.kill(dead, site.began(other, 1))
    site.until("the job is back in its queue", lambda: site.status(other) == "queued")
    assert busy.poll() is None and site.attempts(mine) == 1


def test_two_jobs_taken_over_at_once_are_taken_over_once(site: Site) -> None:
    doomed = [site.start() for _ in range(2)]
    jobs = [site.enqueue("hold") for _ in range(2)]
    children = [site.began(job, 1) for job in jobs]
    for _ in range(3):
        site.lease_of(site.start())
    for worker in doomed:
        os.kill(worker.pid, signal.SIGSTOP)
    for child in children:
        os.kill(child, signal.SIGKILL)
    for worker in doomed:
        site.kill(worker)
    for job in jobs:
        site.began(job, 2)
        site.let_go(job)
        site.until_status(job, "finished")
    assert [site.attempts(job) for job in jobs] == [2, 2]


def test_a_stopped_worker_is_taken_over_and_goes_on_when_it_wakes(site: Site) -> None:
    sleeper = site.start("Worker", "--name", "sleeper")
    job = site.enqueue("stubborn")
    child = site.began(job, 1)
    lease = site.lease_of(sleeper)
    other = site.start()
    os.kill(sleeper.pid, signal.SIGSTOP)
    site.began(job, 2)
    os.kill(sleeper.pid, signal.SIGCONT)
    # It sees that its lease is gone, kills what it still ran, and takes part again under a new one.
    site.until("its child is gone", lambda: gone(child))
    site.until("it has a new lease", lambda: site.lease_of(sleeper) != lease)
    site.let_go(job)
    site.until_status(job, "finished")
    assert site.attempts(job) == 2
    site.kill(other)
    site.until_status(site.enqueue("go"), "finished")


def test_a_process_that_cannot_open_its_session_fails_the_job_after_five_tries(site: Site) -> None:
    job = site.enqueue("broken")
    site.burst()
    reason = site.failure(job)
    assert "5 times" in reason and "signal 9" in reason
    assert site.nothing_left()


def test_a_session_that_crashes_its_process_is_tried_again_and_again(site: Site) -> None:
    site.start()
    job = site.enqueue("crash")
    site.began(job, 3)
    assert set(site.closings(job)[:2]) == {""}


def test_what_a_crashed_session_left_running_is_killed_before_another_worker_may_have_it(
    site: Site, tmp_path: Path
) -> None:
    # As if the guardian had died with the attempt: nobody else would look for it in this container.
    marks = {"OUTLAST_KERNEL_OF": "left", "OUTLAST_KERNEL_ROOT": f"{tmp_path}/left"}
    others = {**marks, "OUTLAST_KERNEL_OF": "other"}
    with (
        subprocess.Popen(["sleep", "600"], env=os.environ | marks) as stray,
        subprocess.Popen(["sleep", "600"], env=os.environ | others) as other,
    ):
        site.start(OUTLAST_WORKSPACES=str(tmp_path))
        site.began(site.enqueue("crash", "--job-id=left"), 2)
        assert stray.wait() == -signal.SIGKILL and other.poll() is None
        other.kill()


def test_a_fixed_name_is_free_again_once_its_worker_is_dead(site: Site) -> None:
    first = site.start("Worker", "--name", "fixed")
    job = site.enqueue("hold")
    site.kill(first, site.began(job, 1))
    second = site.start("Worker", "--name", "fixed")
    site.began(job, 2)
    assert site.lease_of(second).startswith("fixed.")
    site.let_go(job)
    site.until_status(job, "finished")


def test_a_fixed_name_of_a_living_worker_is_refused_with_the_way_out(site: Site) -> None:
    first = site.start("Worker", "--name", "fixed")
    lease = site.lease_of(first)
    second = site.start("Worker", "--name", "fixed")
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 2 and "'fixed' is running" in errors and "--name" in errors
    assert "Traceback" not in errors
    assert site.lease_of(first) == lease and first.poll() is None
    site.until_status(site.enqueue("go"), "finished")
