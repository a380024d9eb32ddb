"""Every setting of Outlast, read once from the environment; no other module reads `OUTLAST_*`.

A malformed value or an unknown `OUTLAST_*` name stops the start with a sentence that names the variable,
its value and what is allowed. The table below is the whole configuration: `.env.example` is tested against it.
"""

from __future__ import annotations

import difflib
import os
import signal
import sys
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlsplit

from .errors import SettingsError

#: What compose.yaml takes from the .env that reaches the worker too; it means nothing to a worker.
OF_THE_STACK = frozenset({"OUTLAST_RUNTIME"})


def _setting(default: Any, meaning: str, *, least: float | None = None, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"meaning": meaning, "least": least, "choices": choices})


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. The variable of field `lease` is `OUTLAST_LEASE`, and so on."""

    redis_url: str = _setting("redis://127.0.0.1:6379/0", "Redis of the jobs and logs; RQ_REDIS_URL where this is not set")
    redis_password_file: str = _setting("", "file with the password of the Redis user that the address names; empty: none, or in the address")
    data: str = _setting("/data", "directory that `files:=[…]` may name files of; mounted read-only in the container")
    workspaces: str = _setting("/var/lib/outlast/sessions", "directory of the sessions' workspaces")
    runtime_dir: str = _setting("", "short-lived sockets and pipes; empty: a directory under the system's temporary one")
    kernel_python: str = _setting("", "Python of the kernels' own environment; empty: .venv-kernel beside the worker's")
    node: str = _setting("", "the node program for JavaScript cells; empty: node from PATH, else from the kernel's environment")

    model_url: str = _setting("http://127.0.0.1:8000/v1", "OpenAI-compatible API of the model server")
    model: str = _setting("Qwen3-4B-Instruct-2507", "model name that requests carry")
    model_key_file: str = _setting("", "file with the model server's API key; empty: none is sent")
    context_window: int = _setting(32768, "tokens that the model can hold, prompt and reply together", least=512)
    max_tokens: int = _setting(4096, "tokens of one reply at most", least=16)
    temperature: float = _setting(0.0, "sampling temperature", least=0)
    first_token: float = _setting(600.0, "seconds until the first token before the turn waits and asks again", least=0.1)
    next_token: float = _setting(120.0, "seconds between two tokens before the stream counts as cut", least=0.1)
    max_turns: int = _setting(100, "replies per request before the session is closed as failed", least=1)

    cell_timeout: float = _setting(0.0, "seconds that a cell may run; 0: no limit", least=0)
    cell_stall: float = _setting(300.0, "seconds without output, processor time or disk traffic before a cell is stopped; 0: never", least=0)
    on_interrupt: str = _setting("rerun", "what becomes of a cell that was cut off", choices=("rerun", "ask"))
    output_chars: int = _setting(2800, "characters of a cell's output that the model sees", least=200)
    output_bytes: int = _setting(64 * 1024 * 1024, "bytes of a cell's full output kept as an artifact", least=65536)

    state_limit: int = _setting(20 * 1024**3, "bytes that one checkpoint of a session's variables may have; 0: no limit", least=0)
    save_timeout: float = _setting(600.0, "seconds that saving them may take before what holds it up is left out; 0: no limit", least=0)

    workers: int = _setting(2, "worker processes that the supervisor runs, one running session each", least=1)
    queues: str = _setting("default", "queues that they take jobs from, separated by spaces, the first one first")
    lease: float = _setting(2.0, "seconds without renewal after which a worker counts as dead", least=0.5)
    drain_grace: float = _setting(1.0, "seconds that a running cell, and then the save of its variables, get to end when the worker is asked to stop", least=0)
    sandbox: str = _setting("strict", "isolation of the kernels: all layers or no code runs, those that the host gives, or none", choices=("strict", "reduced", "off"))
    cell_memory: int = _setting(0, "bytes of memory that a process of a cell may use; 0: an equal share of nine tenths of the worker's limit", least=0)
    cell_processes: int = _setting(512, "processes and threads that a session may have at once", least=16)
    disk_limit: int = _setting(0, "bytes that a session's files and checkpoints may take before its cells are stopped; 0: half of the disk", least=0)
    disk_files: int = _setting(1_000_000, "files and directories that a session may have before its cells are stopped; 0: no limit", least=0)
    log_format: str = _setting("auto", "worker log: text, json, or auto (text on a terminal)", choices=("auto", "text", "json"))
    log_level: str = _setting("info", "least level of what it says; debug names each record that was appended", choices=("debug", "info", "warning", "error"))

    @classmethod
    def load(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the environment; SettingsError with every mistake in it, one a line."""
        source = os.environ if environ is None else environ
        by_variable = {f"OUTLAST_{item.name.upper()}": item for item in fields(cls)}
        values: dict[str, Any] = {}
        mistakes: list[str] = []
        for variable in sorted(name for name in source if name.startswith("OUTLAST_")):
            item = by_variable.get(variable)
            if item is None:
                if variable not in OF_THE_STACK:
                    mistakes.append(_unknown(variable, [*by_variable, *OF_THE_STACK]))
                continue
            try:
                values[item.name] = _parse(item, source[variable])
            except ValueError as allowed:
                mistakes.append(f"{variable}={source[variable]!r} is not {allowed}.")
        if "redis_url" not in values and source.get("RQ_REDIS_URL"):
            values["redis_url"] = source["RQ_REDIS_URL"]
        if not values.get("queues", "default").split():
            mistakes.append("OUTLAST_QUEUES names no queue; leave it out for `default`.")
        if mistakes:
            raise SettingsError("\n".join(mistakes))
        settings = cls(**values)
        if settings.max_tokens >= settings.context_window:
            raise SettingsError(
                f"OUTLAST_MAX_TOKENS={settings.max_tokens} leaves no room for the conversation in "
                f"OUTLAST_CONTEXT_WINDOW={settings.context_window}; make it smaller."
            )
        return settings

    def demand_places(self) -> None:
        """SettingsError with everything that a worker would miss at its first cell, so that no job fails of it."""
        mistakes: list[str] = []
        places = {"OUTLAST_WORKSPACES": Path(self.workspaces), "OUTLAST_RUNTIME_DIR": self.runtime_path}
        for variable, place in places.items():
            try:
                place.mkdir(mode=0o711, parents=True, exist_ok=True)
                if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
                    mistakes.append(f"{variable}={place} cannot be written to by this user; name another.")
            except OSError as error:
                mistakes.append(f"{variable}={place} cannot be made ({error.strerror}); name another.")
        python = self.kernel_python_path
        if not (python.is_file() and os.access(python, os.X_OK)):
            mistakes.append(f"OUTLAST_KERNEL_PYTHON: there is no Python at {python}; `make venv` makes one, or name it.")
        try:
            handle = os.pidfd_open(os.getpid())
            signal.pidfd_send_signal(handle, 0)
            os.close(handle)
        except OSError as error:
            mistakes.append(f"This Linux gives no handles for processes ({error.strerror}); use 5.3 or newer, or a newer gVisor.")
        try:
            self.model_key()
        except (OSError, ValueError) as error:
            mistakes.append(_unreadable("OUTLAST_MODEL_KEY_FILE", self.model_key_file, error))
        if mistakes:
            raise SettingsError("\n".join(mistakes))

    def redis_address(self) -> str:
        """The URL to connect to, with the password; made when it is needed, and never shown. SettingsError."""
        if not self.redis_password_file:
            return self.redis_url
        try:
            password = Path(self.redis_password_file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(_unreadable("OUTLAST_REDIS_PASSWORD_FILE", self.redis_password_file, error)) from None
        if not password:
            raise SettingsError(f"OUTLAST_REDIS_PASSWORD_FILE={self.redis_password_file} is empty; put the password in.")
        address = urlsplit(self.redis_url)
        if address.password:
            raise SettingsError(
                "The address of Redis has a password, and OUTLAST_REDIS_PASSWORD_FILE names another; leave one out."
            )
        user, _, place = address.netloc.rpartition("@")
        # `unix:///path` has no place, and keeps its empty one.
        return address._replace(netloc=f"{user.rstrip(':')}:{quote(password, safe='')}@{place}").geturl()

    @property
    def runtime_path(self) -> Path:
        """Where sockets go. Kept short: a Unix socket's path has 107 characters at most."""
        return Path(self.runtime_dir or f"{tempfile.gettempdir()}/outlast-{os.getuid()}")

    @property
    def kernel_python_path(self) -> Path:
        """The kernels' Python; it can import nothing of the worker's."""
        return Path(self.kernel_python) if self.kernel_python else Path(sys.prefix).parent / ".venv-kernel/bin/python"

    def model_key(self) -> str | None:
        """The API key, read when it is needed and kept nowhere else."""
        return Path(self.model_key_file).read_text(encoding="utf-8").strip() if self.model_key_file else None


def as_given(names: Collection[str]) -> dict[str, str]:
    """Those of the variables that are set, with what they are set to."""
    return {name: os.environ[name] for name in names if name in os.environ}


def redis_url_of_our_own() -> str:
    """OUTLAST_REDIS_URL as it is set, else empty: `rq` knows RQ_REDIS_URL only, and the two must not differ."""
    return os.environ.get("OUTLAST_REDIS_URL", "")


def _unreadable(variable: str, path: str, error: Exception) -> str:
    reason = error.strerror if isinstance(error, OSError) else "it is no text"
    return f"{variable}={path} cannot be read ({reason}); name another."


def _parse(item: Any, text: str) -> Any:
    """The value of one variable; ValueError whose text says what is allowed."""
    least, choices = item.metadata["least"], item.metadata["choices"]
    if choices:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)}" if len(choices) > 1 else choices[0])
        return text
    if item.type == "str":
        return text
    kind: type[int] | type[float] = int if item.type == "int" else float
    noun = "a whole number" if kind is int else "a number"
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or value != value or (least is not None and value < least) or value == float("inf"):
        raise ValueError(noun + (f" of at least {least:g}" if least is not None else ""))
    return value


def _unknown(variable: str, known: list[str]) -> str:
    close = difflib.get_close_matches(variable, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "see .env.example for those that are."
    return f"{variable} is not a setting of Outlast; {hint}"
