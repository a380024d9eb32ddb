"""A planned restart: refused where it would not end well, one container at a time, and whether the sessions went on."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from outlast.deploy import sessions, up, watch
from outlast.deploy.progress import Display
from outlast.deploy.stack import SERVICES, Container, Stack
from tests.unit.deploy.conftest import Done
from tests.unit.deploy.stand_in import Host, container

Run = Callable[..., Done]


def asked(
    host: Host,
    *,
    before: dict[str, int],
    after: dict[str, tuple[str, int]],
    renewals: tuple[int, int] = (7, 8),
    suspended: bool = False,
) -> None:
    """What the worker's container tells: the attempts of the sessions that run, and state and attempts later.

    `renewals`: how often their worker has shown that it lives, by the first answer and by all others.
    """
    rows = [json.dumps({"session": name, "attempts": attempt}) for name, attempt in before.items()]
    host.answer("docker compose exec -T worker outlast list --running --json", "".join(f"{row}\n" for row in rows))
    for name, (state, attempts) in after.items():
        row = {"state": state, "attempts": [{}] * attempts, "suspended": suspended}
        first, later = (json.dumps(row | {"renewals": number}) + "\n" for number in renewals)
        command = f"docker compose exec -T worker outlast show {name} --json"
        host.answer(command, first, then={command: {"out": later}})


def restarted(host: Host) -> list[str]:
    return [call[2] for call in host.calls() if call[1] == "restart"]


def test_it_waits_for_the_one_service_and_says_that_every_session_went_on(host: Host, run: Run) -> None:
    host.runs(container("vllm", health="starting"))
    host.answer("docker restart worker1")
    asked(host, before={"sales": 1, "etl": 4}, after={"sales": ("running", 2), "etl": ("finished", 4)})
    done = run("restart", "worker")
    assert done.code == 0 and "worker: ready" in done.out and "vllm" not in done.out
    assert done.out.endswith("All 2 sessions that ran went on: sales, etl.\n")


def test_a_session_that_is_still_in_the_attempt_before_has_not_gone_on(
    host: Host, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.runs()
    host.answer("docker restart worker1")
    host.answer("docker restart redis1")
    asked(host, before={"sales": 1}, after={"sales": ("running", 1)})
    with monkeypatch.context() as impatient:
        impatient.setattr(sessions, "GOES_ON_SECONDS", 1.0)
        done = run("restart", "worker")
    assert done.code == 1 and "Session sales has not gone on within 1 s; nothing of it is lost" in done.err
    # It need not open another attempt when Redis is restarted.
    asked(host, before={"sales": 1}, after={"sales": ("running", 1)})
    assert run("restart", "redis").out.endswith("The session that ran went on: sales.\n")


@pytest.mark.parametrize("service", ["redis", "vllm"])
def test_a_session_whose_worker_shows_no_sign_of_life_has_not_gone_on(
    host: Host, run: Run, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    host.runs()
    host.answer(f"docker restart {service}1")
    # The log says that it runs, as it did before.
    asked(host, before={"sales": 1}, after={"sales": ("running", 1)}, renewals=(7, 7))
    monkeypatch.setattr(sessions, "GOES_ON_SECONDS", 1.0)
    done = run("restart", service)
    assert done.code == 1 and "Session sales has not gone on within 1 s; nothing of it is lost" in done.err


def test_a_session_that_nobody_may_take_is_named_with_the_cause(host: Host, run: Run) -> None:
    host.runs()
    host.answer("docker restart worker1")
    asked(host, before={"sales": 1}, after={"sales": ("drained", 1)}, suspended=True)
    done = run("restart", "worker")
    assert done.code == 1 and done.err == (
        "Session sales was handed back and waits, for the workers were told to take no jobs: "
        "docker compose exec worker rq resume lets them.\n"
    )


def test_a_container_that_is_started_while_it_is_looked_at_has_not_ended(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.runs()
    stack = Stack(host.directory, dict(os.environ))
    running = stack.containers("outlast")
    looks = iter([[replace(it, status="exited") for it in running], running])
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as restart:

        def look(*_: object) -> list[Container]:
            if restart.poll() is None:
                restart.communicate(b"\n")
            return next(looks)

        monkeypatch.setattr(Stack, "containers", look)
        before = {it.id: it for it in running}
        assert watch.until_ready(stack, "outlast", SERVICES, before, Display(io.StringIO()), restart) == running


def test_sessions_that_could_not_be_asked_for_are_not_taken_for_none(host: Host, run: Run) -> None:
    host.runs()
    host.answer("docker restart redis1")
    host.answer("docker compose exec -T worker outlast list", err="Redis cannot be reached", code=3)
    done = run("restart", "redis", "--force")
    assert done.code == 0 and done.err.startswith("Which sessions run could not be asked, so whether each goes on ")


def test_ctrl_c_says_which_containers_are_not_restarted(host: Host, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    host.runs(container("worker"), container("worker", number=2), container("worker", number=3))
    host.answer("docker restart")
    asked(host, before={}, after={})
    monkeypatch.setattr(up, "carry_out", interrupted)
    done = run("restart", "worker")
    assert done.code == 130
    assert "Interrupted: outlast-worker-1 goes on restarting." in done.out
    assert "outlast-worker-2, outlast-worker-3 were not restarted." in done.out


@pytest.mark.parametrize("command", [("restart", "worker"), ("up",)])
def test_ctrl_c_while_the_sessions_are_looked_at_does_not_say_that_nothing_was_changed(
    host: Host, run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    host.runs()
    host.answer("docker restart worker1")
    asked(host, before={"sales": 1}, after={})
    monkeypatch.setattr(sessions, "_until_gone_on", interrupted)
    done = run(*command)
    assert done.code == 130 and "Interrupted: it is done, but not all sessions" in done.out and done.err == ""


def test_several_workers_are_restarted_one_after_the_other(host: Host, run: Run) -> None:
    host.runs(container("worker"), container("worker", number=2))
    host.answer("docker restart")
    asked(host, before={}, after={})
    assert run("restart", "worker").code == 0
    assert restarted(host) == ["worker1", "worker2"]


@pytest.mark.parametrize("service", ["worker", "redis"])
def test_nothing_is_restarted_while_redis_is_not_well_unless_one_insists(host: Host, run: Run, service: str) -> None:
    host.runs(container("redis", host.port, health="unhealthy"))
    done = run("restart", service)
    assert done.code == 2 and "✗ outlast-redis-1: redis says how it is While that is so, " in done.out
    assert "; make logs S=redis says more." in done.out
    assert done.out.endswith("Nothing was restarted: mend the line with ✗ first, or add FORCE=1.\n")
    assert restarted(host) == []
    well = host.listed([container(it, host.port) for it in ("redis", "worker", "vllm")])
    host.answer(f"docker restart {service}1", then=well)
    assert run("restart", service, "--force").code == 0
    assert restarted(host) == [f"{service}1"]


def test_what_would_stop_a_start_stops_a_restart_before_anything_is_stopped(host: Host, run: Run) -> None:
    host.runs()
    host.env("OUTLAST_WROKERS=3")
    done = run("restart", "worker")
    assert done.code == 2 and "OUTLAST_WROKERS" in done.out and restarted(host) == []


def test_a_service_without_a_container_cannot_be_restarted(host: Host, run: Run) -> None:
    assert run("restart", "vllm") == (1, "", "vllm has no container: make up starts it.\n")


def test_an_upgrade_says_that_the_sessions_went_on(host: Host, run: Run) -> None:
    host.runs()
    newer = [container(it, host.port, id=f"{it}new") for it in ("redis", "worker", "vllm")]
    host.answer("docker compose up", then=host.listed(newer))
    host.answer("docker manifest inspect", "{}")
    host.answer("docker pull")
    asked(host, before={"sales": 1}, after={"sales": ("running", 2)})
    done = run("upgrade")
    assert done.code == 0 and done.out.endswith("The session that ran went on: sales.\n")


def test_an_upgrade_is_refused_while_redis_takes_nothing_back_unless_one_insists(host: Host, run: Run) -> None:
    host.runs(container("redis", host.port, health="unhealthy"))
    host.answer("docker manifest inspect", "{}")
    host.answer("docker pull")
    done = run("upgrade")
    assert done.code == 2 and "nothing can be handed back to it" in done.out
    assert done.out.endswith("Nothing was changed: mend the line with ✗ first, or add FORCE=1.\n")
    assert not [call for call in host.calls() if call[1] == "pull" or call[1:3] == ["compose", "up"]]
    asked(host, before={}, after={})
    host.answer("docker compose up", then=host.listed([container(it, host.port) for it in ("redis", "worker", "vllm")]))
    assert run("upgrade", "--force").code == 0
