"""Make the two virtual environments: `.venv` (worker, demo, tests) and `.venv-kernel` (what cells may import).

Run by `make` with the Python that `tools/find-python` found; standard library only. Each environment notes in a stamp
what it was made from. One that fits is left alone in milliseconds, one that lacks a role gets it, and any other is made
anew: a stamp is written last, so a set-up that was interrupted never counts. Packages are installed as locked, with
hashes, and built, where they come as source, by the setuptools of the lock: nothing unlocked is fetched.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: Environment → its base roles, in the order of installation. `build` comes first: it builds the rest.
BASE = {".venv": ("build", "worker", "demo"), ".venv-kernel": ("kernel",)}

#: The file in an environment that says what it was made from: role → digest of its lock, and what else matters.
STAMP = "outlast-stamp.json"

#: In the stamp, beside the roles: the directory and Python that the environment's scripts name, and Outlast itself.
MADE_FOR, PROJECT = "made for", "project"

#: Packages of Open Interpreter and the kernel whose first import compiles thousands of files: done here, not in a job.
WARM_UP = {
    ".venv": "import openai, jupyter_client, redis, rich, rq.cli, yaml, interpreter",
    ".venv-kernel": "import ipykernel.kernelapp, cloudpickle, matplotlib.pyplot, polars, pyarrow.parquet, sklearn",
}


class SetUpFailed(Exception):
    """The set-up cannot go on; the message says why and what to do."""


@dataclass
class Environment:
    """One virtual environment, and how far its installation has come."""

    name: str
    roles: tuple[str, ...]
    done: int = 0
    step: str = "waiting"
    failure: str = ""
    stamp: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.path = ROOT / self.name
        self.python = self.path / "bin/python"
        self.log = ROOT / ".make" / f"{self.name.lstrip('.')}.log"
        self.total = 0
        self.stamp = {role: _digest(_lock(role).read_bytes()) for role in self.roles}
        # A moved directory or another Python makes an environment useless: its scripts hold the paths of both.
        self.stamp[MADE_FOR] = f"{self.path} {sys.version_info[0]}.{sys.version_info[1]}"
        if self.name == ".venv":
            self.stamp[PROJECT] = _digest(json.dumps(_project(), sort_keys=True).encode())

    def missing(self) -> tuple[str, ...]:
        """What is still to install, in order; the base roles among it mean that the environment is made anew.

        What comes on top of them, the tests' tools and Outlast itself, is renewed in place.
        """
        everything = tuple(key for key in self.stamp if key != MADE_FOR)
        try:
            noted = self._noted()
            # A role that is there but was not asked for stays, if it is current: the demo leaves the tests' tools.
            current = {key: self.stamp[key] if key in self.stamp else _digest(_lock(key).read_bytes()) for key in noted}
        except OSError:
            return everything
        stale = {key for key in noted if noted[key] != current[key]}
        if MADE_FOR not in noted or stale & {MADE_FOR, *BASE[self.name]} or not self.python.exists():
            return everything
        return tuple(key for key in everything if key not in noted or key in stale)

    def _noted(self) -> dict[str, str]:
        """What the environment was made from; empty for one that never was finished."""
        try:
            noted: dict[str, str] = json.loads((self.path / STAMP).read_text())
        except (OSError, ValueError):
            return {}
        return noted

    def make(self, missing: Sequence[str]) -> None:
        """Bring the environment up to its roles; a failure is kept for the main thread."""
        try:
            self._make(missing)
        except SetUpFailed as failure:
            self.failure = str(failure)

    def _make(self, missing: Sequence[str]) -> None:
        self.log.write_text("")
        if self.roles[0] in missing:
            shutil.rmtree(self.path, ignore_errors=True)
            self._run("create the environment", [sys.executable, "-m", "venv", str(self.path)])
        locks = [_lock(role).read_text() for role in missing if role != PROJECT]
        self.total = sum(len(re.findall(r"^[a-z0-9].*==", lock, re.M)) for lock in locks)
        noted = {key: digest for key, digest in self._noted().items() if key not in missing}
        if noted:
            (self.path / STAMP).write_text(json.dumps(noted, indent=1))
        for role in missing:
            self.step = f"installing ({role})"
            what = ["--no-index", "-e", str(ROOT)] if role == PROJECT else ["--require-hashes", "-r", str(_lock(role))]
            self._pip("--no-deps", "--no-build-isolation", "--use-pep517", *what)
        self.step = "checking"
        self._run("check the packages", [str(self.python), "-m", "pip", "check"])
        self._run("import the packages", [str(self.python), "-c", WARM_UP[self.name]])
        (self.path / STAMP).write_text(json.dumps(noted | self.stamp, indent=1))
        self.step = "ready"

    def _pip(self, *words: str) -> None:
        # Without --no-compile most of the time would go into compiling files that nothing ever imports.
        quiet = ["--disable-pip-version-check", "--no-input", "--no-compile", "--progress-bar", "off"]
        self._run("install the packages", [str(self.python), "-m", "pip", "install", *quiet, *words])

    def _run(self, what: str, command: list[str]) -> None:
        surroundings = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
        # PIP_USER would install beside the environment; litellm would look for a price list on the internet.
        surroundings |= {"PIP_USER": "0", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "PYTHONWARNINGS": "ignore"}
        with self.log.open("a") as log, subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=surroundings,
            cwd=self.path if self.path.exists() else ROOT, text=True, errors="replace",
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                self.done += line.startswith(("Collecting ", "Processing ", "Requirement already ", "Ignoring "))
        if process.returncode:
            tail = "".join(f"    {line}\n" for line in self.log.read_text().splitlines()[-12:])
            raise SetUpFailed(f"Could not {what} of {self.name}:\n{tail}The whole log is in {self.log}.")


def _lock(role: str) -> Path:
    return ROOT / "requirements" / f"{role}.txt"


def _project() -> object:
    """What the installation of Outlast itself depends on: its metadata, not its code, which is used where it lies."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _demand_venv() -> None:
    """Debian and Ubuntu split venv off Python; say which package brings it."""
    try:
        import ensurepip  # noqa: F401  # is it there?
        import venv  # noqa: F401  # is it there?
    except ImportError:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise SetUpFailed(
            f"This Python ({sys.executable}) has no venv module: on Debian and Ubuntu, apt install {package}"
        ) from None


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One set-up at a time; a second one waits and then finds everything done."""
    (ROOT / ".make").mkdir(exist_ok=True)
    with (ROOT / ".make/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _watch(environments: Sequence[Environment], threads: Sequence[threading.Thread]) -> None:
    """Say how far it is: in place on a terminal, every half minute elsewhere."""
    started, told = time.monotonic(), 0.0
    while any(thread.is_alive() for thread in threads):
        for thread in threads:
            thread.join(0.25)
        seconds = time.monotonic() - started
        if sys.stdout.isatty():
            print(f"\r  {_progress(environments)}  {seconds:.0f} s ", end="", flush=True)
        elif seconds - told >= 30:
            told = seconds
            print(f"  {_progress(environments)}  {seconds:.0f} s", flush=True)
    if sys.stdout.isatty():
        print()


def _progress(environments: Sequence[Environment]) -> str:
    parts = [f"{it.name} {it.step} {min(it.done, it.total)}/{it.total}".ljust(38) for it in environments]
    return "  ".join(parts)


def set_up(extra: Sequence[str]) -> None:
    """Make both environments fit, the extra roles in `.venv`."""
    environments = [
        Environment(name, roles + (tuple(extra) if name == ".venv" else ())) for name, roles in BASE.items()
    ]
    work = [(environment, missing) for environment in environments if (missing := environment.missing())]
    if not work:
        return
    _demand_venv()
    size = "about three minutes, 1.8 GB of disk; only now" if len(work) == 2 else "a minute or two"
    names = " and ".join(environment.name for environment, _ in work)
    print(f"Setting up {names} with Python {sys.version.split()[0]} ({size}):", flush=True)
    threads = [threading.Thread(target=environment.make, args=(missing,), daemon=True) for environment, missing in work]
    for thread in threads:
        thread.start()
    _watch([environment for environment, _ in work], threads)
    failures = [environment.failure for environment, _ in work if environment.failure]
    if failures:
        raise SetUpFailed("\n".join(failures))
    print("Ready.", flush=True)


def main() -> int:
    """Exit code 0: both environments fit; 1: they could not be made, and the reason was told."""
    parser = argparse.ArgumentParser(description="Make .venv and .venv-kernel fit the lock files.")
    parser.add_argument("--dev", action="store_true", help="with the tools of the tests and checks")
    extra = ["dev"] if parser.parse_args().dev else []
    try:
        with _alone():
            set_up(extra)
    except SetUpFailed as failure:
        print(f"\n{failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; the next run starts the set-up again.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
