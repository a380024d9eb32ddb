"""`outlast doctor` outside a stack's directory: what it is connected to, with a real Redis."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import redis

from outlast.cli.main import main
from outlast.drill.scripted_model import ScriptedModel
from outlast.log import redis_log
from tests.proxy import Proxy
from tests.redis_server import RedisServer

Findings = dict[str, dict[str, str]]
Doctor = Callable[..., tuple[int, Findings]]


@pytest.fixture
def doctor(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    """Runs the command with these settings besides those under which all is well; its code and findings by check."""
    monkeypatch.chdir(tmp_path)

    def run(**settings: str) -> tuple[int, Findings]:
        given = {"redis_url": redis_url, "workspaces": str(tmp_path), "lease": "0.5"}
        given |= {"model_url": "http://127.0.0.1:9/v1", "model": "scripted-model", "sandbox": "reduced"}
        for name, value in (given | settings).items():
            monkeypatch.setenv(f"OUTLAST_{name.upper()}", value)
        code = main(["doctor"])
        found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        return code, {finding["check"]: finding for finding in found}

    return run


@pytest.fixture
def worker(connection: redis.Redis) -> Iterator[None]:
    """Something that renews a lease, as every worker does."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(0.02):
            connection.hincrby("outlast:leases", "w.1", 1)

    thread = threading.Thread(target=renew)
    thread.start()
    yield
    over.set()
    thread.join()


def test_where_all_is_well_there_is_no_fault(doctor: Doctor, worker: None) -> None:
    with ScriptedModel(["Hello."], context_window=40000) as model:
        code, found = doctor(model_url=model.url)
    assert code == 0, found
    assert {"Redis", "Redis keeps", "workers", "model server", "workspaces", "sandbox"} < set(found)
    assert {it["verdict"] for check, it in found.items() if check not in ("log guard", "sandbox")} == {"good"}
    assert found["workers"]["said"] == "1 worker alive"


def test_a_sandbox_that_lacks_a_layer_is_a_fault_where_all_are_asked_for(doctor: Doctor, tmp_path: Path) -> None:
    # Whoever runs this, no other user can pass this directory.
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    _, found = doctor(sandbox="strict", workspaces=str(closed))
    said = found["sandbox"]["said"]
    assert found["sandbox"]["verdict"] == "bad" and "`user` is missing" in said and "runs no code here" in said
    _, found = doctor(sandbox="reduced", workspaces=str(closed))
    assert found["sandbox"]["verdict"] == "unknown" and "`user` is missing" in found["sandbox"]["said"]
    _, found = doctor(sandbox="off")
    assert found["sandbox"]["verdict"] == "bad" and "OUTLAST_SANDBOX=off" in found["sandbox"]["said"]


def test_a_lease_that_nobody_renews_is_no_living_worker(doctor: Doctor, connection: redis.Redis) -> None:
    connection.hset("outlast:leases", "dead.1", 7)
    code, found = doctor()
    assert code == 1 and found["workers"]["said"] == "none is alive."


def test_workers_that_were_told_to_take_no_jobs_are_a_fault(
    doctor: Doctor, connection: redis.Redis, worker: None
) -> None:
    connection.set("rq:suspended", 1)
    assert doctor()[1]["workers"]["mend"] == "rq resume lets them."


def test_a_redis_that_does_not_answer(doctor: Doctor) -> None:
    code, found = doctor(redis_url="redis://127.0.0.1:9/0")
    assert code == 1 and found["Redis"]["said"].startswith("it does not answer: ") and "workspaces" in found


def test_a_wrong_password(doctor: Doctor, redis_url: str) -> None:
    found = doctor(redis_url=redis_url.replace("redis://", "redis://nobody:hush-hush@"))[1]
    assert found["Redis"]["said"].startswith("it refuses the login: ") and "make up" in found["Redis"]["mend"]
    assert "hush-hush" not in str(found)


def test_a_redis_that_a_power_cut_would_rob(doctor: Doctor, private_redis: Callable[[], RedisServer]) -> None:
    server = private_redis()
    with redis.Redis.from_url(server.url) as client:
        client.config_set("appendfsync", "everysec")
    assert doctor(redis_url=server.url)[1]["Redis keeps"]["verdict"] == "bad"


def test_a_redis_that_is_nearly_full(doctor: Doctor, private_redis: Callable[[], RedisServer]) -> None:
    server = private_redis()
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", int(client.info("memory")["used_memory"]) + 50_000)
    assert "REDIS_MEMORY" in doctor(redis_url=server.url)[1]["Redis memory"]["mend"]


def test_a_redis_that_takes_no_writes(doctor: Doctor, private_redis: Callable[[], RedisServer]) -> None:
    server = private_redis()
    with redis.Redis.from_url(server.url) as client:
        client.config_set("maxmemory", 1)
        full = doctor(redis_url=server.url)[1]
        client.config_set("maxmemory", 0)
        (server.directory / "dump.rdb").mkdir()
        client.bgsave()
        while client.info("persistence")["rdb_bgsave_in_progress"]:
            pass
        # Nobody has asked for snapshots, so it goes on without.
        assert client.set("outlast:doctor", 1) and "Redis writes" not in doctor(redis_url=server.url)[1]
        client.config_set("save", "1000000 1")
        unsaved = doctor(redis_url=server.url)[1]
        client.replicaof("127.0.0.1", "1")
        replica = doctor(redis_url=server.url)[1]
    assert "it takes no writes; workers wait" in full["Redis memory"]["said"]
    assert "snapshot could not be written" in unsaved["Redis writes"]["said"]
    assert "it is a replica" in replica["Redis writes"]["said"] and "REPLICAOF" in replica["Redis writes"]["mend"]
    for found in (full, unsaved, replica):
        assert "does not show" in found["workers"]["said"] and "log guard" not in found


def test_a_redis_that_answers_slowly(doctor: Doctor, private_redis: Callable[[], RedisServer]) -> None:
    server = private_redis()
    assert "answers in" in doctor(redis_url=server.url)[1]["Redis"]["said"]
    with Proxy(server.port) as proxy:
        proxy.delay = 0.3
        code, found = doctor(redis_url=f"redis://127.0.0.1:{proxy.port}/0")
    assert code == 1 and found["Redis"]["verdict"] == "bad" and "s to answer." in found["Redis"]["said"]


def test_a_redis_that_hangs(
    doctor: Doctor, private_redis: Callable[[], RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_log, "SOCKET_SECONDS", 0.3)
    server = private_redis()
    os.kill(server.pid, signal.SIGSTOP)
    code, found = doctor(redis_url=server.url)
    assert code == 1 and found["Redis"]["said"].startswith("it does not answer: ")


def test_whether_the_user_may_delete_a_log_is_told_and_none_is_deleted(
    doctor: Doctor, connection: redis.Redis, redis_url: str
) -> None:
    assert doctor()[1]["log guard"]["verdict"] == "unknown"
    may = ["+ping", "+info", "+hgetall", "+exists"]
    connection.acl_setuser("reader", enabled=True, passwords=["+word"], keys=["*"], commands=may)
    try:
        found = doctor(redis_url=redis_url.replace("redis://", "redis://reader:word@"))[1]
    finally:
        connection.acl_deluser("reader")
    assert found["log guard"]["verdict"] == "good" and found["Redis keeps"]["verdict"] == "good"


def test_a_model_server_that_does_not_answer(doctor: Doctor) -> None:
    found = doctor()[1]["model server"]
    assert "does not answer (" in found["said"] and "Sessions wait for it." in found["mend"]


def test_a_model_server_with_another_model(doctor: Doctor) -> None:
    with ScriptedModel([], model="other") as model:
        found = doctor(model_url=model.url)[1]["model server"]
    assert found["said"].endswith("/v1 serves other, and not scripted-model.")


def test_a_window_longer_than_the_servers(doctor: Doctor) -> None:
    with ScriptedModel(["Hello."], context_window=1024) as model:
        found = doctor(model_url=model.url)[1]
    assert found["context window"]["said"] == "it holds 1024 tokens, less than OUTLAST_CONTEXT_WINDOW=32768."
    assert found["model server"]["verdict"] == "good"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"{}", "answers 401 Unauthorized."),
        (500, b"{}", "answers 500 Internal Server Error."),
        (200, b"<html>", "is no model server."),
        (200, b'{"data": 1}', "is no model server."),
    ],
)
def test_what_answers_otherwise_is_told(doctor: Doctor, status: int, body: bytes, said: str) -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing on standard error."""

    server = HTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    found = doctor(model_url=f"http://127.0.0.1:{server.server_port}/v1")[1]["model server"]
    thread.join()
    server.server_close()
    assert found["verdict"] == "bad" and found["said"].endswith(said)


def test_workspaces_that_are_not_there(doctor: Doctor, tmp_path: Path) -> None:
    found = doctor(workspaces=str(tmp_path / "none"))[1]["workspaces"]
    assert found["said"] == f"{tmp_path}/none cannot be written to (No such file or directory)."


def test_nothing_is_left_in_the_workspaces(doctor: Doctor, tmp_path: Path) -> None:
    doctor()
    assert list(tmp_path.iterdir()) == []
