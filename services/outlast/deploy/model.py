"""Whether the model is there, whole: the launcher that will serve it is asked, by its own checker."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import docker, envfile
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
        return _fits(directory, str(vllm["environment"]["OUTLAST_CONTEXT_WINDOW"]))
    problems = [line for line in asked.out.splitlines() if line.strip()] or [docker.last_line(asked.err)]
    said = " ".join(problem.rstrip(".") + "." for problem in problems[:_SHOWN])
    if len(problems) > _SHOWN:
        said += f" ({len(problems) - _SHOWN} more of the kind.)"
    others = _there(models)
    instead = f" Or set MODEL to one that is there: {', '.join(others)}." if others else ""
    fetch = "Run make model" if name == BY_NAME["MODEL"].default else f"Run make model MODEL={name}"
    return bad("model", said, f"{fetch}, which fetches what is missing.{instead}")


def _fits(directory: Path, window: str) -> Finding:
    """Whether the model was made for conversations as long as the settings say."""
    try:
        config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
        longest = (config.get("text_config") or config).get("max_position_embeddings")
    except (OSError, ValueError, AttributeError):
        longest = None
    # A window that is no number is told of among the settings.
    if isinstance(longest, int) and window.isdecimal() and int(window) > longest:
        said = f"{directory.name} holds {longest} tokens, and OUTLAST_CONTEXT_WINDOW is {window}."
        return bad("model", said, f"Set OUTLAST_CONTEXT_WINDOW={longest} or less.")
    return good("model", f"{directory.name}, whole in {directory.parent}")


def fetch(stack: Stack) -> int:
    """`make model`: fetch what MODEL names to where MODELS_DIR says, by the tool for it; its exit code."""
    name, models = setting(stack, "MODEL"), setting(stack, "MODELS_DIR")
    # The tool lives in the terminal as if it had been called itself: its progress, and Ctrl-C.
    tool = [sys.executable, str(stack.directory / "tools/model.py"), name, str(stack.directory / models)]
    code = subprocess.run(tool, cwd=stack.directory, env=dict(stack.environ), check=False).returncode
    if code == 0 and name != (served := envfile.value(stack.env_file, "MODEL") or BY_NAME["MODEL"].default):
        print(f"The stack serves {served}: to serve this one, put MODEL={name} into {stack.env_file.name}.")
    return code


def setting(stack: Stack, name: str) -> str:
    """One of the stack's settings as Compose takes it: from the environment, else the file, else as it comes."""
    return stack.environ.get(name) or envfile.value(stack.env_file, name) or BY_NAME[name].default


def _there(models: Path) -> list[str]:
    """The directories that look like models."""
    return sorted(path.parent.name for path in models.glob("*/config.json"))
