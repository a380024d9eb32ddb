"""Download a model's files from the hub; run by `model.py` in `.venv-model`. Same exit codes.

As `hf download` does it, which is the same library; but this way the reason for a failure is told in one sentence.
HF_TOKEN and HF_ENDPOINT count as they do there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

# The other way of transport begins a file anew after an interruption.
os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import httpx  # the settings above are read when it is imported
from huggingface_hub import HfApi, constants, snapshot_download  # likewise
from huggingface_hub.errors import (  # likewise
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

#: What vLLM reads. Weights in other formats would double the download.
WANTED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
UNWANTED = ["original/*", "onnx/*"]


def fetch(name: str, directory: Path) -> None:
    """Bring `directory` up to the newest revision of the model."""
    # Asked first: without an answer, the download would be content with whatever the directory holds.
    revision = HfApi().model_info(name, timeout=30).sha
    print(f"Fetching {name} into {directory}…", flush=True)
    snapshot_download(name, revision=revision, local_dir=directory, allow_patterns=WANTED, ignore_patterns=UNWANTED)
    # What older downloads left half-done, of files that have changed since.
    for part in directory.rglob("*.incomplete"):
        with contextlib.suppress(FileNotFoundError):
            part.unlink()
    # The model server has a user of its own.
    for path in (directory.parent, directory, *directory.rglob("*")):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))


def reason(name: str, error: Exception) -> str | None:
    """One sentence on why it failed and what to do; None where only the traceback can tell."""
    again = f"run make model MODEL={name} again, it goes on where it stopped"
    if isinstance(error, GatedRepoError):
        return (
            f"{name} asks for consent: accept its terms on its page of the hub, and set HF_TOKEN to a token of yours."
        )
    if isinstance(error, (RepositoryNotFoundError, HFValidationError)):
        return f"The hub has no model {name}: look its name up there (if it is private, set HF_TOKEN)."
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"The disk is full: make room, then {again}."
    if isinstance(error, PermissionError):
        return f"{error.filename} cannot be written: see to its owner and mode, then {again}."
    if isinstance(error, HfHubHTTPError):
        return f"The hub refused ({error}): {again}."
    if isinstance(error, (httpx.HTTPError, LocalEntryNotFoundError, ConnectionError)):
        return (
            f"The hub ({constants.ENDPOINT}) cannot be reached or stopped answering ({str(error).splitlines()[0]}): "
            f"{again}; on a machine without internet, copy the model's directory from another one."
        )
    return None


def main(name: str, directory: Path) -> int:
    """Exit code 0: every wanted file is there."""
    try:
        fetch(name, directory)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        sentence = reason(name, error)
        if sentence is None:
            raise
        print(" ".join(sentence.split()), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], Path(sys.argv[2])))
