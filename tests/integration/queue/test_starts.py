"""What stops the start of a worker is one sentence, which says what to mend, and exit code 2."""

from __future__ import annotations

import pytest

from tests.integration.queue.site import Site

#: Where no Redis is: a wrong setting is told before anything waits for one.
NOWHERE = "redis://127.0.0.1:1/0"


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("OUTLAST_LEESE", "3", "OUTLAST_LEESE is not a setting of Outlast; did you mean OUTLAST_LEASE?"),
        ("OUTLAST_LEASE", "soon", "OUTLAST_LEASE='soon' is not a number of at least 0.5."),
        ("OUTLAST_SANDBOX", "on", "OUTLAST_SANDBOX='on' is not one of strict, reduced, off."),
        ("OUTLAST_REDIS_URL", "127.0.0.1", "OUTLAST_REDIS_URL is no address of a Redis"),
        ("OUTLAST_REDIS_URL", "redis://127.0.0.1:1/3", "names 127.0.0.1:1/3, but `rq` uses 127.0.0.1:1/0; give `rq`"),
    ],
)
def test_a_wrong_setting_is_one_sentence_without_a_traceback(
    site: Site, setting: str, value: str, sentence: str
) -> None:
    worker = site.start("outlast.queue.Worker", RQ_REDIS_URL=NOWHERE, **{setting: value})
    _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 2
    assert errors.startswith("outlast: ") and sentence in errors and errors.count("\n") == 1


def test_the_same_redis_named_twice_is_no_mistake(site: Site) -> None:
    worker = site.start(OUTLAST_REDIS_URL=site.url)
    assert site.lease_of(worker)


def test_another_serializer_is_refused_with_the_way_out(site: Site) -> None:
    worker = site.start("Worker", "--serializer", "json")
    _, errors = worker.communicate(timeout=60)
    assert (worker.returncode, errors) == (
        2, "outlast: Outlast reads what the stock `rq enqueue` writes; leave --serializer out.\n",
    )  # fmt: skip


def test_a_worker_that_could_run_no_cell_takes_no_job(site: Site) -> None:
    job = site.enqueue("go")
    missing = {"OUTLAST_WORKSPACES": "/proc/no", "OUTLAST_KERNEL_PYTHON": "/no/python", "OUTLAST_MODEL_KEY_FILE": "/no"}
    worker = site.start("outlast.queue.Worker", **missing)
    _, errors = worker.communicate(timeout=60)
    assert worker.returncode == 2 and [name for name in missing if name not in errors] == []
    assert "Traceback" not in errors and site.status(job) == "queued"


def test_a_redis_that_a_power_cut_would_rob_is_named_at_the_start(own_site: Site) -> None:
    assert "redis.not_durable" not in own_site.burst()
    own_site.connection.config_set("appendfsync", "everysec")
    assert "appendfsync always" in own_site.burst()
