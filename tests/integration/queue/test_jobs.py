"""What users do with the stock `rq` command, and what they get."""

from __future__ import annotations

import pytest

from tests.integration.queue.site import Site


def test_a_job_runs_and_its_result_is_read_by_the_stock_client(site: Site) -> None:
    job = site.enqueue("clean the file")
    site.burst()
    assert site.status(job) == "finished"
    assert site.result(job).return_value == {"attempts": 1}
    assert site.nothing_left()
    assert "1 finished" in site.rq("info").stdout


def test_the_worker_class_can_be_named_by_the_environment(site: Site) -> None:
    job = site.enqueue("go")
    done = site.rq("worker", "--burst", "--worker-class", "tests.integration.queue.workers.Worker", "--max-jobs", "1")
    assert done.returncode == 0 and site.status(job) == "finished"


def test_jobs_of_one_queue_run_in_their_order(site: Site) -> None:
    jobs = [site.enqueue(f"--job-id=j{number}", "go") for number in range(3)]
    site.burst()
    ends = [site.connection.hget(f"rq:job:{job}", "ended_at") for job in jobs]
    assert ends == sorted(ends)


def test_several_queues_are_served_in_the_order_they_were_named(site: Site) -> None:
    low = site.enqueue("--queue=low", "go")
    high = site.enqueue("--queue=high", "go")
    site.burst("Worker", "high", "low")
    order = [site.connection.hget(f"rq:job:{job}", "ended_at") for job in (high, low)]
    assert order == sorted(order)


def test_an_idle_worker_takes_from_any_of_its_queues(site: Site) -> None:
    site.start("Worker", "one", "two")
    for queue in ("two", "one", "two"):
        site.until_status(site.enqueue(f"--queue={queue}", "go"), "finished")


def test_max_jobs_ends_the_worker_after_as_many(site: Site) -> None:
    jobs = [site.enqueue("go") for _ in range(3)]
    worker = site.start("Worker", "--max-jobs", "2")
    assert worker.wait(30) == 0
    assert [site.status(job) for job in jobs] == ["finished", "finished", "queued"]


def test_a_failed_session_fails_its_job_with_the_reason_and_rq_requeue_tries_again(site: Site) -> None:
    job = site.enqueue("fail please")
    site.burst()
    assert site.failure(job) == "It failed as told."
    site.rq("requeue", "--queue", "default", job)
    site.burst()
    assert site.attempts(job) == 2 and site.status(job) == "failed"


def test_retries_that_rq_was_asked_for_are_made(site: Site) -> None:
    job = site.enqueue("--retry-max=2", "fail please")
    site.burst()
    assert site.attempts(job) == 3 and site.failure(job)


def test_what_the_session_refuses_fails_the_job_with_its_sentence(site: Site) -> None:
    job = site.enqueue("--retry-max=2", "refuse this")
    site.burst()
    assert site.failure(job) == "This was refused by the session."
    assert not site.attempts(job)


@pytest.mark.parametrize(
    ("words", "part"),
    [(("go", "colour=red"), "'colour' is no option"), (("prompt=",), "empty"), (("a", "b"), "quotes")],
)
def test_a_request_that_cannot_succeed_fails_at_once_with_one_sentence(
    site: Site, words: tuple[str, ...], part: str
) -> None:
    job = site.enqueue(*words)
    site.burst()
    assert part in site.failure(job)


def test_a_job_that_waits_for_another_runs_after_it(site: Site) -> None:
    first = site.enqueue("--job-id=first", "go")
    second = site.enqueue("--depends-on=first", "go")
    failed = site.enqueue("--job-id=failing", "fail")
    never = site.enqueue("--depends-on=failing", "go")
    site.burst()
    statuses = [site.status(job) for job in (first, second, failed, never)]
    assert statuses == ["finished", "finished", "failed", "deferred"]


def test_a_scheduled_job_runs_when_it_is_due(site: Site) -> None:
    job = site.enqueue("--schedule-in=1s", "go")
    assert site.status(job) == "scheduled"
    site.start()
    site.until_status(job, "finished")


def test_a_result_ttl_of_zero_leaves_no_job_behind(site: Site) -> None:
    job = site.enqueue("--result-ttl=0", "go")
    site.burst()
    assert site.status(job) == "" and site.nothing_left() and site.closings(job) == ["finished"]


def test_a_job_that_was_deleted_while_it_waited_is_passed_over(site: Site) -> None:
    job, other = site.enqueue("go"), site.enqueue("go")
    site.connection.delete(f"rq:job:{job}")
    site.burst()
    assert site.status(other) == "finished" and site.nothing_left() and not site.attempts(job)


def test_a_job_that_is_deleted_while_it_runs_leaves_nothing_behind(site: Site) -> None:
    worker = site.start()
    job = site.enqueue("hold")
    site.began(job, 1)
    site.connection.delete(f"rq:job:{job}")
    site.let_go(job)
    site.until_status(site.enqueue("go"), "finished")
    assert site.closings(job) == ["finished"] and site.nothing_left() and worker.poll() is None


def test_a_deleted_job_of_a_dead_worker_is_forgotten(site: Site) -> None:
    worker = site.start()
    job = site.enqueue("hold")
    child = site.began(job, 1)
    site.connection.delete(f"rq:job:{job}")
    site.kill(worker, child)
    site.start()
    site.until("nothing is left", site.nothing_left)
    assert "0 executing" in site.rq("info").stdout


def test_a_worker_pool_of_rq_runs_our_workers(site: Site) -> None:
    jobs = [site.enqueue("go") for _ in range(3)]
    site.rq("worker-pool", "--burst", "-n", "2", "-w", "tests.integration.queue.workers.Worker")
    assert [site.status(job) for job in jobs] == ["finished"] * 3


def test_a_running_job_shows_in_rq_info_and_stays_however_often_that_cleans_up(site: Site) -> None:
    worker = site.start()
    job = site.enqueue("hold", "--timeout=1")
    site.began(job, 1)
    for _ in range(3):
        shown = site.rq("info").stdout
        assert "1 executing" in shown and "busy" in shown and str(worker.pid) in shown
    assert site.status(job) == "started" and site.connection.ttl(f"rq:job:{job}") == -1
    site.let_go(job)
    site.until_status(job, "finished")
    assert site.attempts(job) == 1 and site.nothing_left()


def test_suspended_workers_take_nothing_until_they_are_resumed(site: Site) -> None:
    site.rq("suspend")
    site.start()
    job = site.enqueue("go")
    site.until("the worker shows that it is suspended", lambda: "suspended" in site.rq("info").stdout)
    assert site.status(job) == "queued"
    site.rq("resume")
    site.until_status(job, "finished")


def test_a_serializer_other_than_rqs_own_is_refused_at_the_start(site: Site) -> None:
    done = site.rq("worker", "--burst", "-w", "outlast.queue.Worker", "--serializer", "json", check=False)
    assert done.returncode == 2 and "--serializer" in done.stderr
