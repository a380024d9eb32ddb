"""What the kernel's client gives back."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..log.records import Artifact


@dataclass(frozen=True, slots=True)
class CellResult:
    """A cell that has ended: `status` is ok, error or timeout (interrupted); `output` is the model's view."""

    status: str
    output: str
    artifacts: tuple[Artifact, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Saved:
    """`checkpoint` is the SHA-256 of the manifest, computed by the worker; if `error` is not empty there is none."""

    checkpoint: str = ""
    missing: dict[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """Names of the variables that came back, and those that did not, with the reason."""

    names: tuple[str, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
