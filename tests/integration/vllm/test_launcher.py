"""`python -m launcher` as it runs in the container, with a stand-in for vLLM that prints vLLM's own complaints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.dependencies import require
from tests.ports import free_port
from tests.unit.vllm.test_model import shard

ROOT = Path(__file__).parent.parent.parent.parent
STANDIN = Path(__file__).parent / "standin"
KEY = "sesame-open-up"

BUSY = (
    "ValueError: Free memory on device cuda:0 (17.1/23.6 GiB) on startup is less than desired GPU memory utilization "
    "(0.9, 21.24 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes."
)
MEMORY = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.19 GiB. GPU 0 has a total capacity of 23.6 GiB"
)
CACHE = (
    "ValueError: To serve at least one request with the model's max seq len (32768), (4.5 GiB KV cache is needed, "
    "which is larger than the available KV cache memory (1.9 GiB)."
)
WEIGHTS = "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when"

#: A start that serves until it is asked to stop.
SERVES: dict[str, Any] = {}


def fails(line: str) -> dict[str, Any]:
    """A start that ends with this complaint."""
    return {"say": ["INFO 11-22 [model.py:2152] Using max model len 32768", line], "exit": 1}


class Launcher:
    """The launcher below `directory`, in a process group of its own, with the stand-in where vLLM would be."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log: list[str] = []
        model = directory / "models/Tiny"
        model.mkdir(parents=True)
        for name in ("config.json", "tokenizer.json"):
            (model / name).write_text("{}")
        shard(model / "model.safetensors")
        (directory / "key").write_text(f"{KEY}\n")
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'services/vllm'}:{STANDIN}",
            "TMPDIR": str(directory),
            "STANDIN": str(directory),
            "FLAVOUR": "cpu",
            "MODEL": "someone/Tiny",
            "MODELS": str(directory / "models"),
            "MODEL_KEY_FILE": str(directory / "key"),
            "MODEL_PORT": str(free_port()),
            "MODEL_RETRY_PAUSE": "0",
        }
        self.process: subprocess.Popen[str] | None = None

    def start(self, plan: Sequence[dict[str, Any]], **settings: str) -> None:
        """Start it; the stand-in follows the plan."""
        (self.directory / "plan.json").write_text(json.dumps(list(plan)))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "launcher"],
            env=self.environment | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def until(self, text: str, times: int = 1) -> None:
        """Read the log until a line with `text` has come so many times."""
        assert self.process is not None and self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line.rstrip())
            times -= text in line
            if not times:
                return
        raise AssertionError(f"no {text!r} in:\n" + "\n".join(self.log))

    def end(self) -> int:
        """Read the log to its end; the exit code."""
        assert self.process is not None
        out, _ = self.process.communicate(timeout=100)
        self.log += out.splitlines()
        return self.process.returncode

    def stop(self) -> int:
        """SIGTERM, as Docker sends it."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def own(self) -> list[str]:
        """The launcher's own lines."""
        return [line.removeprefix("launcher: ") for line in self.log if line.startswith("launcher: ")]

    def starts(self) -> list[dict[str, Any]]:
        """What the stand-in was started with."""
        file = self.directory / "starts.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def tried(self, option: str) -> list[str]:
        """The values of an option, start by start."""
        return [start["argv"][start["argv"].index(option) + 1] for start in self.starts()]

    def health(self) -> tuple[int, str]:
        """What the container's health check says."""
        done = subprocess.run(
            [sys.executable, "-m", "launcher.health"], env=self.environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout.strip()

    def engine_lives(self) -> bool:
        """Whether the process below the stand-in still runs."""
        pid = int((self.directory / "engine").read_text())
        return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    launcher = Launcher(tmp_path)
    yield launcher
    if launcher.process and launcher.process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(launcher.process.pid, signal.SIGTERM)
        launcher.end()


def driver(directory: Path, gpus: int, code: int = 0) -> dict[str, str]:
    """Settings under which NVIDIA's driver is there, and finds so many GPUs."""
    source = f"int cuInit(unsigned f) {{ return {code}; }} int cuDeviceGetCount(int *n) {{ *n = {gpus}; return 0; }}"
    library = directory / "libcuda.so.1"
    compiler = [require("gcc"), "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(compiler, input=source, text=True, check=True)
    return {"FLAVOUR": "cuda", "LD_LIBRARY_PATH": str(directory)}


# ------------------------------------------------------------------------------------------------------- the ladder


def test_out_of_memory_goes_down_the_ladder_until_it_serves_and_each_step_is_told(launcher: Launcher) -> None:
    plan = [fails(MEMORY), fails(MEMORY), fails(CACHE), SERVES]
    launcher.start(plan, **driver(launcher.directory, 1))
    launcher.until("serving")
    assert launcher.tried("--gpu-memory-utilization") == ["0.9", "0.8", "0.7", "0.7"]
    assert launcher.tried("--max-model-len") == ["32768", "32768", "32768", "16384"]
    told = [line for line in launcher.own() if "trying again" in line]
    assert ["0.8" in told[0], "0.7" in told[1], "OUTLAST_CONTEXT_WINDOW=16384" in told[2]] == [True] * 3
    while (told := launcher.health())[1].startswith("loading"):
        pass
    assert told[0] == 0
    assert told[1].startswith("serving (share 0.7, context 16384, after it did not fit), last progress ")
    assert launcher.stop() == 0


def test_a_ladder_that_is_used_up_ends_with_what_helps(launcher: Launcher) -> None:
    launcher.start([fails(CACHE)] * 3, **driver(launcher.directory, 1))
    assert launcher.end() == 4
    assert launcher.tried("--max-model-len") == ["32768", "16384", "8192"]
    assert launcher.tried("--gpu-memory-utilization") == ["0.9"] * 3
    assert "The model does not fit" in launcher.own()[-1] and "What helps" in launcher.own()[-1]
    assert launcher.health() == (1, f"ended ({launcher.own()[-1]})")


def test_weights_that_do_not_fit_beside_another_program_end_it_without_more_tries(launcher: Launcher) -> None:
    launcher.start([fails(BUSY), fails(WEIGHTS)], **driver(launcher.directory, 1))
    assert launcher.end() == 4
    assert launcher.tried("--gpu-memory-utilization") == ["0.9", "0.8"]


def test_a_pause_before_giving_up_is_cut_short_by_a_stop(launcher: Launcher) -> None:
    launcher.start([fails(WEIGHTS)], MODEL_RETRY_PAUSE="86400", **driver(launcher.directory, 1))
    launcher.until("does not fit")
    assert launcher.stop() == 4


def test_processors_have_the_same_ladder_for_the_context(launcher: Launcher) -> None:
    launcher.start([fails(CACHE), SERVES])
    launcher.until("serving")
    assert launcher.tried("--max-model-len") == ["32768", "16384"]


# ------------------------------------------------------------------------------------------------- ends and crashes


def test_a_start_that_fails_otherwise_is_not_tried_again(launcher: Launcher) -> None:
    launcher.start([fails("ValueError: There is no module or parameter named 'x' in Tiny")])
    assert launcher.end() == 1
    assert len(launcher.starts()) == 1
    assert launcher.own()[-1].endswith("ValueError: There is no module or parameter named 'x' in Tiny")


def test_a_crash_after_it_has_served_leaves_the_restart_to_docker_even_for_memory(launcher: Launcher) -> None:
    launcher.start([{"crash": MEMORY}], MODEL_STALL="8")
    assert launcher.end() == 1
    assert len(launcher.starts()) == 1
    assert "vLLM ended by itself, with code 1" in launcher.own()[-1]
    assert not launcher.engine_lives()


def test_sigterm_ends_it_with_0_and_leaves_no_process(launcher: Launcher) -> None:
    launcher.start([SERVES])
    launcher.until("serving")
    assert launcher.stop() == 0
    assert sum("the stand-in was asked to stop" in line for line in launcher.log) == 1
    assert not launcher.engine_lives()


def test_sigterm_while_it_loads_ends_it_with_0(launcher: Launcher) -> None:
    launcher.start([{"loads": True, "say": ["Loading safetensors checkpoint shards"]}])
    launcher.until("Loading")
    code, sentence = launcher.health()
    assert code == 1
    assert sentence == "starting" or sentence.startswith("loading the model, ")
    assert launcher.stop() == 0


def test_a_server_whose_last_request_is_done_is_not_waited_for(launcher: Launcher) -> None:
    launcher.start([{"slow": True}], SHUTDOWN_TIMEOUT="86400")
    launcher.until("serving")
    assert launcher.stop() == 0
    assert not launcher.engine_lives()


def test_a_server_that_does_not_stop_is_killed(launcher: Launcher) -> None:
    launcher.start([{"deaf": True}], SHUTDOWN_TIMEOUT="0")
    launcher.until("serving")
    assert launcher.stop() == 1
    assert "killed" in launcher.own()[-1]
    assert not launcher.engine_lives()


# ------------------------------------------------------------------------------------------------------------ hanging


def test_a_hung_server_is_ended_though_it_answers_its_health_check(launcher: Launcher) -> None:
    launcher.start([{"answers": False}], MODEL_STALL="6")
    assert launcher.end() == 5
    assert any("asked for 1 token, authorised: True" in line for line in launcher.log)
    assert "no progress" in launcher.own()[-1]
    assert not launcher.engine_lives()


def test_an_idle_server_that_answers_goes_on(launcher: Launcher) -> None:
    launcher.start([SERVES], MODEL_STALL="6")
    # More often than it would be before it counts as hung.
    launcher.until("asked for 1 token", times=5)
    assert launcher.stop() == 0


def test_a_busy_server_that_gives_no_token_for_long_is_not_ended_while_it_computes(launcher: Launcher) -> None:
    launcher.start([{"answers": False, "computes": True}], MODEL_STALL="1")
    launcher.until("serving")
    # Longer than it would take to end it.
    with pytest.raises(subprocess.TimeoutExpired):
        assert launcher.process is not None
        launcher.process.wait(5)
    assert launcher.health() == (0, "serving, last progress 0 s ago")


# ------------------------------------------------------------------------------------------------------------ refusals


def test_the_key_reaches_vllm_and_neither_its_command_line_nor_the_log(launcher: Launcher) -> None:
    launcher.start([SERVES])
    launcher.until("serving")
    assert launcher.stop() == 0
    [start] = launcher.starts()
    assert start["key"] == KEY
    assert KEY not in " ".join(start["argv"])
    assert KEY not in "\n".join(launcher.log)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"OUTLAST_CONTEXT_WINDOW": "32k"}, "OUTLAST_CONTEXT_WINDOW='32k' is not a whole number"),
        ({"MODEL_KEY_FILE": "/nowhere/key"}, "The API key of the model server cannot be read"),
        ({"MODEL": "someone/Huge"}, "Run make model MODEL=someone/Huge"),
    ],
)
def test_what_cannot_be_served_is_refused_before_vllm_starts(
    launcher: Launcher, settings: dict[str, str], sentence: str
) -> None:
    launcher.start([SERVES], **settings)
    assert launcher.end() == 2
    [line] = launcher.log
    assert sentence in line
    assert launcher.starts() == []


def test_half_a_model_is_refused(launcher: Launcher) -> None:
    weights = launcher.directory / "models/Tiny/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    launcher.start([SERVES])
    assert launcher.end() == 2
    assert "bytes of" in launcher.log[0] and "make model" in launcher.log[0]


def test_a_missing_gpu_is_one_sentence(launcher: Launcher) -> None:
    launcher.start([SERVES], **driver(launcher.directory, 0, code=100))
    assert launcher.end() == 3
    [line] = launcher.log
    assert "No GPU" in line and "NVIDIA Container Toolkit" in line and "compose.cpu.yaml" in line
    assert launcher.starts() == []


def test_fewer_gpus_than_asked_for_are_refused(launcher: Launcher) -> None:
    launcher.start([SERVES], TENSOR_PARALLEL_SIZE="2", **driver(launcher.directory, 1))
    assert launcher.end() == 3
    assert "needs 2 GPUs, and this container has 1" in launcher.log[0]
