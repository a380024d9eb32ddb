"""The environment in which the systems beside Outlast are measured: made for one run, and thrown away with it.

It sees the packages of the kernels' own environment, so that all run on the same ones, and has the peers on top, as
`requirements/peers.txt` locks them. The kernels' environment itself is not touched.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

LOCK = Path(__file__).parents[2] / "requirements/peers.txt"
#: Seconds that the installation may take.
_PATIENCE = 900.0


class NotInstalled(Exception):
    """The peers cannot be measured here; the message is one line that says why."""


def locked(name: str) -> str:
    """The version of a package in the lock."""
    found = re.search(rf"^{re.escape(name)}==(\S+)", LOCK.read_text(encoding="utf-8"), re.M)
    if found is None:
        raise LookupError(f"{LOCK} does not have {name}")
    return found[1]


def install(kernel_python: Path, place: Path) -> Path:
    """Make the environment at `place`; its Python. NotInstalled."""
    _run([str(kernel_python), "-m", "venv", str(place)])
    python = place / "bin/python"
    [theirs, ours] = [_site_packages(each) for each in (kernel_python, python)]
    (ours / "kernel.pth").write_text(f"{theirs}\n", encoding="utf-8")
    quiet = ["--disable-pip-version-check", "--no-input", "--no-compile", "--progress-bar", "off", "--quiet"]
    _run([str(python), "-m", "pip", "install", *quiet, "--no-deps", "--require-hashes", "-r", str(LOCK)])
    _run([str(python), "-c", "import cloudpickle, dill, ipykernel, kishu, pandas, pyarrow"])
    return python


def _site_packages(python: Path) -> Path:
    return Path(_run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip())


def _run(command: list[str]) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
    try:
        done = subprocess.run(
            command,
            env=kept | {"PIP_USER": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)[:300]) from error
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise NotInstalled(said[-1][:300])
    return done.stdout
