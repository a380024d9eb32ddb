"""The model server's image, for real: vLLM on the processor serves a small model, and the launcher keeps it of use."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.stack import ROOT, build, docker

IMAGE = "outlast-vllm:cpu"
KEY = "sesame-open-up"
#: As compose.yaml runs it.
HARDENED = ["--init", "--read-only", "--tmpfs=/tmp:mode=1777,exec,size=2g", "--shm-size=1g", "--cap-drop=ALL"]
HARDENED += ["--security-opt=no-new-privileges"]


@pytest.fixture(scope="module")
def image(tiny_model: Path) -> str:
    """The image for processors, of today's sources."""
    return build(IMAGE, "images/vllm/Dockerfile", "--build-arg", "FLAVOUR=cpu")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the model server's key."""
    directory = tmp_path_factory.mktemp("secrets")
    directory.chmod(0o755)
    (directory / "model_key").write_text(KEY)
    (directory / "model_key").chmod(0o444)
    return directory


class Server:
    """The container, on a network of its own without a way out."""

    def __init__(self, image: str, models: Path, secrets: Path) -> None:
        self.name = f"outlast-test-vllm-{os.urandom(3).hex()}"
        docker("network", "create", "--internal", self.name)
        settings = {"MODEL": "someone/SmolLM2-135M-Instruct", "OUTLAST_MODEL": "tiny", "OUTLAST_CONTEXT_WINDOW": "4096"}
        settings |= {"CPU_KV_CACHE": "1", "MODEL_STALL": "40", "SHUTDOWN_TIMEOUT": "300"}
        variables = [word for name, value in settings.items() for word in ("--env", f"{name}={value}")]
        volumes = [
            f"--volume={models}:/models:ro",
            f"--volume={secrets}:/run/secrets:ro",
            f"--volume={self.name}:/cache",
        ]
        where = ["--name", self.name, "--network", self.name, "--restart", "unless-stopped"]
        docker("run", "--detach", *where, *HARDENED, *variables, *volumes, image)

    def remove(self) -> None:
        """The container, and all that came with it."""
        docker("rm", "--force", "--volumes", self.name, check=False)
        docker("network", "rm", self.name, check=False)
        docker("volume", "rm", self.name, check=False)

    def wait_healthy(self) -> None:
        """Until the health check says so; a container that ends before fails the test with its log."""
        while self.state()["Restarting"]:  # Docker is about to start it again.
            time.sleep(0.1)
        asked = docker("exec", self.name, "sh", "-c", "until python -m launcher.health; do sleep 1; done", check=False)
        assert asked.returncode == 0, self.log()

    def state(self) -> dict[str, Any]:
        """Docker's view of the container."""
        [facts] = json.loads(docker("inspect", self.name).stdout)
        return {**facts["State"], "RestartCount": facts["RestartCount"]}

    def log(self) -> str:
        """All that the container has said."""
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def ask(self, messages: list[dict[str, str]], key: str = KEY, **options: Any) -> subprocess.Popen[str]:
        """A request to the chat API, under way, from another container of the network."""
        body = {"model": "tiny", "messages": messages, "temperature": 0, **options}
        alone = ["run", "--rm", "--interactive", "--network", self.name, "--env", "KEY", "--env", "BODY", IMAGE]
        command = ["docker", *alone, "python", "-", f"http://{self.name}:8000/v1/chat/completions"]
        environment = {**os.environ, "KEY": key, "BODY": json.dumps(body)}
        with (ROOT / "tests/stack/ask_model.py").open() as script:
            pipe = subprocess.PIPE
            return subprocess.Popen(command, env=environment, text=True, stdin=script, stdout=pipe, stderr=pipe)

    def chat(self, messages: list[dict[str, str]], **options: Any) -> str:
        """The text of the reply to a request that succeeds."""
        out, errors = self.ask(messages, **options).communicate()
        if not options.get("stream"):
            assert out, errors
            return str(json.loads(out)["choices"][0]["message"]["content"])
        lines = [json.loads(line[6:]) for line in out.splitlines() if line.startswith("data: {")]
        assert lines, errors
        return "".join(line["choices"][0]["delta"].get("content") or "" for line in lines)

    def engine(self) -> list[int]:
        """Pids, on the host, of vLLM's processes below its API server."""
        listed = docker("top", self.name, "-eo", "pid,args").stdout.splitlines()[1:]
        return [int(line.split()[0]) for line in listed if "VLLM::" in line]


@pytest.fixture(scope="module")
def container(image: str, tiny_model: Path, secrets: Path) -> Iterator[Server]:
    server = Server(image, tiny_model.parent, secrets)
    yield server
    server.remove()


@pytest.fixture
def server(container: Server) -> Server:
    """The running server, healthy at the start of each test."""
    container.wait_healthy()
    return container


HELLO = [{"role": "user", "content": "Write a Python program that prints hello world."}]


def test_vllm_takes_the_command_lines_of_both_flavours_and_its_complaints_are_understood(image: str) -> None:
    alone = ["run", "--rm", "--interactive", "--network", "none", *HARDENED]
    done = docker(*alone, image, "python", "-", stdin=(ROOT / "tests/stack/ask_vllm.py").read_text())
    [line] = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    found = json.loads(line.removeprefix("RESULT"))
    expected = {
        "model": "/models/Qwen3-4B-Instruct-2507",
        "served_model_name": ["Qwen3-4B-Instruct-2507"],
        "max_model_len": 16384,
        "enable_prefix_caching": True,
        "shutdown_timeout": 30,
        "port": 8000,
        "api_key": None,
    }
    assert {name: found["cuda"][name] for name in expected} == expected
    assert {name: found["cpu"][name] for name in expected} == expected
    assert (found["cuda"]["gpu_memory_utilization"], found["cuda"]["tensor_parallel_size"]) == (0.8, 2)
    assert (found["cpu"]["dtype"], found["cpu"]["enforce_eager"]) == ("bfloat16", True)
    assert found["wrong"]
    assert found["complaints"] == ["WEIGHTS", "CACHE", "BUSY"]


def test_a_machine_without_a_gpu_is_told_so_in_one_sentence(image: str, tiny_model: Path, secrets: Path) -> None:
    volumes = [f"--volume={tiny_model.parent}:/models:ro", f"--volume={secrets}:/run/secrets:ro"]
    settings = ["--env", "FLAVOUR=cuda", "--env", f"MODEL={tiny_model.name}"]
    done = docker("run", "--rm", "--network", "none", *HARDENED, *volumes, *settings, image, check=False)
    assert done.returncode == 3
    [line] = done.stdout.splitlines()
    assert "No GPU" in line


@pytest.mark.parametrize(
    ("mode", "sentence"), [(0o755, "There is no directory /models/Qwen3"), (0o700, "run chmod -R a+rX")]
)
def test_a_directory_without_the_model_or_closed_to_the_server_is_told_in_one_sentence(
    image: str, tmp_path: Path, secrets: Path, mode: int, sentence: str
) -> None:
    tmp_path.chmod(mode)
    volumes = [f"--volume={tmp_path}:/models:ro", f"--volume={secrets}:/run/secrets:ro"]
    done = docker("run", "--rm", "--network", "none", *HARDENED, *volumes, image, check=False)
    assert done.returncode == 2
    [line] = done.stdout.splitlines()
    assert sentence in line
    assert "make model MODEL=Qwen/Qwen3-4B-Instruct-2507" in line


def test_the_model_writes_a_program_as_a_stream(server: Server) -> None:
    reply = server.chat(HELLO, max_tokens=120, stream=True)
    assert "```python" in reply and "print(" in reply, reply


def test_a_half_finished_reply_is_continued(server: Server) -> None:
    half = [{"role": "user", "content": "Count to ten."}, {"role": "assistant", "content": "1, 2, 3, 4,"}]
    more = server.chat(half, max_tokens=8, add_generation_prompt=False, continue_final_message=True)
    assert more.lstrip().startswith("5, 6")


def test_requests_without_the_key_are_refused_and_the_key_is_nowhere_to_be_read(server: Server) -> None:
    _, errors = server.ask(HELLO, key="guessed").communicate()
    assert "refused: 401" in errors
    assert server.chat(HELLO, max_tokens=1)
    assert KEY not in server.log()
    assert KEY not in docker("inspect", server.name).stdout
    assert KEY not in docker("top", server.name, "-eo", "pid,args").stdout


def test_it_runs_as_its_own_user_and_reaches_nothing_outside(server: Server) -> None:
    assert docker("exec", server.name, "id", "-u").stdout.strip() == "10003"
    tried = [
        "import socket",
        "socket.setdefaulttimeout(3)",
        "try:\n socket.create_connection(('192.0.2.1', 80))\n print('reached')",
        "except OSError:\n print('tried')",
    ]
    assert docker("exec", server.name, "python", "-c", "\n".join(tried)).stdout.strip() == "tried"


def test_a_hung_engine_is_ended_and_docker_starts_it_again(server: Server) -> None:
    restarts = server.state()["RestartCount"]
    engine = server.engine()
    assert engine
    for pid in engine:
        os.kill(pid, signal.SIGSTOP)
    alive = [
        "exec",
        server.name,
        "python",
        "-c",
        "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health')",
    ]
    docker(*alive)  # the API server says that all is well
    assert docker("wait", server.name).stdout.strip() == "5"
    assert "vLLM made no progress" in server.log()
    server.wait_healthy()
    assert server.state()["RestartCount"] == restarts + 1
    assert "print(" in server.chat(HELLO, max_tokens=120, stream=True)


def test_a_stop_lets_the_running_reply_end_and_exits_with_0(server: Server) -> None:
    asked = server.ask(HELLO, max_tokens=400, stream=True, ignore_eos=True)
    assert asked.stdout is not None
    first = asked.stdout.readline()  # it has begun
    docker("stop", "--time", "400", server.name)
    code = server.state()["ExitCode"]
    docker("start", server.name)
    rest, errors = asked.communicate()
    assert (first + rest).count("data: {") >= 400, errors
    assert rest.rstrip().endswith("data: [DONE]")
    assert code == 0
