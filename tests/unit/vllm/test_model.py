"""Is a model complete: told from headers and sizes, in sentences."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from launcher.model import main, problems

ROOT = Path(__file__).parent.parent.parent.parent


def shard(path: Path, numbers: int = 4) -> None:
    """A safetensors file with one tensor of so many 32-bit numbers."""
    header = json.dumps(
        {"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [numbers], "data_offsets": [0, 4 * numbers]}}
    ).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * numbers))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A complete model in two files with weights."""
    directory = tmp_path / "models/Tiny"
    directory.mkdir(parents=True)
    (directory / "config.json").write_text("{}")
    (directory / "tokenizer.json").write_text("{}")
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for name in names:
        shard(directory / name)
    index = {"metadata": {}, "weight_map": {"a": names[0], "b": names[1], "c": names[1]}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    return directory


def test_a_complete_model_has_no_problems(model: Path) -> None:
    assert problems(model) == []


def test_a_model_in_one_file_needs_no_index(model: Path) -> None:
    for path in model.glob("model*"):
        path.unlink()
    shard(model / "model.safetensors")
    assert problems(model) == []


def shorten(model: Path) -> None:
    path = model / "model-00002-of-00002.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def part(model: Path) -> None:
    cache = model / ".cache/huggingface/download"
    cache.mkdir(parents=True)
    (cache / "model-00002.incomplete").write_bytes(b"x")


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (lambda model: (model / "config.json").unlink(), "config.json is missing."),
    (lambda model: (model / "config.json").write_text('{"a":'), "config.json is not whole."),
    (lambda model: (model / "tokenizer.json").unlink(), "has no tokenizer"),
    (
        lambda model: (model / "model-00001-of-00002.safetensors").unlink(),
        "model-00001-of-00002.safetensors is missing.",
    ),
    (shorten, "bytes of"),
    (lambda model: (model / "model-00001-of-00002.safetensors").write_bytes(b"<html>"), "is damaged"),
    (lambda model: (model / "model-00001-of-00002.safetensors").write_bytes(b"<html> no such file"), "is damaged"),
    (lambda model: (model / "model-00001-of-00002.safetensors").write_bytes(b""), "is damaged"),
    (
        lambda model: (model / "model.safetensors.index.json").write_text('{"weight_map": []}'),
        "index.json is not whole.",
    ),
    (lambda model: (model / "model.safetensors.index.json").write_text("{"), "index.json is not whole."),
    (part, "was not downloaded to its end."),
    (lambda model: (model / "model-00001-of-00002.safetensors").chmod(0o600), "chmod -R a+rX"),
    (lambda model: model.chmod(0o700), "chmod -R a+rX"),
    (lambda model: model.parent.chmod(0o700), "chmod -R a+rX"),
]


@pytest.mark.parametrize(("damage", "sentence"), DAMAGE)
def test_each_damage_is_told_by_the_file_it_is_in(model: Path, damage: Callable[[Path], object], sentence: str) -> None:
    damage(model)
    [found] = problems(model)
    assert sentence in found


def test_a_directory_without_weights_is_told_from_one_that_is_not_there(model: Path) -> None:
    for path in model.glob("model*"):
        path.unlink()
    assert problems(model) == [f"{model} has no weights (*.safetensors)."]
    assert problems(model / "elsewhere") == [f"There is no directory {model / 'elsewhere'}."]


def test_the_command_line_says_the_same_with_nothing_but_the_standard_library(model: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'services/vllm')!r})\n"]
    command[-1] += "from launcher.model import main; sys.exit(main(sys.argv[1:]))"
    environment = {"PATH": os.environ["PATH"]}
    whole = subprocess.run([*command, model], env=environment, capture_output=True, text=True, check=False)
    assert (whole.returncode, whole.stdout, whole.stderr) == (0, "", "")
    (model / "config.json").unlink()
    broken = subprocess.run([*command, model], env=environment, capture_output=True, text=True, check=False)
    assert (broken.returncode, broken.stdout) == (1, f"{model / 'config.json'} is missing.\n")


def test_a_command_line_of_anything_but_one_directory_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
