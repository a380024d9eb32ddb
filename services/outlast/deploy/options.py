"""The stack's own settings: what compose.yaml takes from .env besides the worker's.

The table is the whole list: `.env.example` and the defaults of compose.yaml are tested against it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

#: ValueError whose text says what is allowed.
Check = Callable[[str], object]

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def size(text: str) -> int:
    """Bytes of `512m`, `2gb`, `1.5gb`: powers of 1024, as Docker counts. ValueError if it is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmgt]?)b?", text.strip().lower())
    if found is None:
        raise ValueError("a size like 512mb or 2gb")
    return int(float(found[1]) * _UNITS[found[2]])


def in_words(count: float) -> str:
    """Bytes for people, in the units in which the settings are written."""
    return f"{count / (1 << 30):.1f} GB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MB"


def _size(least: str) -> Check:
    def check(text: str) -> None:
        if size(text) < size(least):
            raise ValueError(f"a size of at least {least}")

    return check


def _whole(least: int, most: int) -> Check:
    def check(text: str) -> None:
        if not re.fullmatch(r"\d{1,9}", text) or not least <= int(text) <= most:
            raise ValueError(f"a whole number from {least} to {most}")

    return check


def _number(least: float, most: float) -> Check:
    def check(text: str) -> None:
        if not re.fullmatch(r"\d{1,9}(\.\d+)?", text) or not least <= float(text) <= most:
            raise ValueError(f"a number from {least:g} to {most:g}")

    return check


def _like(pattern: str, allowed: str) -> Check:
    def check(text: str) -> None:
        if not re.fullmatch(pattern, text):
            raise ValueError(allowed)

    return check


_any = _like(r".*", "")
_path = _like(r"[^\s:]|[^\s:][^:]*[^\s:]", "a path")
_project = _like(r"[a-z0-9][a-z0-9_-]*", "a name of small letters, digits, - and _")
_image = _like(r"[^\s-]\S*", "the name of an image")
_model = _like(r"/?(?:\w[\w.-]*/)*\w[\w.-]*", "the name of a model, like Qwen/Qwen3-4B-Instruct-2507")
_gpus = _like(r"[\w,-]+", "the numbers of GPUs, separated by commas")
_runtime = _like(r"\w[\w.-]*", "the name of a container runtime, like runsc")
_interval = _like(r"[1-9][0-9]{0,3}[mhd]", "a time like 30m, 1h or 1d")
_redis_size = _like(r"[1-9][0-9]*[mg]b", "a whole number with mb or gb after it")


@dataclass(frozen=True, slots=True)
class Option:
    """`default` is what compose.yaml takes where .env says nothing."""

    name: str
    default: str
    meaning: str
    check: Check


#: Every setting, in the order of `.env.example`.
OPTIONS = (
    Option("COMPOSE_FILE", "compose.yaml", "files of the stack, separated by colons", _any),
    Option("COMPOSE_PROJECT_NAME", "outlast", "name of the stack, in the names of containers and volumes", _project),
    Option("BASE_IMAGE", "debian:bookworm-slim", "image that all three are built from", _image),
    Option("MODELS_DIR", "./models", "directory of the models", _path),
    Option("DATA_DIR", "./data", "directory of the input files", _path),
    Option("SECRETS_DIR", "./secrets", "directory of the generated secrets", _path),
    Option("BACKUPS_DIR", "./backups", "directory of the backups", _path),
    Option("BACKUP_EVERY", "", "time between two backups; empty: none by itself", _interval),
    Option("BACKUP_KEEP", "24", "backups that are kept", _whole(1, 10000)),
    Option("BACKUP_MEMORY", "1gb", "memory of the container that copies", _size("256mb")),
    Option("MODEL", "Qwen/Qwen3-4B-Instruct-2507", "model that vLLM serves, from its directory in MODELS_DIR", _model),
    Option("GPU_MEMORY_UTILIZATION", "0.9", "share of the GPU's memory that vLLM takes", _number(0.1, 0.98)),
    Option("TENSOR_PARALLEL_SIZE", "1", "GPUs that share the model", _whole(1, 64)),
    Option("CUDA_VISIBLE_DEVICES", "", "GPUs to use; empty: all", _gpus),
    Option("CPU_KV_CACHE", "6", "gigabytes for conversations, on the processor only", _whole(1, 4096)),
    Option("SHUTDOWN_TIMEOUT", "30", "seconds that replies get to end when vLLM stops", _whole(0, 105)),
    Option("MODEL_STALL", "300", "seconds without progress after which vLLM counts as hung", _whole(10, 86400)),
    Option("VLLM_MEMORY", "12gb", "memory of the container", _size("1gb")),
    Option("WORKER_MEMORY", "6gb", "memory of one worker container, all its sessions together", _size("512mb")),
    Option("WORKER_CPUS", "0", "processors of one worker container; 0: all", _number(0, 4096)),
    Option("WORKER_PIDS", "2048", "processes and threads of one worker container", _whole(64, 4194304)),
    Option("OUTLAST_RUNTIME", "", "container runtime of the worker; empty: the engine's own default", _runtime),
    Option("KERNEL_PACKAGES", "", "packages that cells may import besides, by name", _any),
    Option("KERNEL_REQUIREMENTS", "images/worker/kernel-extra.txt", "the same as a requirements file", _path),
    Option("REDIS_PORT", "6379", "port of Redis on 127.0.0.1 of this host", _whole(1, 65535)),
    Option("REDIS_MEMORY", "2gb", "memory for jobs and logs", _redis_size),
    Option("REDIS_MEMORY_LIMIT", "4gb", "memory of the container", _size("128mb")),
)

BY_NAME = {option.name: option for option in OPTIONS}

#: Names of an older .env that the containers do not take, and what takes their place.
REPLACED = {
    "OUTLAST_REDIS_URL": "the worker's container has its own address; commands on this host read .env.client",
    "OUTLAST_REDIS_PASSWORD_FILE": "the worker's container has its own secret; commands on this host read .env.client",
    "OUTLAST_DATA": "write DATA_DIR=<directory of this host>, which the container has at /data",
    "OUTLAST_WORKSPACES": "the workspaces are on the volume `workspaces`; `outlast cp` copies files out of it",
    "OUTLAST_RUNTIME_DIR": "the container has its own",
    "OUTLAST_KERNEL_PYTHON": "the image has its own; KERNEL_PACKAGES adds packages to it",
    "OUTLAST_NODE": "the image has its own",
    "OUTLAST_MODEL_URL": "the model server is the service `vllm`; MODEL says which model it serves",
    "OUTLAST_MODEL_KEY_FILE": "the key is generated, and both containers have it",
}
