"""A user's way through the stack: enqueue from both sides, look, fetch the files."""

from __future__ import annotations

import csv
import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from demo.generate import generate
from tests.observer import PATIENCE
from tests.stack.stack import Stack


def sums_by_region(path: Path) -> dict[str, float]:
    """What the job should find: without rows that have a blank value or sales that are no number."""
    totals: dict[str, float] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if all(row.values()):
                with suppress(ValueError):
                    totals[row["region"]] = totals.get(row["region"], 0.0) + float(row["sales"])
    return totals


def until_suspended(stack: Stack) -> None:
    """Until every worker has seen it: one that has not would still take a job."""
    until, found = time.monotonic() + PATIENCE, set[Any]()
    while found != {b"suspended"}:
        assert time.monotonic() < until, found
        workers: Any = stack.connection.smembers("rq:workers")
        found = {stack.connection.hget(worker, "state") for worker in workers} - {None}
        time.sleep(0.05)


def test_the_csv_job_finishes_and_its_files_can_be_fetched(stack: Stack, tmp_path: Path) -> None:
    data = stack.directory / "data/large_sales_data.csv"
    generate(data, 1_000_000)
    stack.enqueue("sales", "csv Clean the file and draw sales by region.", 'files:=["large_sales_data.csv"]')
    state = stack.finished("sales")
    assert state.closed is not None and state.closed.how == "finished"
    listed = [json.loads(line) for line in stack.outlast("files", "sales").stdout.splitlines()]
    assert {"sales_by_region.png", "totals.csv"} <= {Path(entry["path"]).name for entry in listed}
    stack.outlast("cp", "sales:sales_by_region.png", "sales:totals.csv", str(tmp_path))
    assert (tmp_path / "sales_by_region.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "totals.csv").open(encoding="utf-8") as file:
        totals = {row["region"]: float(row["sales"]) for row in csv.DictReader(file)}
    expected = sums_by_region(data)
    assert totals.keys() == expected.keys()
    assert all(abs(totals[region] - expected[region]) < 0.01 for region in totals)
    assert stack.verify("sales").ok


def test_the_line_that_make_up_prints_enqueues_from_within_the_container(stack: Stack) -> None:
    said = stack.make("up").stdout
    [line] = [line.strip() for line in said.splitlines() if "exec worker rq enqueue" in line]
    assert line.startswith("docker compose exec worker rq enqueue outlast.run ")
    done = stack.inside("rq", "enqueue", "--job-id", "from-inside", "outlast.run", "hello")
    assert "from-inside" in done.stdout + done.stderr
    assert stack.finished("from-inside").closed is not None
    assert json.loads(stack.inside("outlast", "show", "from-inside").stdout)["session"] == "from-inside"


def test_the_stock_commands_of_rq_work_from_the_host(stack: Stack) -> None:
    stack.rq("suspend")
    try:
        until_suspended(stack)
        assert "suspended" in stack.rq("info").stdout
        stack.enqueue("waits", "hello")
        listed = [json.loads(line) for line in stack.outlast("list").stdout.splitlines()]
        assert [row["state"] for row in listed if row["session"] == "waits"] == ["queued"]
    finally:
        stack.rq("resume")
    assert stack.finished("waits").closed is not None


def test_a_second_make_up_changes_nothing(stack: Stack) -> None:
    def everything() -> dict[str, object]:
        made = {"__pycache__", ".make"}
        files = [path for path in stack.directory.rglob("*") if path.is_file() and not made & {*path.parts}]
        containers = [each for service in ("redis", "worker", "vllm") for each in stack.containers(service)]
        times = {str(path): path.stat().st_mtime_ns for path in files}
        return times | {each: stack.inspect(each)["State"]["StartedAt"] for each in containers}

    before = everything()
    stack.make("up")
    assert everything() == before


def test_only_redis_is_published_and_only_on_the_loopback_interface(stack: Stack) -> None:
    published = {
        service: [
            binding
            for container in stack.containers(service)
            for bindings in stack.inspect(container)["NetworkSettings"]["Ports"].values()
            for binding in bindings or ()
        ]
        for service in ("redis", "worker", "vllm")
    }
    assert published == {"redis": [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}], "worker": [], "vllm": []}


def test_no_secret_is_in_an_environment_an_argument_or_a_log(stack: Stack) -> None:
    secrets = [path.read_text(encoding="utf-8").strip() for path in (stack.directory / "secrets").iterdir()]
    assert len(secrets) == 4 and len(set(secrets)) == 4 and all(len(secret) >= 32 for secret in secrets)
    known = stack.compose("logs", "--no-color").stdout
    for service in ("redis", "worker", "vllm"):
        for container in stack.containers(service):
            known += json.dumps(stack.inspect(container))
            pids = stack.compose("top", service).stdout
            known += pids
    assert not [secret for secret in secrets if secret in known]
