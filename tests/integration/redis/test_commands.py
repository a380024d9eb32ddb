"""Every command that an operator types, as the user `client`: none of them is refused anything."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import redis
from rq import Queue
from rq.job import Job

from outlast.log.redis_log import RedisLog
from tests.integration.redis.conftest import Connect, refusals
from tests.kept_redis import KeptRedis
from tests.unit.cli.sample import play

SERVICES = str(Path(__file__).parents[3] / "services")


def run(kept: KeptRedis, module: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `rq` or `outlast` with nothing but the client's address."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": SERVICES, "RQ_REDIS_URL": kept.client_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fail(worker: redis.Redis, job: str) -> None:
    """What a worker leaves of a failed job."""
    found = Job.fetch(job, connection=worker)
    found.set_status("failed")  # type: ignore[arg-type]  # RQ takes the text too, and types it for its enumeration alone
    with worker.pipeline() as pipeline:
        Queue("default", connection=worker).failed_job_registry.add(found, ttl=-1, pipeline=pipeline)
        pipeline.lrem("rq:queue:default", 0, job)
        pipeline.execute()


ENQUEUE = ("enqueue", "--job-id", "etl")
RUN = ("outlast.run", "prompt=go", 'files:=["a.csv"]')


@pytest.mark.parametrize(
    "words",
    [
        (*ENQUEUE, *RUN),
        (*ENQUEUE, "--timeout", "900", "--result-ttl", "60", "--ttl", "60", "--failure-ttl", "60", *RUN),
        (*ENQUEUE, "--description", "x", "--at-front", "--queue", "other", *RUN),
        (*ENQUEUE, "--retry-max", "2", "--retry-interval", "1", *RUN),
        (*ENQUEUE, "--depends-on", "first", *RUN),
        (*ENQUEUE, "--schedule-in", "10s", *RUN),
        (*ENQUEUE, "--schedule-at", "2036-01-01T00:00:00", *RUN),
        (*ENQUEUE, "outlast.chat", "first", "message=and now"),
        ("info",),
        ("info", "--raw"),
        ("info", "--by-queue"),
        ("info", "--only-queues", "default"),
        ("info", "--only-workers"),
        ("suspend",),
        ("suspend", "--duration", "10"),
        ("resume",),
        ("requeue", "--queue", "default", "broken"),
        ("requeue", "--queue", "default", "--all"),
        ("empty", "default"),
        ("empty", "--all"),
    ],
    ids=" ".join,
)
def test_the_client_may_run_every_command_of_stock_rq(kept: KeptRedis, as_user: Connect, words: Sequence[str]) -> None:
    for job in ("first", "broken"):
        assert run(kept, "rq.cli", "enqueue", "--job-id", job, "outlast.run", "go").returncode == 0
    fail(as_user("worker"), "broken")
    done = run(kept, "rq.cli", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert refusals(kept) == []


def test_an_enqueued_job_is_there_and_a_requeued_one_waits_again(kept: KeptRedis, as_user: Connect) -> None:
    run(kept, "rq.cli", "enqueue", "--job-id", "etl", "outlast.run", "go")
    worker = as_user("worker")
    assert worker.lrange("rq:queue:default", 0, -1) == [b"etl"]
    fail(worker, "etl")
    assert worker.lrange("rq:queue:default", 0, -1) == []
    run(kept, "rq.cli", "requeue", "--queue", "default", "etl")
    assert worker.lrange("rq:queue:default", 0, -1) == [b"etl"]


@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "--all", "--json"),
        ("show", "sales"),
        ("logs", "sales"),
        ("logs", "-f", "sales"),
        ("verify", "sales"),
        ("verify", "--all"),
        ("show", "waiting"),
        ("show", "broken"),
    ],
    ids=" ".join,
)
def test_the_client_may_run_every_command_of_outlast(kept: KeptRedis, as_user: Connect, words: Sequence[str]) -> None:
    play(RedisLog(as_user("worker"), "sales"))
    for job in ("waiting", "broken"):
        run(kept, "rq.cli", "enqueue", "--job-id", job, "outlast.run", "go")
    fail(as_user("worker"), "broken")
    done = run(kept, "outlast", *words)
    if words[1:] in (("waiting",), ("broken",)):
        assert (done.returncode, done.stdout) == (1, "") and words[1] in done.stderr
    else:
        assert (done.returncode, done.stderr) == (0, "") and "sales" in done.stdout + str(words)
    assert refusals(kept) == []


def test_a_wrong_password_is_one_sentence(kept: KeptRedis) -> None:
    done = run(kept, "outlast", "list", "--redis-url", f"redis://client:wrong@127.0.0.1:{kept.port}/0")
    assert done.returncode in (2, 3) and done.stderr.count("\n") == 1 and "client:wrong" not in done.stderr
