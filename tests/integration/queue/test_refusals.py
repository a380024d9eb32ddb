"""Nothing that a job's hash names is imported, run or called; the job says why, and the worker lives."""

from __future__ import annotations

import json
import pickle
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rq.job import Job

from tests.integration.queue.site import Site


@pytest.fixture
def planted(tmp_path: Path) -> tuple[str, Path]:
    """A directory with a module that leaves a file if it is ever imported."""
    trace = tmp_path / "imported"
    (tmp_path / "planted.py").write_text(f"open({str(trace)!r}, 'w').close()\ndef call(*a, **k): pass\n")
    return str(tmp_path), trace


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A loopback listener that nobody should connect to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def by_hand(site: Site, job: str, call: Any = ("outlast.run", None, ("go",), {}), **fields: Any) -> None:
    """A job's hash as anyone who reaches Redis may write it."""
    data = call if isinstance(call, bytes) else zlib.compress(pickle.dumps(call, protocol=5))
    plain = {"data": data, "origin": "default", "status": "queued", "created_at": "2026-11-01T00:00:00.000000Z"}
    site.connection.hset(f"rq:job:{job}", mapping=plain | fields)
    site.connection.rpush("rq:queue:default", job)


def serve(site: Site, path: str = "") -> str:
    """Work the queue off with `path` importable, and prove that the worker lives: an honest job after it finishes."""
    honest = site.enqueue("go")
    extra = ["--path", path] if path else []
    log = site.burst("Worker", *extra)
    assert site.status(honest) == "finished" and site.nothing_left()
    return log


def test_a_shell_command_is_refused_and_does_not_run(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "touched"
    job = site.enqueue(f"touch {target}", function="os.system")
    serve(site)
    assert not target.exists()
    assert site.failure(job) == (
        "This worker runs only outlast.run and outlast.chat, not 'os.system'; enqueue one of these."
    )
    assert "1 failed" in site.rq("info").stdout


def test_the_trap_works_at_all(site: Site, planted: tuple[str, Path]) -> None:
    """Stock RQ does import what the next tests plant."""
    path, trace = planted
    site.enqueue("x", function="planted.call")
    site.rq("worker", "--burst", "--path", path)
    assert trace.exists()


def test_a_callback_is_neither_imported_nor_called(site: Site, planted: tuple[str, Path]) -> None:
    path, trace = planted
    fields = ["success_callback_name", "failure_callback_name", "stopped_callback_name"]
    jobs = {f"{field}-{prompt}": (field, prompt) for field in fields for prompt in ("go", "fail")}
    for job, (field, prompt) in jobs.items():
        by_hand(site, job, ("outlast.run", None, (prompt,), {}), **{field: "planted.call"})
    serve(site, path)
    assert not trace.exists()
    for job, (field, _) in jobs.items():
        assert "callback" in site.failure(job)
        assert site.connection.hget(f"rq:job:{job}", field) in (None, b"")


def test_a_function_of_another_module_is_not_imported(site: Site, planted: tuple[str, Path]) -> None:
    path, trace = planted
    by_hand(site, "evil", ("planted.call", None, ("go",), {}))
    serve(site, path)
    assert "'planted.call'" in site.failure("evil") and not trace.exists()


def test_a_webhook_is_not_called(site: Site, listener: socket.socket) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    hooks = [{"url": url, "job_status": status, "method": "POST"} for status in ("finished", "failed")]
    for prompt in ("go", "fail"):
        by_hand(site, prompt, ("outlast.run", None, (prompt,), {}), webhooks=json.dumps(hooks))
    serve(site)
    with pytest.raises(BlockingIOError):
        listener.accept()
    for job in ("go", "fail"):
        assert "webhooks" in site.failure(job) and not site.connection.hexists(f"rq:job:{job}", "webhooks")


REDUCE = b"cplanted\ncall\n(S'x'\ntR."

EVIL_DATA = {
    "reduce": zlib.compress(REDUCE),
    "reduce, not compressed": REDUCE,
    "stack global": zlib.compress(b"\x80\x04\x8c\x07planted\x8c\x04call\x93)R."),
    "reduce inside the arguments": zlib.compress(b"\x80\x04(\x8c\x0boutlast.runN(" + REDUCE[:-1] + b"t}t."),
    "an extension code": zlib.compress(b"\x80\x04\x82\x01."),
    "a huge memo index": zlib.compress(b"\x80\x04Nr\xff\xff\xff\x7f."),
    "a bomb": zlib.compress(b"\0" * (64 * 1024 * 1024), 9),
    "a bomb in a bomb": zlib.compress(zlib.compress(b"\0" * (64 * 1024 * 1024), 9)),
    "json": b'["outlast.run", null, ["go"], {}]',
    "nothing": b"",
}


def test_hostile_data_is_refused_unread(site: Site, planted: tuple[str, Path]) -> None:
    path, trace = planted
    jobs = {f"evil-{number}": which for number, which in enumerate(EVIL_DATA)}
    for job, which in jobs.items():
        by_hand(site, job, EVIL_DATA[which])
    serve(site, path)
    assert not trace.exists()
    for job, which in jobs.items():
        assert "cannot be read" in site.failure(job), which
        # Whoever reads the failure with the stock client runs nothing either: the data was made harmless.
        assert Job.fetch(job, connection=site.connection).func_name == "outlast.unreadable"


def test_hostile_meta_is_taken_out_of_a_refused_job_and_ignored_in_another(
    site: Site, planted: tuple[str, Path]
) -> None:
    path, trace = planted
    by_hand(site, "refused", ("os.system", None, ("x",), {}), meta=REDUCE)
    by_hand(site, "carried-out", meta=REDUCE)
    serve(site, path)
    assert not trace.exists()
    assert site.failure("refused") and not site.connection.hexists("rq:job:refused", "meta")
    assert site.status("carried-out") == "finished"


def test_an_instance_is_not_revived(site: Site) -> None:
    by_hand(site, "evil", ("outlast.run", "anything", ("go",), {}))
    serve(site)
    assert "object" in site.failure("evil")


def test_hostile_fields_of_a_dependent_are_not_touched_when_it_is_enqueued(
    site: Site, planted: tuple[str, Path]
) -> None:
    path, trace = planted
    site.enqueue("--job-id=first", "go")
    site.enqueue("--job-id=second", "--depends-on=first", "go")
    evil = {"data": EVIL_DATA["a bomb"], "success_callback_name": "planted.call"}
    site.connection.hset("rq:job:second", mapping=evil)
    serve(site, path)
    assert site.status("first") == "finished" and site.failure("second") and not trace.exists()


MALFORMED: list[dict[str, Any]] = [
    {"timeout": "soon"}, {"result_ttl": "x"}, {"retries_left": "x"}, {"created_at": "never"}, {"status": "odd"},
    {"dependency_ids": "{"}, {"origin": b"\xff"}, {"description": b"\xff\xfe"}, {"worker_name": b"\xff"},
]  # fmt: skip


def test_a_malformed_hash_fails_its_job_and_not_the_worker(site: Site) -> None:
    jobs = {f"odd-{number}": fields for number, fields in enumerate(MALFORMED)}
    for job, fields in jobs.items():
        by_hand(site, job, **fields)
    serve(site)
    for job, fields in jobs.items():
        assert site.failure(job), fields


def test_an_id_that_rq_would_not_give_fails_its_job_and_not_the_worker(site: Site) -> None:
    jobs = ["a:b", "a b", "{x}", "é", "x" * 300]
    for job in jobs:
        by_hand(site, job)
    serve(site)
    assert [site.status(job) for job in jobs] == ["failed"] * len(jobs)


def test_what_is_no_job_at_all_is_passed_over(site: Site) -> None:
    site.connection.rpush("rq:queue:default", b"\xff\xfe", "missing", "not-a-hash")
    site.connection.set("rq:job:not-a-hash", "x")
    serve(site)
