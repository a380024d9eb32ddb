"""Planned stops, and commands of RQ: the job goes back or ends, and is never left as started."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from rq.command import send_kill_horse_command, send_shutdown_command, send_stop_job_command

from tests.integration.queue.site import Site, gone


def stop(worker: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> None:
    worker.send_signal(number)


def test_an_idle_worker_leaves_when_it_is_asked_to(site: Site) -> None:
    workers = [site.start(), site.start("Worker", "a", "b")]
    for worker, number in zip(workers, (signal.SIGTERM, signal.SIGINT), strict=True):
        site.lease_of(worker)
        stop(worker, number)
        assert worker.wait(60) == 0
    assert "0 workers" in site.rq("info").stdout
    assert not site.connection.exists("outlast:leases")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_busy_worker_hands_its_job_back_to_the_front_and_leaves(site: Site, number: signal.Signals) -> None:
    worker = site.start()
    job = site.enqueue("hold")
    child = site.began(job, 1)
    later = site.enqueue("go")
    stop(worker, number)
    assert worker.wait(60) == 0
    assert gone(child) and site.closings(job) == ["drained"]
    queue = [name.decode() for name in site.connection.lrange("rq:queue:default", 0, -1)]
    assert queue == [job, later] and site.status(job) == "queued" and site.nothing_left()
    site.let_go(job)
    site.burst()
    assert site.status(job) == site.status(later) == "finished" and site.attempts(job) == 2


def test_a_drained_job_is_taken_by_another_worker(site: Site) -> None:
    worker = site.start()
    job = site.enqueue("hold")
    site.began(job, 1)
    site.lease_of(site.start())
    stop(worker)
    site.began(job, 2)
    assert site.closings(job)[0] == "drained"


def test_many_signals_change_nothing(site: Site) -> None:
    worker = site.start()
    job = site.enqueue("hold")
    site.began(job, 1)
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        stop(worker, number)
    assert worker.wait(60) == 0
    assert site.status(job) == "queued" and site.nothing_left() and site.closings(job) == ["drained"]


def test_a_child_that_does_not_stop_is_killed_and_its_job_handed_back(site: Site) -> None:
    worker = site.start("Impatient")
    job = site.enqueue("stubborn")
    child = site.began(job, 1)
    stop(worker)
    assert worker.wait(60) == 0
    assert gone(child) and site.status(job) == "queued" and site.nothing_left()


def test_a_session_that_ends_while_its_worker_is_stopped_is_settled(site: Site) -> None:
    worker = site.start()
    job = site.enqueue("stubborn")
    site.began(job, 1)
    stop(worker)
    site.let_go(job)
    assert worker.wait(60) == 0
    assert site.status(job) == "finished" and site.nothing_left()


def test_the_shutdown_command_drains_as_a_signal_does(site: Site) -> None:
    worker = site.start("Worker", "--name", "w")
    job = site.enqueue("hold")
    site.began(job, 1)
    send_shutdown_command(site.connection, "w")
    assert worker.wait(60) == 0
    assert site.status(job) == "queued" and site.closings(job) == ["drained"]


def test_stop_job_ends_the_job_as_stopped(site: Site) -> None:
    worker = site.start()
    job = site.enqueue("hold")
    site.began(job, 1)
    send_stop_job_command(site.connection, job)
    site.until_status(job, "stopped")
    assert site.closings(job) == ["failed"] and worker.poll() is None
    site.until("nothing is left", site.nothing_left)
    # The session can be gone on with.
    site.let_go(job)
    site.until_status(site.enqueue(job, "go on", function="outlast.chat"), "finished")


def test_a_chat_that_waits_does_not_undo_a_stop(site: Site) -> None:
    site.start()
    job = site.enqueue("hold and read")
    site.began(job, 1)
    site.start()
    chat = site.enqueue(job, "go on", function="outlast.chat")
    site.until("the message is read", lambda: "user.message" in [r.type for r in site.records(job)])
    site.until("its job waits", lambda: site.connection.llen(f"outlast:{{{job}}}:waiters") == 1)
    send_stop_job_command(site.connection, job)
    site.until_status(job, "stopped")
    site.until_status(chat, "failed")
    assert site.attempts(job) == 1 and site.nothing_left()


def test_stop_job_is_for_the_job_it_names(site: Site) -> None:
    site.start("Worker", "--name", "w")
    job = site.enqueue("hold")
    site.began(job, 1)
    other = site.enqueue("go")
    site.connection.publish("rq:pubsub:w", b"not json")
    site.connection.publish("rq:pubsub:w", b"[]")
    site.connection.publish("rq:pubsub:w", f'{{"command": "stop-job", "job_id": "{other}"}}')
    site.let_go(job)
    site.until_status(job, "finished")
    site.until_status(other, "finished")


def test_kill_horse_is_a_crash_and_the_session_goes_on(site: Site) -> None:
    site.start("Worker", "--name", "w")
    job = site.enqueue("hold")
    child = site.began(job, 1)
    send_kill_horse_command(site.connection, "w")
    site.began(job, 2)
    assert gone(child) and site.closings(job)[0] == ""


def test_a_ctrl_c_typed_at_the_terminal_reaches_the_child_as_a_drain(site: Site) -> None:
    worker = site.start()
    job = site.enqueue("hold")
    site.began(job, 1)
    # The terminal signals the whole foreground group; the child is in a group of its own.
    os.killpg(worker.pid, signal.SIGINT)
    assert worker.wait(60) == 0
    assert site.closings(job) == ["drained"] and site.status(job) == "queued"
