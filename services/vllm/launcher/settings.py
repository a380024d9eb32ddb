"""The model server's settings, read once from the environment; a bad one stops the start with a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self


class SettingsError(Exception):
    """Settings that cannot be followed; the message has every mistake, one a line."""


def _setting(variable: str, default: Any, least: float | None = None, most: float | None = None) -> Any:
    return field(default=default, metadata={"variable": variable, "least": least, "most": most})


@dataclass(frozen=True, slots=True)
class Settings:
    """One start's settings. A variable that is empty counts as not given, as Compose passes those it does not know."""

    #: Of the image: `cuda` or `cpu`.
    flavour: str = _setting("FLAVOUR", "cuda")
    #: A hub id or a directory's name; only what follows its last slash counts here.
    model: str = _setting("MODEL", "Qwen/Qwen3-4B-Instruct-2507")
    #: What requests call the model.
    served_name: str = _setting("OUTLAST_MODEL", "Qwen3-4B-Instruct-2507")
    #: Tokens of prompt and reply together.
    context: int = _setting("OUTLAST_CONTEXT_WINDOW", 32768, least=512)
    #: Share of each GPU's memory that vLLM takes.
    share: float = _setting("GPU_MEMORY_UTILIZATION", 0.9, least=0.1, most=0.98)
    #: GPUs that the model is spread over.
    gpus: int = _setting("TENSOR_PARALLEL_SIZE", 1, least=1)
    #: GiB for the conversations that are held at once, on processors.
    kv_cache: int = _setting("CPU_KV_CACHE", 6, least=1)
    #: Seconds that running requests get to end when the server is stopped.
    shutdown: int = _setting("SHUTDOWN_TIMEOUT", 30, least=0)
    #: Seconds without any progress, though asked for a token, after which the server counts as hung and is ended.
    stall: int = _setting("MODEL_STALL", 300, least=1)
    #: Seconds to wait before giving up for want of memory: Docker starts the container again at once.
    pause: int = _setting("MODEL_RETRY_PAUSE", 60, least=0)
    port: int = _setting("MODEL_PORT", 8000, least=1, most=65535)
    models: str = _setting("MODELS", "/models")
    key_file: str = _setting("MODEL_KEY_FILE", "/run/secrets/model_key")

    @property
    def directory(self) -> Path:
        """Where the model lies, in the container."""
        return Path(self.models) / self.model.rstrip("/").rpartition("/")[2]

    def key(self) -> str:
        """The API key; SettingsError where there is none."""
        try:
            key = Path(self.key_file).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(
                f"The API key of the model server cannot be read ({error}): run make up, which makes it."
            ) from error
        if not key:
            raise SettingsError(
                f"{self.key_file} is empty: remove secrets/model_key and run make up, which makes it anew."
            )
        return key

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Settings from `environ`; SettingsError."""
        values: dict[str, Any] = {}
        mistakes: list[str] = []
        for item in fields(cls):
            variable, text = item.metadata["variable"], environ.get(item.metadata["variable"], "").strip()
            if not text:
                continue
            try:
                values[item.name] = _parse(text, type(item.default), item.metadata["least"], item.metadata["most"])
            except ValueError as allowed:
                mistakes.append(f"{variable}={text!r} is not {allowed}.")
        if values.get("flavour", cls().flavour) not in ("cuda", "cpu"):
            mistakes.append(f"FLAVOUR={values['flavour']!r} is not cuda or cpu.")
        if mistakes:
            raise SettingsError("\n".join(mistakes))
        return cls(**values)


def _parse(text: str, kind: type, least: float | None, most: float | None) -> Any:
    """The value; ValueError that says what is allowed."""
    if kind is str:
        return text
    bounds = f"from {least} to {most}" if most is not None else f"of at least {least}"
    allowed = f"a {'whole ' if kind is int else ''}number {bounds}"
    try:
        value = kind(text)
    except ValueError:
        raise ValueError(allowed) from None
    # The comparisons are this way round so that "nan" is refused.
    if not (least is None or value >= least) or not (most is None or value <= most):
        raise ValueError(allowed)
    return value
