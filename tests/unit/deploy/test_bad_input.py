"""What stops `make up` before anything is changed: one clear sentence each, all of them together, exit code 2."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.deploy.conftest import Done, statvfs
from tests.unit.deploy.stand_in import (
    NO_COMPOSE,
    NO_ENGINE,
    NO_ENGINE_29,
    NO_PERMISSION,
    Host,
    container,
)

Run = Callable[..., Done]


#: As docker info lists it.
GVISOR = {"path": "/usr/bin/runsc", "runtimeArgs": ["--network=host"]}


def refused(host: Host, run: Run, *words: str) -> str:
    """The one line with ✗ of a `make up` that changed nothing."""
    before = host.files()
    done = run("up", *words)
    assert done.code == 2, done
    assert host.files() == before
    commands = {word for call in host.calls() for word in call[1:3]}
    assert not commands & {"up", "build", "pull", "stop", "restart", "run", "rm"}
    [line] = done.bad()
    return line


def test_a_host_on_which_all_is_well_is_not_refused(host: Host, run: Run) -> None:
    assert run("up").code == 0


def test_a_restart_of_what_is_no_service(host: Host, run: Run) -> None:
    done = run("restart", "foo")
    assert done.code == 1 and done.err == "There is no service foo: make restart S=… takes redis, worker, vllm.\n"


def test_without_docker(host: Host, run: Run) -> None:
    (host.programs / "docker").unlink()
    assert "there is no docker command on this machine. Install it: https://" in refused(host, run)


@pytest.mark.parametrize("said", [NO_ENGINE, NO_ENGINE_29])
def test_without_an_engine_that_answers(host: Host, run: Run, said: str) -> None:
    host.answer("docker info", '{"ServerVersion":""}', err=said, code=1)
    assert "no Docker Engine answers. Start it with sudo systemctl start docker" in refused(host, run)


def test_an_engine_that_this_user_may_not_use(host: Host, run: Run) -> None:
    host.answer("docker info", '{"ServerVersion":""}', err=NO_PERMISSION, code=1)
    assert "this user may not use the Docker Engine. Run sudo usermod -aG docker $USER" in refused(host, run)


def test_without_compose(host: Host, run: Run) -> None:
    host.answer("docker compose version", err=NO_COMPOSE, code=125)
    assert "there is no `docker compose` on this machine. Install" in refused(host, run)


def test_a_compose_that_is_too_old(host: Host, run: Run) -> None:
    host.answer("docker compose version", "2.17.3\n")
    assert "2.17.3 is too old, this needs 2.24 or newer" in refused(host, run)


def test_files_that_compose_cannot_read(host: Host, run: Run) -> None:
    host.answer("docker compose config", err="yaml: line 3: did not find expected key\n", code=15)
    assert "Could not read the stack's files: yaml: line 3: did not find expected key." in refused(host, run)


def test_a_port_in_use_with_one_that_is_free(host: Host, run: Run) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", host.port))
        other.listen()
        line = refused(host, run)
    assert f"127.0.0.1:{host.port} is taken by another program" in line and "make up REDIS_PORT=" in line


def test_a_port_in_use_by_a_container_of_another_stack(host: Host, run: Run) -> None:
    host.answer("docker ps --filter publish", "someones-redis-1\n")
    with socket.socket() as other:
        other.bind(("127.0.0.1", host.port))
        other.listen()
        assert "is taken by the container someones-redis-1" in refused(host, run)


def test_the_port_of_this_stack_itself_is_no_obstacle(host: Host, run: Run) -> None:
    host.containers = [container(name, host.port) for name in ("redis", "worker", "vllm")]
    host.settle()
    with socket.socket() as own:
        own.bind(("127.0.0.1", host.port))
        own.listen()
        assert run("up").code == 0


def test_without_a_gpu_the_line_for_a_new_env_is_told(host: Host, run: Run) -> None:
    (host.programs / "nvidia-smi").unlink()
    line = refused(host, run)
    assert "no NVIDIA GPU can be used on this machine (there is no nvidia-smi)" in line
    assert "put COMPOSE_FILE=compose.yaml:compose.cpu.yaml into .env (make up CPU=1 does)" in line


def test_without_a_gpu_the_line_for_an_env_that_is_there_is_told(host: Host, run: Run) -> None:
    host.answer("nvidia-smi -L", "No devices were found\n", code=6)
    host.env("# mine")
    line = refused(host, run)
    assert "No devices were found" in line
    assert line.endswith("put COMPOSE_FILE=compose.yaml:compose.cpu.yaml into .env.")


def test_cpu_is_not_written_into_an_env_that_is_there(host: Host, run: Run) -> None:
    host.env("# mine")
    done = run("up", "--cpu")
    assert done.code == 1
    assert done.err.endswith("put COMPOSE_FILE=compose.yaml:compose.cpu.yaml into it, then make up again.\n")
    assert host.files()[".env"][1] == "# mine\n"


def test_a_gpu_that_docker_cannot_give_to_a_container(host: Host, run: Run) -> None:
    host.info["Runtimes"] = {"runc": {}}
    host.settle()
    assert "the NVIDIA Container Toolkit is not set up. Install it (https://" in refused(host, run)


def test_a_runtime_that_docker_does_not_have(host: Host, run: Run) -> None:
    host.values["OUTLAST_RUNTIME"] = "runsc"
    host.settle()
    assert refused(host, run).endswith(
        "Docker has no runtime runsc, which OUTLAST_RUNTIME asks for; it has nvidia, runc. Install gVisor "
        "(https://gvisor.dev/docs/user_guide/install/), run sudo runsc install -- --network=host and sudo systemctl "
        "restart docker, or take OUTLAST_RUNTIME out of .env."
    )
    host.values["OUTLAST_RUNTIME"] = "kata"
    host.settle()
    assert "Add it to `runtimes` in /etc/docker/daemon.json and sudo systemctl restart docker, or" in refused(host, run)


def test_a_gvisor_in_which_the_worker_would_find_no_other_service(host: Host, run: Run) -> None:
    host.values["OUTLAST_RUNTIME"] = "boxed"
    host.info["Runtimes"]["boxed"] = {"path": "/usr/local/bin/runsc", "runtimeArgs": ["--platform=kvm"]}
    host.settle()
    assert refused(host, run).endswith(
        "boxed keeps the worker from the engine's names of services. Run sudo runsc install -- --network=host and sudo "
        "systemctl restart docker, or take OUTLAST_RUNTIME out of .env."
    )


def test_a_runtime_that_docker_has_is_no_obstacle_and_without_one_nothing_is_said(host: Host, run: Run) -> None:
    assert '"check": "runtime"' not in run("doctor").out
    host.values["OUTLAST_RUNTIME"] = "runsc"
    host.info["Runtimes"] = {"runc": {}, "nvidia": {}, "runsc": GVISOR}
    host.settle()
    assert run("up").code == 0
    assert '{"check": "runtime", "verdict": "good", "said": "runsc for the worker"' in run("doctor").out


def test_fewer_gpus_than_the_model_is_to_be_spread_over(host: Host, run: Run) -> None:
    host.values["TENSOR_PARALLEL_SIZE"] = "2"
    host.settle()
    assert "TENSOR_PARALLEL_SIZE=2, and this machine has 1 GPU(s)" in refused(host, run)


@pytest.mark.parametrize(
    ("own", "mend"),
    [
        (False, "Run make base-image, which makes one, then run make up BASE_IMAGE=outlast-base:bookworm."),
        (True, "Run make up BASE_IMAGE=outlast-base:bookworm."),
    ],
)
def test_a_base_image_that_is_neither_here_nor_to_be_pulled(host: Host, run: Run, own: bool, mend: str) -> None:
    host.answer("docker image inspect", err="Error: No such image", code=1)
    host.answer("docker image inspect --format {{.Id}} outlast-base:bookworm", code=0 if own else 1)
    line = refused(host, run)
    assert "debian:bookworm-slim is neither here nor can it be pulled" in line and line.endswith(mend)


def test_less_memory_than_the_containers_may_take(host: Host, run: Run) -> None:
    host.info["MemTotal"] = 16 << 30
    host.settle()
    line = refused(host, run)
    assert "may take 22.0 GB (redis 4.0 GB, worker 6.0 GB, vllm 12.0 GB), this machine has 16.0 GB" in line


def test_each_worker_container_that_runs_counts(host: Host, run: Run) -> None:
    host.info["MemTotal"] = 24 << 30
    host.containers = [container(it, host.port) for it in ("redis", "worker", "vllm")]
    host.containers.append(container("worker", number=2))
    host.settle()
    assert "worker 12.0 GB" in refused(host, run)


def test_less_memory_than_the_sessions_of_a_worker_need(host: Host, run: Run) -> None:
    host.values |= {"WORKER_MEMORY": "3gb", "OUTLAST_WORKERS": "4"}
    host.settle()
    assert "WORKER_MEMORY=3.0 GB is too little for OUTLAST_WORKERS=4" in refused(host, run)


def test_a_container_of_redis_that_is_too_small_for_its_data(host: Host, run: Run) -> None:
    host.values["REDIS_MEMORY"] = "3gb"
    host.settle()
    assert "REDIS_MEMORY=3.0 GB does not fit REDIS_MEMORY_LIMIT=4.0 GB. Set the limit to 4.5 GB" in refused(host, run)


def test_more_processors_than_there_are(host: Host, run: Run) -> None:
    host.values["WORKER_CPUS"] = "9"
    host.settle()
    assert "WORKER_CPUS=9, and this machine has 8" in refused(host, run)


@pytest.mark.parametrize("unbuilt", [False, True])
def test_a_full_disk(host: Host, run: Run, monkeypatch: pytest.MonkeyPatch, unbuilt: bool) -> None:
    if unbuilt:
        host.answer("docker image inspect --format {{.Id}} outlast-vllm:cuda", code=1)
    left = (30 if unbuilt else 1) << 30
    monkeypatch.setattr(os, "statvfs", lambda _: statvfs(left))
    line = refused(host, run)
    what = "building vllm takes some 42.0 GB" if unbuilt else "logs and checkpoints need some 2.0 GB"
    assert what in line and "docker system df" in line


def test_a_model_that_is_not_there_with_those_that_are(host: Host, run: Run) -> None:
    host.values["MODEL"] = "Qwen/Qwen3-4B-Instruct-2057"
    host.settle()
    line = refused(host, run)
    assert "There is no directory" in line and "Run make model MODEL=Qwen/Qwen3-4B-Instruct-2057" in line
    assert line.endswith("Or set MODEL to one that is there: Qwen3-4B-Instruct-2507.")


def test_a_model_directory_without_weights(host: Host, run: Run) -> None:
    (host.directory / "models/Qwen3-4B-Instruct-2507/model.safetensors").unlink()
    assert "has no weights (*.safetensors). Run make model, which fetches what is missing." in refused(host, run)


def test_a_window_longer_than_the_model_holds(host: Host, run: Run) -> None:
    host.make_model("small", max_position_embeddings=8192)
    host.values["MODEL"] = "small"
    host.settle()
    line = refused(host, run)
    assert "small holds 8192 tokens, and OUTLAST_CONTEXT_WINDOW is 32768. Set OUTLAST_CONTEXT_WINDOW=8192" in line


def test_a_directory_that_cannot_be_written_to(host: Host, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    may = os.access
    # As for a user who is not root, whoever runs the test.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != host.directory and may(path, mode))
    line = refused(host, run)
    assert f"may not write to {host.directory}. Run sudo chown" in line


@pytest.mark.parametrize("text", ["", "short\n", "two words of enough letters\n"])
def test_a_secret_that_is_none(host: Host, run: Run, text: str) -> None:
    (host.directory / "secrets").mkdir()
    (host.directory / "secrets/redis_client").write_text(text)
    assert "redis_client must be one line of 16 or more letters and digits. Take it away" in refused(host, run)


def test_everything_that_is_wrong_is_told_at_once(host: Host, run: Run) -> None:
    host.env("REDIS_PROT=1", "OUTLAST_LEASE=soon")
    host.info["MemTotal"] = 1 << 30
    host.settle()
    (host.programs / "nvidia-smi").unlink()
    done = run("up")
    assert done.code == 2 and len(done.bad()) == 4
    assert done.out.endswith("Nothing was changed: mend the 4 lines with ✗, then make up again.\n")


def test_a_directory_that_is_not_outlasts(host: Host, run: Run) -> None:
    (host.directory / "compose.yaml").unlink()
    done = run("up")
    assert done.code == 1 and done.err.startswith("There is no compose.yaml in ")


def test_no_prompt(host: Host, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENQUEUE_PROMPT", " \n")
    assert run("enqueue") == (1, "", 'There is no prompt: make enqueue PROMPT="what you want done".\n')


def test_a_prompt_for_a_worker_that_does_not_run(host: Host, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENQUEUE_PROMPT", "go")
    host.answer("docker compose exec", err='service "worker" is not running\n', code=1)
    assert run("enqueue") == (1, "", "The worker's container does not run: make up starts it.\n")
