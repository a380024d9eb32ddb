"""Settings and a step of the ladder → vLLM's command line and environment. Pure."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from .ladder import Step
from .settings import Settings

_GIB = 1 << 30


def command(settings: Settings, step: Step) -> list[str]:
    """The server's command line; the API key is not in it."""
    general = {
        "model": str(settings.directory),
        "served-model-name": settings.served_name,
        "max-model-len": str(step.context),
        "host": "0.0.0.0",  # noqa: S104  # the container's own networks only: no port of it is published
        "port": str(settings.port),
        "shutdown-timeout": str(settings.shutdown),
        # The launcher and Docker ask for these all the time.
        "disable-access-log-for-endpoints": "/health,/metrics",
    }
    # As a module: the command `vllm` looks for a package of that name, which the one for processors has not.
    words = [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]
    words += [word for name, value in (general | _of_flavour(settings, step)).items() for word in (f"--{name}", value)]
    words.append("--enable-prefix-caching")
    # Nothing is compiled on processors: it takes minutes, and a compiler that the image has not.
    return words if settings.flavour == "cuda" else [*words, "--enforce-eager"]


def _of_flavour(settings: Settings, step: Step) -> dict[str, str]:
    if settings.flavour == "cuda":
        return {"gpu-memory-utilization": f"{step.share:g}", "tensor-parallel-size": str(settings.gpus)}
    return {"kv-cache-memory-bytes": str(settings.kv_cache * _GIB), "dtype": "bfloat16"}


def environment(environ: Mapping[str, str], key: str) -> dict[str, str]:
    """vLLM's environment: the key is here, because a command line can be read by every process."""
    return {**environ, "VLLM_API_KEY": key}
