"""`make enqueue`: any text becomes the prompt, whatever characters it has."""

from __future__ import annotations

import json

from . import docker
from .docker import DeployError
from .stack import Stack


def enqueue(stack: Stack, prompt: str, session: str) -> int:
    """Enqueue in the worker's container; prints what `rq` prints, and returns the exit code."""
    if not prompt.strip():
        raise DeployError('There is no prompt: make enqueue PROMPT="what you want done".')
    # As JSON, whose first character is a quote: RQ reads a plain text otherwise if it begins with @.
    job = ["--job-id", session] if session else []
    words = ["rq", "enqueue", *job, "outlast.run", f"prompt:={json.dumps(prompt)}"]
    result = stack.compose("exec", "-T", "worker", *words)
    if not result.ok:
        about = result.err if result.err.strip() else result.out
        if "is not running" in about or "no container found" in about:
            raise DeployError("The worker's container does not run: make up starts it.")
        raise docker.failure("enqueue", result)
    print(result.out.strip())
    return 0
