"""`make doctor`: the checks of `make up` at any time, the containers, and what the worker's container finds."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.unit.deploy.conftest import Done
from tests.unit.deploy.stand_in import Host, container

Run = Callable[..., Done]

INSIDE = {"check": "workers", "verdict": "good", "said": "2 workers alive", "mend": ""}


def findings(done: Done) -> dict[str, dict[str, str]]:
    return {found["check"]: found for found in map(json.loads, done.out.splitlines())}


def running(host: Host, **changes: str) -> None:
    host.containers = [container(it, host.port, **changes) for it in ("redis", "worker", "vllm")]  # type: ignore[arg-type]  # the changes are fields of a container, of mixed types
    host.settle()
    host.answer("docker compose exec -T worker outlast doctor --json", json.dumps(INSIDE) + "\n")


def test_a_stack_that_is_well_has_no_fault(host: Host, run: Run) -> None:
    run("up")
    running(host)
    done = run("doctor")
    assert done.code == 0
    found = findings(done)
    assert {it["verdict"] for it in found.values()} == {"good"}
    assert found["workers"] == INSIDE and found["outlast-redis-1"]["said"] == "redis says how it is"


def test_a_stack_that_is_not_up_is_a_fault_with_its_mend(host: Host, run: Run) -> None:
    done = run("doctor")
    assert done.code == 1
    assert findings(done)["containers"] == {
        "check": "containers", "verdict": "bad", "said": "none of this stack is there.", "mend": "make up starts it.",
    }  # fmt: skip
    assert findings(done)["connections"]["verdict"] == "unknown"


def test_each_container_that_is_not_well_is_told(host: Host, run: Run) -> None:
    running(host)
    host.containers = [
        container("redis", host.port, health="unhealthy"),
        container("worker", health="starting"),
        container("vllm", status="exited", exit_code=137),
        container("backup", health="unhealthy"),
    ]
    host.answer("docker compose config", json.dumps(host.config("backup")))  # as Compose does where BACKUP_EVERY is set
    host.answers |= host.listed(host.containers)
    host.answer("docker compose exec -T worker outlast doctor --json", err="container is restarting\n", code=1)
    found = findings(run("doctor"))
    assert found["outlast-redis-1"]["said"] == "it is unhealthy: redis says how it is"
    assert found["outlast-backup-1"]["said"] == "it is unhealthy: backup says how it is"
    assert found["outlast-worker-1"]["verdict"] == "unknown"
    assert found["outlast-vllm-1"]["said"] == "it is stopped (exit code 137)."
    assert found["connections"]["said"] == "the worker's container does not tell of them: container is restarting."


def test_a_secret_that_the_containers_do_not_have_yet_is_told(host: Host, run: Run) -> None:
    run("up")
    running(host, created="2020-01-01T00:00:00Z")
    done = run("doctor")
    told = [json.loads(line) for line in done.out.splitlines() if '"secrets"' in line]
    assert told[-1]["said"] == "redis, vllm, worker still have an older one than there is now."


def test_without_docker_the_rest_is_told_as_unknown(host: Host, run: Run) -> None:
    (host.programs / "docker").unlink()
    found = findings(run("doctor"))
    assert found["Docker"]["verdict"] == "bad" and found["the rest"]["verdict"] == "unknown"
    assert found["settings"]["verdict"] == "good"
