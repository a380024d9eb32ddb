"""Whenever a save is killed, what is restored is the state after a completed cell, whole, and the next save works."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.state.counting import CELL, LOOK, found, whole
from tests.unit.state.kernels import Kernels

#: In the order of a save; kept here too, so that no point can get lost.
POINTS = (
    "forked", "object written", "object synced", "object renamed",
    "manifest written", "manifest synced", "manifest renamed", "saved",
)  # fmt: skip
#: For each object that is written.
_of_objects = ("object written", "object synced", "object renamed")

AT_POINTS = [
    pytest.param(victim, point, time, id=f"{victim} at {point}{' again' if time > 1 else ''}")
    for point in POINTS
    for victim in ("child", "kernel", "both")
    for time in ((1, 2) if point in _of_objects else (1,))
    # The last point is reached by the kernel, after its child.
    if (victim, point) != ("child", "saved")
]
#: Chains of kills at random instants: victim, and how the instant is chosen.
CHAINS = [(victim, moment) for victim in ("child", "kernel", "both") for moment in ("call", "seconds")] * 2
#: Kills in each chain.
_kills = 14


class Session:
    """Cells that count upwards, each in a kernel that restores what was committed: the last save that was answered."""

    def __init__(self, kernels: Kernels) -> None:
        self.kernels = kernels
        self.k = 0
        self._killed = False
        self._answered(1, kernels.run(["cell", CELL.format(k=1)], self._save(1))[-1])

    def _save(self, k: int) -> list[Any]:
        return ["save", str(self.kernels.checkpoints), k]

    def _answered(self, k: int, saved: dict[str, Any]) -> None:
        """The log names this save's checkpoint from here on, if there is one."""
        if not saved["error"]:
            self.committed: str = saved["manifest"]
            self.k = k
            self._missing = saved["missing"]

    def cells(self, *mishap: Any, cells: int = 1) -> list[dict[str, Any]] | None:
        """What came of the save of each of these cells; the first meets the mishap. None if the kernel was killed."""
        numbers = range(self.k + 1, self.k + 1 + cells)
        outcomes = self.kernels.run_perhaps_to_death(
            ["restore", self.kernels.path(self.committed)],
            ["cell", LOOK],
            *([[*mishap]] if mishap else []),
            *(step for k in numbers for step in (["cell", CELL.format(k=k)], self._save(k))),
            patience=20,
        )
        if outcomes is None:
            self._killed = True
            return None
        self._assert_whole(outcomes[0], outcomes[1], self.k)
        saves = outcomes[-2 * cells + 1 :: 2]
        for k, saved in zip(numbers, saves, strict=True):
            self._answered(k, saved)
        assert saves[-1]["error"] == ""
        self.assert_nothing_is_left_over()
        return saves

    def measure(self) -> tuple[int, float]:
        """The calls that the child makes in a save, and the seconds that the save takes."""
        outcomes = self.kernels.run(["cell", CELL.format(k=self.k + 1)], ["count"], self._save(self.k + 1), ["count"])
        self._answered(self.k + 1, outcomes[2])
        return outcomes[3]["calls"], outcomes[2]["seconds"]

    def assert_whole(self) -> None:
        """What was committed comes back, and so does what a save wrote that nobody answered, if it is there."""
        unanswered = [path.name for path in self._manifests() if path.name.startswith(f"{self.k + 1}-")]
        for name, k in [(self.committed, self.k), *((name, self.k + 1) for name in unanswered)]:
            self._assert_whole(*self.kernels.restore(name, LOOK), k)

    def _assert_whole(self, restored: dict[str, Any], look: dict[str, Any], k: int) -> None:
        assert restored["error"] == ""
        if k == self.k:
            assert restored["missing"] == self._missing
        expected = {name: value for name, value in whole(k).items() if name not in restored["missing"]}
        assert found(look) == expected

    def assert_nothing_is_left_over(self) -> None:
        """After a save that worked there is one manifest a cell, the objects of the newest three, and nothing else.

        Saves that nobody answered have counted too: for them, objects of checkpoints before the committed one are gone.
        """
        manifests = sorted(self._manifests(), key=_cell)
        assert manifests[-1].name == self.committed
        assert len({_cell(path) for path in manifests}) == len(manifests)
        assert set(manifests) == set((self.kernels.checkpoints / "manifests").iterdir())
        *older, newest = [set(self.kernels.manifest(path.name)["objects"]) for path in manifests[-3:]]
        there = {path.name for path in (self.kernels.checkpoints / "objects").iterdir()}
        assert newest <= there <= newest.union(*older)
        assert self._killed or there == newest.union(*older)

    def _manifests(self) -> list[Path]:
        names = (self.kernels.checkpoints / "manifests").iterdir()
        return [path for path in names if re.fullmatch(r"[0-9]+-[0-9a-f]{8}\.json", path.name)]


def _cell(path: Path) -> int:
    return int(path.name.partition("-")[0])


def test_two_hundred_kills_and_more_make_up_this_suite(warm_kernels: Callable[..., Kernels]) -> None:
    assert len(AT_POINTS) + len(CHAINS) * _kills >= 200


@pytest.mark.parametrize(("victim", "point", "time"), AT_POINTS)
def test_a_save_that_is_killed_at_any_point_costs_nothing(
    warm_kernels: Callable[..., Kernels], victim: str, point: str, time: int
) -> None:
    session = Session(warm_kernels("numpy"))
    session.cells(cells=2)
    saves = session.cells("kill", victim, "point", point, time, cells=2)
    session.assert_whole()
    if victim == "child":
        assert saves is not None
        assert saves[0]["error"] or saves[0]["missing"]
    else:
        assert saves is None
        session.cells()
        session.assert_whole()


@pytest.mark.parametrize("number", range(len(CHAINS)), ids=lambda number: f"{number + 1} {' '.join(CHAINS[number])}")
def test_saves_that_are_killed_at_random_instants_cost_nothing(
    warm_kernels: Callable[..., Kernels], request: pytest.FixtureRequest, number: int
) -> None:
    victim, moment = CHAINS[number]
    seed = f"{request.config.getoption('randomly_seed', 0)} {number}"
    print(f"the kills of this chain are those of random.Random({seed!r})")
    chance = random.Random(seed)
    session = Session(warm_kernels("numpy"))
    calls, seconds = session.measure()
    killed = tries = 0
    while killed < _kills:
        tries += 1
        assert tries < 5 * _kills, "the kills come too late"
        value = chance.randint(1, calls) if moment == "call" else chance.uniform(0, seconds)
        saves = session.cells("kill", victim, moment, value, cells=2)
        if saves is None:
            killed += 1
            session.assert_whole()
            if killed % 4 == 0:
                session.cells()
        elif saves[0]["error"] or saves[0]["missing"]:
            killed += 1
        else:
            # Too late: the machine was busier when the time of a save was measured.
            seconds *= 0.9
    session.assert_whole()
