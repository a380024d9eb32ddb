"""What every figure gets and gives back."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .sample import Goal, Sample

MEASURED = "measured in this run"


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure. `runs`, `jobs` and `size` (bytes) replace a figure's own numbers; `say` tells how far it is."""

    kernel_python: Path
    directory: Path
    seed: int
    quick: bool = False
    stock: bool = False
    full: bool = False
    runs: int | None = None
    jobs: int | None = None
    size: int | None = None
    say: Callable[[str], None] = lambda _: None

    def count(self, usual: int, quick: int) -> int:
        """How many runs a figure makes."""
        return self.runs or (quick if self.quick else usual)

    def random(self, purpose: str) -> random.Random:
        """Chance that the same seed repeats, whatever other figures run."""
        return random.Random(f"{self.seed}/{purpose}")

    def place(self, name: str) -> Path:
        """An empty directory for one figure."""
        path = self.directory / name
        path.mkdir(parents=True)
        return path


@dataclass(frozen=True, slots=True)
class Beside:
    """The same thing elsewhere: `sample` is None where nothing was measured, and `source` then says what is known."""

    what: str
    sample: Sample | None
    source: str = MEASURED


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result. `unit` is s or count. `beside[0]` is what the goal's ratio refers to.

    `violations` are sentences about correctness; one of them makes the whole run fail.
    """

    figure: str
    what: str
    ours: Sample | None
    unit: str = "s"
    goal: Goal = field(default_factory=Goal)
    beside: tuple[Beside, ...] = ()
    violations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached, a violation counting as not; None if there is none or nothing was measured."""
        if self.violations:
            return False
        return self.goal.reached(self.ours, self.beside[0].sample if self.beside else None)
