"""One session and several jobs: enqueued twice, chatted with, waited for."""

from __future__ import annotations

from rq.job import Job

from outlast.log.records import SessionOpened, UserMessage
from tests.integration.queue.site import Site
from tests.observer import bodies


def messages(site: Site, session: str) -> list[str]:
    return [record.body.text for record in site.records(session) if isinstance(record.body, UserMessage)]


def stored_prompt(site: Site, job: str) -> str:
    args = Job.fetch(job, connection=site.connection).args
    return str(args[0])


def test_the_same_job_twice_runs_once(site: Site) -> None:
    for _ in range(2):
        site.enqueue("--job-id=etl", "hold")
    site.start()
    site.start()
    site.began("etl", 1)
    site.enqueue("--job-id=etl", "hold")
    site.until("all copies are taken", lambda: not site.connection.llen("rq:queue:default"))
    site.let_go("etl")
    site.until("everything is settled", lambda: site.status("etl") == "finished" and site.nothing_left())
    site.enqueue("--job-id=etl", "hold")
    site.until_status("etl", "finished")
    assert site.attempts("etl") == 1 and site.closings("etl") == ["finished"]


def test_another_prompt_does_not_disturb_a_running_session(site: Site) -> None:
    site.start()
    site.enqueue("--job-id=etl", "hold one")
    process = site.began("etl", 1)
    site.enqueue("--job-id=etl", "hold two")
    site.start()
    site.until("the second request is refused", lambda: stored_prompt(site, "etl") == "hold one")
    site.let_go("etl")
    site.until_status("etl", "finished")
    assert site.attempts("etl") == 1 and site.began("etl", 1) == process
    site.until("nothing is left", site.nothing_left)


def test_another_prompt_after_the_end_is_refused_and_the_job_ends_as_the_session_did(site: Site) -> None:
    site.enqueue("--job-id=etl", "one")
    site.burst()
    site.enqueue("--job-id=etl", "two")
    log = site.burst()
    assert "request.refused" in log and "outlast.chat etl" in log
    assert site.status("etl") == "finished" and stored_prompt(site, "etl") == "one" and site.attempts("etl") == 1


def test_the_limit_of_the_first_request_is_restored_with_it(site: Site) -> None:
    site.enqueue("--job-id=etl", "--timeout=90", "one")
    site.burst()
    site.enqueue("--job-id=etl", "two")
    site.burst()
    assert Job.fetch("etl", connection=site.connection).kwargs == {"max_seconds": 90.0}


def test_another_prompt_after_rq_forgot_the_job_is_refused_too(site: Site) -> None:
    site.enqueue("--job-id=etl", "one")
    site.burst()
    site.connection.delete("rq:job:etl", "rq:results:etl", "rq:finished:default")
    site.enqueue("--job-id=etl", "two")
    site.burst()
    assert stored_prompt(site, "etl") == "one" and site.result("etl").return_value == {"attempts": 1}


def test_a_malformed_second_request_does_not_fail_the_session(site: Site) -> None:
    site.enqueue("--job-id=etl", "one")
    site.burst()
    site.enqueue("--job-id=etl", "one", "colour=red")
    log = site.burst()
    assert "colour" in log and site.status("etl") == "finished" and stored_prompt(site, "etl") == "one"


def test_a_second_request_before_the_first_was_taken_replaces_it(site: Site) -> None:
    """RQ has overwritten the only copy of the first; the session runs once, with the second."""
    site.enqueue("--job-id=etl", "one")
    site.enqueue("--job-id=etl", "two")
    site.burst()
    assert site.status("etl") == "finished" and site.attempts("etl") == 1
    assert [body.prompt for body in bodies(site.records("etl"), SessionOpened)] == ["two"]


def test_a_message_to_a_running_session_is_read_by_it_and_its_job_ends_with_it(site: Site) -> None:
    site.start()
    session = site.enqueue("hold")
    site.began(session, 1)
    chat = site.enqueue(session, "now a pie chart", function="outlast.chat")
    site.start()
    site.until("the message waits", lambda: site.connection.llen(f"outlast:{{{session}}}:waiters") == 1)
    assert site.status(chat) == "started"
    site.let_go(session)
    site.until_status(chat, "finished")
    assert site.attempts(session) == 1 and messages(site, session) == ["now a pie chart"]
    site.until("nothing is left", site.nothing_left)


def test_a_message_to_a_finished_session_continues_it(site: Site) -> None:
    session = site.enqueue("go")
    site.burst()
    chat = site.enqueue(session, "and only where x>=3", function="outlast.chat")
    site.burst()
    assert site.status(chat) == "finished" and messages(site, session) == ["and only where x>=3"]
    assert site.closings(session) == ["finished", "finished"]


def test_a_message_to_a_failed_session_continues_it(site: Site) -> None:
    session = site.enqueue("fail")
    site.burst()
    chat = site.enqueue(session, "try it another way", function="outlast.chat")
    site.burst()
    assert site.status(chat) == "finished" and site.closings(session) == ["failed", "finished"]


def test_a_message_that_was_cancelled_while_it_waited_stays_cancelled(site: Site) -> None:
    site.start()
    session = site.enqueue("hold")
    site.began(session, 1)
    chat = site.enqueue(session, "more", function="outlast.chat")
    site.start()
    site.until("the message waits", lambda: site.connection.llen(f"outlast:{{{session}}}:waiters") == 1)
    Job.fetch(chat, connection=site.connection).cancel()
    site.let_go(session)
    site.until_status(session, "finished")
    site.until("nothing is left", site.nothing_left)
    assert site.status(chat) == "canceled"


def test_a_message_to_no_session_fails_with_the_way_out(site: Site) -> None:
    chat = site.enqueue("nope", "hello", function="outlast.chat")
    site.burst()
    assert "Session nope does not exist" in site.failure(chat)


def test_the_same_message_twice_is_answered_once(site: Site) -> None:
    session = site.enqueue("go")
    site.burst()
    for _ in range(2):
        site.enqueue("--job-id=c", session, "more", function="outlast.chat")
        site.burst()
    assert messages(site, session) == ["more"] and site.attempts(session) == 2
    site.enqueue("--job-id=c", session, "something else", function="outlast.chat")
    site.burst()
    assert "--job-id" in site.failure("c") and messages(site, session) == ["more"]


def test_who_waits_for_a_worker_that_dies_is_woken(site: Site) -> None:
    worker = site.start("Worker", "a")
    session = site.enqueue("--queue=a", "hold")
    process = site.began(session, 1)
    site.start("Worker", "b")
    chat = site.enqueue("--queue=b", session, "more", function="outlast.chat")
    site.until("the message waits", lambda: site.connection.llen(f"outlast:{{{session}}}:waiters") == 1)
    site.kill(worker, process)
    # Nobody serves queue a any more: the waiting message carries the session on.
    site.until_status(chat, "finished")
    assert messages(site, session) == ["more"]
    assert site.status(session) == "queued"
