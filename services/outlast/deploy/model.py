"""Whether the model is there, whole: the launcher that will serve it is asked, by its own checker."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from . import docker
from .findings import Finding, bad, good
from .options import BY_NAME
from .stack import Stack, mounted

#: Sentences about one model that are shown; a download that broke off may lack a hundred files.
_SHOWN = 3


def model_finding(stack: Stack, vllm: dict[str, Any]) -> Finding:
    """What is in the directory that the container will serve the model from."""
    models, name = mounted(vllm, "/models"), str(vllm["environment"]["MODEL"])
    if models is None:
        return good("model", "a file of your own replaces the model server")
    directory = models / name.rstrip("/").rpartition("/")[2]
    environ = {**stack.environ, "PYTHONPATH": str(stack.directory / "services/vllm")}
    asked = docker.run([sys.executable, "-m", "launcher.model", str(directory)], stack.directory, environ, timeout=60)
    if asked.ok:
        return good("model", f"{name}, whole in {directory}")
    problems = [line for line in asked.out.splitlines() if line.strip()] or [docker.last_line(asked.err)]
    said = " ".join(problem.rstrip(".") + "." for problem in problems[:_SHOWN])
    if len(problems) > _SHOWN:
        said += f" ({len(problems) - _SHOWN} more of the kind.)"
    others = _there(models)
    instead = f" Or set MODEL to one that is there: {', '.join(others)}." if others else ""
    fetch = "Run make model" if name == BY_NAME["MODEL"].default else f"Run make model MODEL={name}"
    return bad("model", said, f"{fetch}, which fetches what is missing.{instead}")


def _there(models: Path) -> list[str]:
    """The directories that look like models."""
    return sorted(path.parent.name for path in models.glob("*/config.json"))
