"""Samples, goals and ratios: pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Sample:
    """Measured values in the order in which they came; never empty."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.values:
            raise ValueError("a sample needs at least one value")

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """The values as a sample; ValueError if there are none."""
        return cls(tuple(values))

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def worst(self) -> float:
        """The largest value: everything here is a cost."""
        return max(self.values)

    def at_least_of(self, share: float) -> float:
        """The smallest value that `share` (0 to 1) of all values do not exceed."""
        return sorted(self.values)[max(0, math.ceil(share * self.count) - 1)]

    def scaled(self, factor: float) -> Sample:
        """Every value times `factor`."""
        return Sample(tuple(value * factor for value in self.values))


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to be reached; every bound that is given must hold. In the unit of the figure; `ratio` is of medians."""

    median: float | None = None
    worst: float | None = None
    ratio: float | None = None

    def reached(self, ours: Sample | None, beside: Sample | None = None) -> bool | None:
        """Whether `ours` keeps every bound; None if there is no bound or nothing to hold against it."""
        if ours is None:
            return None
        kept: list[bool] = []
        if self.median is not None:
            kept.append(ours.median <= self.median)
        if self.worst is not None:
            kept.append(ours.worst <= self.worst)
        if self.ratio is not None:
            if beside is None:
                return None
            kept.append(ours.median / beside.median <= self.ratio)
        return all(kept) if kept else None
