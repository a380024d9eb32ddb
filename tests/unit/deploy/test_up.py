"""What `make up` does once all checks have passed, and that it does it once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from outlast.deploy import build, secrets, watch
from tests.unit.deploy.conftest import Done
from tests.unit.deploy.stand_in import Host, container

Run = Callable[..., Done]

SECRETS = ["secrets/model_key", "secrets/redis_admin", "secrets/redis_client", "secrets/redis_worker"]


def started(host: Host) -> list[str]:
    """The words of the last `docker compose up`."""
    return [call for call in host.calls() if call[1:3] == ["compose", "up"]][-1][3:]


def test_a_first_start_makes_settings_secrets_and_directories(host: Host, run: Run) -> None:
    done = run("up")
    assert done.code == 0 and done.err == ""
    files = host.files()
    assert files[".env"] == (0o644, (host.directory / ".env.example").read_text("latin-1"))
    assert [files[name][0] for name in SECRETS] == [0o444] * 4
    assert (host.directory / "secrets").stat().st_mode & 0o777 == 0o700
    assert len({files[name][1] for name in SECRETS}) == 4
    mode, client = files[".env.client"]
    assert mode == 0o600
    password = files["secrets/redis_client"][1].strip()
    assert client.splitlines()[-1] == f"RQ_REDIS_URL=redis://client:{password}@127.0.0.1:{host.port}/0"
    assert (host.directory / "data").is_dir()
    assert started(host) == ["--detach", "--no-build"]


def test_no_secret_is_shown_or_on_a_command_line(host: Host, run: Run) -> None:
    done = run("up")
    told = done.out + done.err + str(host.calls())
    for name in SECRETS:
        assert (host.directory / name).read_text().strip() not in told


def test_it_ends_with_two_lines_to_paste(host: Host, run: Run) -> None:
    assert run("up").out.endswith(
        "Ready: Qwen3-4B-Instruct-2507, 2 sessions at a time in a worker container.\n"
        "Enqueue in the container, or with this host's own rq:\n\n"
        '  docker compose exec worker rq enqueue outlast.run prompt="print hello world"\n'
        '  set -a; . ./.env.client; rq enqueue outlast.run prompt="print hello world"\n\n'
    )


def test_a_second_start_changes_nothing_and_says_so(host: Host, run: Run) -> None:
    run("up")
    files, stamps = host.files(), {it: it.stat().st_mtime_ns for it in host.directory.rglob("*")}
    done = run("up")
    assert done.code == 0 and "Nothing to change, all is up as it should be" in done.out and "made" not in done.out
    assert host.files() == files
    assert {it: it.stat().st_mtime_ns for it in host.directory.rglob("*")} == stamps
    assert sum(call[1:3] == ["compose", "build"] for call in host.calls()) == 1


def test_a_start_after_a_source_has_changed_builds_again(host: Host, run: Run) -> None:
    run("up")
    (host.directory / "README.md").write_text("of the image's package")
    run("up")
    assert sum(call[1:3] == ["compose", "build"] for call in host.calls()) == 2


def test_an_image_that_another_build_has_replaced_is_built_again(host: Host, run: Run) -> None:
    run("up")
    host.answers["docker image inspect"]["out"] = "sha256:2\n"
    host.answers |= host.listed([container(it, host.port) for it in ("redis", "worker", "vllm")])
    host.answer("docker compose up")
    run("up")
    assert sum(call[1:3] == ["compose", "build"] for call in host.calls()) == 2


def test_what_the_first_start_was_told_is_kept_in_the_new_env(
    host: Host, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_MEMORY", "8gb")
    host.values["COMPOSE_FILE"] = "compose.yaml:compose.cpu.yaml"
    host.settle()
    (host.programs / "nvidia-smi").unlink()
    (host.directory / "wheels").mkdir()
    (host.directory / "wheels/torch.whl").touch()
    assert run("up", "--cpu").code == 0
    lines = (host.directory / ".env").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == [
        "COMPOSE_FILE=compose.yaml:compose.cpu.yaml",
        "WORKER_MEMORY=8gb",
    ]


def test_without_pytorch_for_processors_nothing_is_built(host: Host, run: Run) -> None:
    host.values["COMPOSE_FILE"] = "compose.yaml:compose.cpu.yaml"
    host.settle()
    (host.programs / "nvidia-smi").unlink()
    (host.directory / "tools").unlink()  # a link to the real ones
    (host.directory / "tools").mkdir()
    (host.directory / "tools/torch-wheel").write_text("#!/bin/sh\necho noise >&2\necho 'Name an index.' >&2\nexit 1\n")
    (host.directory / "tools/torch-wheel").chmod(0o755)
    done = run("up", "--cpu")
    assert done.code == 1 and done.err.strip().endswith("Name an index.")
    assert not [call for call in host.calls() if call[1:3] in (["compose", "build"], ["compose", "up"])]


def test_secrets_that_are_there_are_never_overwritten(host: Host, run: Run) -> None:
    (host.directory / "secrets").mkdir(mode=0o755)
    (host.directory / "secrets/redis_client").write_text("a-password-of-my-own\n")
    run("up")
    assert (host.directory / "secrets/redis_client").read_text() == "a-password-of-my-own\n"
    assert (host.directory / "secrets").stat().st_mode & 0o777 == 0o700
    assert ":a-password-of-my-own@" in (host.directory / ".env.client").read_text()


def test_two_that_make_a_secret_at_once_make_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def beaten(source: str, target: Path) -> None:
        target.write_text("the other's\n")
        link(source, target)

    monkeypatch.setattr(os, "link", beaten)
    assert secrets.make(tmp_path) == []
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == dict.fromkeys(secrets.NAMES, "the other's\n")


def test_another_port_reaches_the_clients_file(host: Host, run: Run) -> None:
    run("up")
    host.values["REDIS_PORT"] = "6390"
    host.settle()
    assert "made ./.env.client" in run("up").out
    assert "@127.0.0.1:6390/0" in (host.directory / ".env.client").read_text()


def test_a_new_secret_replaces_the_containers_that_have_the_old_one_and_no_other(host: Host, run: Run) -> None:
    run("up")
    long_ago = (0, 0)
    for name in SECRETS:
        os.utime(host.directory / name, long_ago)
    host.runs()
    host.containers = [container(it, host.port, created="2020-01-01T00:00:00.5Z") for it in ("redis", "worker", "vllm")]
    host.settle()
    host.answer("docker compose rm")
    (host.directory / "secrets/redis_client").unlink()
    assert run("up").code == 0
    [removed] = [call[3:] for call in host.calls() if call[2:3] == ["rm"]]
    assert removed == ["--stop", "--force", "redis", "worker"]


def test_workers_that_were_added_by_scaling_stay(host: Host, run: Run) -> None:
    host.runs()
    host.containers.append(container("worker", number=2))
    host.settle()
    run("up")
    assert started(host)[-2:] == ["--scale", "worker=2"]


def test_a_service_that_does_not_start_is_told_with_its_last_lines_and_all_stops_again(host: Host, run: Run) -> None:
    crashed = container("vllm", status="restarting", restarts=1, exit_code=3)
    host.answer("docker compose up", then=host.listed([container("redis", host.port), container("worker"), crashed]))
    host.answer("docker logs", "torch.OutOfMemoryError: CUDA out of memory\n")
    done = run("up")
    assert done.code == 1
    assert done.err == (
        "\nvllm ended with exit code 3 instead of starting. Its last lines:\n"
        "    torch.OutOfMemoryError: CUDA out of memory\n"
        "Stopped again: redis, worker, vllm. make logs shows more; make up tries again.\n"
    )
    assert host.calls()[-1][1:] == ["compose", "stop", "redis", "worker", "vllm"]


def test_what_ran_before_a_failed_start_goes_on(host: Host, run: Run) -> None:
    host.runs(container("vllm", status="exited", exit_code=0))
    crashed = container("vllm", status="exited", exit_code=1, id="new")
    host.answer("docker compose up", then=host.listed([container("redis", host.port), container("worker"), crashed]))
    done = run("up")
    assert done.err.endswith(
        "Stopped again: vllm. redis and worker ran before and go on. make logs shows more; make up tries again.\n"
    )


def test_a_wrong_password_is_told_with_the_way_out(host: Host, run: Run) -> None:
    refused = container("worker", status="restarting", restarts=2, exit_code=2)
    host.answer("docker compose up", then=host.listed([container("redis", host.port), refused, container("vllm")]))
    host.answer("docker logs", err="WRONGPASS invalid username-password pair or user is disabled.\n")
    assert "What to do: take away secrets/redis_*, then make up makes new ones and gives them to all." in run("up").err


def test_a_service_that_stays_unhealthy_fails_the_start(host: Host, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "UNHEALTHY_SECONDS", 0.0)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    host.runs(container("redis", host.port, health="unhealthy"))
    done = run("up")
    assert done.code == 1 and "redis runs but is not well: redis says how it is. Its last lines:" in done.err
    assert "Nothing was stopped, for all services ran before." in done.err


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "Error response from daemon: driver failed programming external connectivity on endpoint x (1): Error "
            "starting userland proxy: listen tcp4 127.0.0.1:6379: bind: address already in use",
            "Could not start redis, worker, vllm: the port of Redis is taken by another program. "
            "What to do: set another REDIS_PORT in .env.",
        ),
        (
            'Error response from daemon: could not select device driver "nvidia" with capabilities: [[gpu]]',
            "Could not start redis, worker, vllm: the engine can give no GPU to a container. What to do: install",
        ),
        (
            "Error response from daemon: something of tomorrow's",
            "Could not start redis, worker, vllm: Error response from daemon: something of tomorrow's.",
        ),
    ],
)
def test_what_the_engine_complains_of_becomes_a_sentence(host: Host, run: Run, said: str, sentence: str) -> None:
    host.answer("docker compose up", err=f"{said}\n", code=1)
    done = run("up")
    assert done.code == 1 and sentence in done.err and "Stopped again: redis, worker, vllm." in done.err


def test_a_disk_that_fills_up_while_building(host: Host, run: Run) -> None:
    host.answer("docker compose build", "Step 3\nwrite /x: no space left on device\n", code=1)
    done = run("up")
    assert done.code == 1 and done.err.startswith("Could not build the images: the disk is full. The last lines:\n")
    assert "docker system df" in done.err and done.err.endswith("Nothing was started or stopped.\n")
    assert not [call for call in host.calls() if call[1:3] == ["compose", "up"]]


def test_a_base_image_that_is_not_here_is_pulled_once_and_kept(host: Host, run: Run) -> None:
    host.answer("docker image inspect --format {{.Id}} debian:bookworm-slim", code=1)
    host.answer("docker manifest inspect", "{}")
    host.answer("docker pull")
    assert run("up").code == 0
    assert ["docker", "pull", "--quiet", "debian:bookworm-slim"] in host.calls()


def test_images_that_were_loaded_are_started_without_their_base_image(host: Host, run: Run) -> None:
    host.answer("docker image inspect --format {{.Id}} debian:bookworm-slim", code=1)
    assert run("up").code == 0
    assert not [call for call in host.calls() if call[1] == "pull" or call[1:3] == ["compose", "build"]]


def test_an_upgrade_takes_the_newest_base_image_of_a_registry(host: Host, run: Run) -> None:
    host.answer("docker image inspect --format {{range", "debian@sha256:1\n")
    host.answer("docker pull")
    run("up")
    assert not [call for call in host.calls() if call[1] == "pull"]
    assert run("upgrade").code == 0
    assert [call for call in host.calls() if call[1] == "pull"]
    assert sum(call[1:3] == ["compose", "build"] for call in host.calls()) == 2


def test_ctrl_c_while_waiting_says_that_the_containers_go_on(
    host: Host, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch, "_wait", interrupted)
    host.answer("docker compose up", then=host.listed([container("redis", host.port, health="starting")]))
    done = run("up")
    assert done.code == 130 and not [call for call in host.calls() if "stop" in call]
    assert "Interrupted: the containers go on starting." in done.out and "make down stops them." in done.out


def test_ctrl_c_while_building_says_that_nothing_was_started(
    host: Host, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "_run", interrupted)
    done = run("up")
    assert done.code == 130 and "Interrupted: nothing was started." in done.out
    assert not [call for call in host.calls() if call[1:3] == ["compose", "up"]]


def test_another_file_than_env_is_made_and_used_where_compose_is_told_of_one(
    host: Host, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPOSE_ENV_FILES", "other.env")
    done = run("up")
    assert done.code == 0 and "set -a; . ./other.env.client;" in done.out
    assert {"other.env", "other.env.client"} <= set(host.files()) and ".env" not in host.files()
