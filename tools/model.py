"""Fetch a model from the hub to where the model server looks for it: `make model`, `make model MODEL=owner/name`.

    python tools/model.py OWNER/NAME [DIRECTORY]     into ./models/NAME, or DIRECTORY/NAME

Standard library only; what talks to the hub (`fetch_model.py`) has an environment of its own, `.venv-model`, made here
from its lock. A download that broke off goes on where it stopped. Exit codes: 0 the model is complete · 1 it is not,
and a sentence said why · 2 that is no model's name · 130 interrupted.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-model"
LOCK = ROOT / "requirements/model.txt"
PYTHON = ENVIRONMENT / "bin/python"


def main(arguments: list[str]) -> int:
    """The command line; the exit code."""
    if len(arguments) not in (1, 2) or not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", arguments[0]):
        print(
            f"{(arguments or [''])[0] or 'Nothing'} is not the name of a model on the hub, which is owner/name: "
            "make model MODEL=Qwen/Qwen3-4B-Instruct-2507",
            file=sys.stderr,
        )
        return 2
    name = arguments[0]
    directory = Path(arguments[1] if len(arguments) == 2 else ROOT / "models").resolve() / name.rpartition("/")[2]
    checker = [sys.executable, "-m", "launcher.model", str(directory)]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    beside = clean | {"PYTHONPATH": str(ROOT / "services/vllm")}
    try:
        if not subprocess.run(checker, env=beside, capture_output=True, check=False).returncode:
            print(f"{name} is already complete in {directory}.")
            return 0
        if sentence := _environment(clean):
            print(sentence, file=sys.stderr)
            return 1
        fetch = [str(PYTHON), str(ROOT / "tools/fetch_model.py"), name, str(directory)]
        if code := subprocess.run(fetch, env=clean, check=False).returncode:
            return code
        left = subprocess.run(checker, env=beside, capture_output=True, text=True, check=False)
    except KeyboardInterrupt:
        print(f"\nInterrupted; make model MODEL={name} goes on where it stopped.", file=sys.stderr)
        return 130
    if left.returncode:
        print(
            f"{name} was fetched, and is not complete all the same:\n{left.stdout}{left.stderr}",
            end="",
            file=sys.stderr,
        )
        return 1
    print(f"{name} is complete in {directory}.")
    return 0


def _environment(surroundings: dict[str, str]) -> str:
    """`_make_environment`, by one process at a time; a second one waits and then finds it made."""
    (ROOT / ".make").mkdir(exist_ok=True)
    with (ROOT / ".make/model.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _make_environment(surroundings)


def _make_environment(surroundings: dict[str, str]) -> str:
    """Make `.venv-model` fit its lock; a sentence if it could not be made. One that fits is left alone."""
    stamp = ENVIRONMENT / "made-from"
    digest = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest:
        return ""
    print("Setting up what fetches models (.venv-model, once)…", flush=True)
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    try:
        venv.create(ENVIRONMENT, with_pip=True)
    except (subprocess.CalledProcessError, ImportError):
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return f"This Python has no venv module: on Debian and Ubuntu, apt install python{version}-venv"
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    done = subprocess.run(
        [str(PYTHON), *install, "--only-binary", ":all:", "--require-hashes", "--requirement", str(LOCK)],
        env=surroundings | {"PIP_USER": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [done.stderr.strip()]
        return f"What fetches models could not be installed: {errors[-1].removeprefix('ERROR: ')}"
    stamp.write_text(digest, encoding="utf-8")
    return ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
