"""What keeping the variables costs, and whether they come back: Outlast's checkpoints, dill, cloudpickle, Kishu.

The job (`keeping/sales.py`) reads a file of sales as Arrow strings, drops the bad rows, makes a column numeric, sums,
writes and draws: six cells in a real kernel. After each cell the model thinks for so many seconds; ours waits up to
50 ms for a save, as the attempt does, and the next cell waits until it is durable. The time runs from the start of the
first cell to the end of the last save. Beside it stand the same cells in the same kernel with the same thinking and no
saves, which the goal refers to, by turns; then the other systems, once each, in an environment that is made for them
and has the same libraries. What they write is not synced to the disk.

A restore is measured in a new kernel, hot: the files are in memory, and one restore has gone before. Beside it stands
the running of the cells themselves.

The pause is that of the kernel at a save of ours, as it reports it: for the rest of the save it only waits.

Silently wrong are those of the namespaces in tests/unit/state that come back as something else, or lack something,
without a word: a violation if ours are. Kishu is left out there: it cannot be called for one namespace alone.
"""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from outlast.cli.text import size
from tests.unit.state.namespaces import CASES

from .figure import Beside, Options, Row
from .keeping import cases, peers, sales
from .keeping.drive import Drive, drive, restore
from .keeping.keepers import Keeper, Kishu, Nobody, Outlast, cloudpickle, dill
from .keeping.kernels import Failed, session
from .sample import Goal, Sample

#: Seconds that the model thinks after each cell.
THINK = 4.0
WHOLE, SMALL = 1_500_000_000, 50_000_000
WARM_UP = 1_000_000

#: 1,000 names, each with a small value.
VARIABLES = (
    "for n in range(250):\n"
    "    globals().update({f'i{n}': n, f's{n}': f'text {n}', f'l{n}': [n, str(n)], f'd{n}': {'n': n, 'of': [n] * 3}})\n"
    "del n"
)


@dataclass
class Measured:
    """What one system did; `failure` says why it did no more."""

    what: str
    drives: list[Drive] = field(default_factory=list)
    restores: list[float] = field(default_factory=list)
    first_uses: list[float] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    failure: str = ""

    @property
    def seconds(self) -> Sample | None:
        return Sample.of(each.seconds for each in self.drives) if self.drives else None

    def beside(self, sample: Sample | None) -> Beside:
        """This as what stands beside ours."""
        if sample is None:
            return Beside(self.what, None, self.failure or "there is no such thing")
        return Beside(self.what, sample)


class Bench:
    """One run of these figures."""

    def __init__(self, options: Options, place: Path) -> None:
        self._options, self._place = options, place
        self._peers: Path | str = ""

    def say(self, text: str) -> None:
        self._options.say(f"state: {text}")

    # -- the systems ----------------------------------------------------------------------------------------

    @property
    def peers_python(self) -> Path | str:
        """The Python of the peers' environment, or why there is none."""
        if not self._peers:
            self.say("installing dill, cloudpickle and Kishu …")
            try:
                self._peers = peers.install(self.kernel_python, self._place / "peers")
            except peers.NotInstalled as why:
                self._peers = f"cannot be installed here: {why}"
        return self._peers

    @property
    def kernel_python(self) -> Path:
        """The Python of the kernels' own environment."""
        return self._options.kernel_python

    def others(self) -> Iterator[tuple[Keeper, Path | str]]:
        """Each other system, with the Python that has it."""
        for make in (dill, cloudpickle, Kishu):
            yield make(), self.peers_python

    # -- the job --------------------------------------------------------------------------------------------

    def job(self, bytes_: int, think: float) -> list[Measured]:
        """Ours, the baseline, then the others."""
        with self._data(bytes_) as data:
            # What is short is done more often, for the machine's own noise is a larger part of it.
            runs = self._options.count(3 if bytes_ > SMALL else 5, 1)
            return self._measure(data, f"{size(bytes_)}, {think:g} s a turn", think, runs)

    @contextmanager
    def _data(self, bytes_: int) -> Iterator[Path]:
        path = self._place / sales.DATA
        rows = sales.write(path, bytes_, self._options.seed)
        self.say(f"{path.name}: {size(path.stat().st_size)}, {rows:,} rows")
        try:
            yield path
        finally:
            path.unlink()

    def _measure(self, data: Path, about: str, think: float, runs: int) -> list[Measured]:
        ours, baseline = Measured(Outlast.what), Measured(Nobody.what)
        keepers: list[tuple[Measured, Keeper]] = [(ours, Outlast()), (baseline, Nobody())]
        for run in range(runs):
            # By turns, so that neither always has the warmer machine.
            for measured, keeper in keepers if run % 2 else reversed(keepers):
                last = run == runs - 1 and think == 0 and measured is ours
                self._once(measured, keeper, self.kernel_python, data, about, think, restores=last)
        found = [ours, baseline]
        for keeper, python in self.others():
            measured = Measured(keeper.what)
            if isinstance(python, str):
                measured.failure = python
            else:
                self._once(measured, keeper, python, data, about, think, restores=think == 0)
            found.append(measured)
        _compare(ours, baseline)
        return found

    def _once(
        self, measured: Measured, keeper: Keeper, python: Path, data: Path, about: str, think: float, *, restores: bool
    ) -> None:
        """One drive and, if so, restores of what it left."""
        place = self._place / "session"

        def say(text: str) -> None:
            self.say(f"{about}, {measured.what}: {text}")

        try:
            with session(place, python, inputs=(data,)) as kernel:
                measured.drives.append(drive(kernel, keeper, sales.CELLS, sales.PROBE, think=think, say=say))
            say(f"{measured.drives[-1].seconds:.2f} s in all")
            for number in range(self._options.count(5, 2) + 1 if restores else 0):
                with session(place, python, inputs=(data,)) as kernel:
                    seconds, first_use, said = restore(kernel, keeper, sales.PROBE)
                say(f"restored in {seconds:.2f} s, first use {first_use:.2f} s")
                if said != measured.drives[-1].probe:
                    raise Failed(f"what it restored is not what was there: {said.strip()[:200]}")
                if number:
                    measured.restores.append(seconds)
                    measured.first_uses.append(first_use)
        except Failed as failure:
            measured.failure = f"failed: {failure}"
            say(measured.failure)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    # -- many small variables -------------------------------------------------------------------------------

    def small_variables(self) -> list[Measured]:
        """Ours and the others with 1,000 names, of which each cell changes one."""
        cells = [VARIABLES, *(f"i0 = {number}" for number in range(self._options.count(50, 10)))]
        found = []
        own = self.kernel_python
        systems: list[tuple[Keeper, Path | str]] = [(Outlast(), own), (Nobody(), own), *self.others()]
        for keeper, python in systems:
            measured = Measured(keeper.what)
            if isinstance(python, str):
                measured.failure = python
            else:
                place = self._place / "session"
                try:
                    with session(place, python) as kernel:
                        measured.drives.append(drive(kernel, keeper, cells, "", think=0, say=lambda text: None))
                except Failed as failure:
                    measured.failure = f"failed: {failure}"
                finally:
                    shutil.rmtree(place, ignore_errors=True)
            self.say(f"1,000 small variables, {measured.what}: {measured.failure or 'done'}")
            found.append(measured)
        return found

    # -- correctness ----------------------------------------------------------------------------------------

    def judged(self, what: str, package: Path, python: Path | str) -> tuple[list[cases.Judged], Beside, str]:
        """The verdicts on the namespaces, how many are wrong, and all counts in words."""
        if isinstance(python, str):
            return [], Beside(what, None, python), f"{what}: {python}"
        place = self._place / "cases"
        which = CASES[:: 10 if self._options.quick else 1]
        judged, counts = cases.judge_all(package, python, place, which, self.say)
        shutil.rmtree(place, ignore_errors=True)
        said = f"{what}: " + ", ".join(f"{counts[verdict]} {verdict}" for verdict in cases.Verdict)
        self.say(said)
        return judged, Beside(what, Sample.of([counts[cases.Verdict.WRONG]])), said


def measure(options: Options) -> list[Row]:
    """All rows; the large file first, then the small one."""
    place = options.place("state")
    bench = Bench(options, place)
    large = options.size or (SMALL if options.quick else WHOLE)
    small = min(SMALL, large)
    with suppress(Failed):
        _warm_up(options, place)
    thoughtful, hurried = bench.job(large, THINK), bench.job(large, 0)
    rows = [
        job_row(thoughtful, large, THINK, Goal(ratio=1.05)),
        job_row(hurried, large, 0, Goal(ratio=1.25)),
        restore_row(hurried, large),
        pause_row([thoughtful[0], hurried[0]], large, Goal(median=0.15)),
    ]
    if small < large:
        thoughtful = bench.job(small, THINK)
        rows += [
            job_row(thoughtful, small, THINK, Goal(ratio=1.03)),
            pause_row(thoughtful[:1], small, Goal(median=0.01)),
        ]
    rows += [small_variables_row(bench.small_variables()), wrong_row(bench)]
    shutil.rmtree(place, ignore_errors=True)
    return rows


def _warm_up(options: Options, place: Path) -> None:
    """What is slow the first time (libraries that have to be read from the disk) is nobody's."""
    data = place / "warm-up" / sales.DATA
    data.parent.mkdir()
    sales.write(data, WARM_UP, options.seed)
    with session(place / "session", options.kernel_python, inputs=(data,)) as kernel:
        drive(kernel, Outlast(), sales.CELLS, sales.PROBE, think=0, say=lambda text: None)
    shutil.rmtree(place / "session", ignore_errors=True)
    shutil.rmtree(data.parent)


def _compare(ours: Measured, baseline: Measured) -> None:
    """Note as violations what ours did otherwise than the kernel without saves."""
    if ours.failure:
        ours.violations.append(ours.failure)
    said = {each.probe for each in ours.drives} | {each.probe for each in baseline.drives}
    if len(said) > 1:
        ours.violations.append(f"with saves the job left something else: {sorted(said)}")


# --------------------------------------------------------------------------------------------------------- the rows


def overhead(measured: Measured, baseline: Measured) -> str:
    """`dill 12.3 %`: how much longer than the median of the baseline."""
    if not measured.drives or not baseline.drives:
        return f"{measured.what}: none ({measured.failure})"
    ours, beside = (statistics.median(each.seconds for each in which.drives) for which in (measured, baseline))
    return f"{measured.what} {100 * (ours / beside - 1):.1f} %"


def waited(measured: Measured, think: float) -> str:
    """`dill 1.23 s`: for how long, of the whole job, neither a cell ran nor the model thought.

    The machine's noise, most of which is in the cells, is not in it; nor is what a save slows the next cell down by.
    """
    if not measured.drives:
        return f"{measured.what}: none"
    seconds = statistics.median(each.seconds - sum(each.cells) - think * len(each.cells) for each in measured.drives)
    return f"{measured.what} {seconds:.2f} s"


def job_row(found: Sequence[Measured], bytes_: int, think: float, goal: Goal) -> Row:
    """A job's seconds, saves included."""
    ours, baseline, *others = found
    thinking = f"{think:g} s of model time a turn" if think else "no model time"
    state = max((kept.bytes for each in ours.drives for kept in each.kept), default=0)
    what = f"six cells on a CSV of {size(bytes_)} ({sales.rows_of(bytes_):,} rows), {thinking}"
    return Row(
        "state",
        what,
        ours.seconds,
        goal=goal,
        beside=tuple(each.beside(each.seconds) for each in (baseline, *others)),
        violations=tuple(ours.violations),
        notes=(
            f"{what}: the state has {size(state)}; overhead: "
            + ", ".join(overhead(each, baseline) for each in (ours, *others))
            + "; of the time, waiting for saves outside of cells: "
            + ", ".join(waited(each, think) for each in (ours, *others)),
        ),
        details={each.what: _details(each) for each in found},
    )


def _details(measured: Measured) -> dict[str, object]:
    return {
        "cells": [each.cells for each in measured.drives],
        "saves": [[kept.seconds for kept in each.kept] for each in measured.drives],
        "pauses": [[kept.pause for kept in each.kept] for each in measured.drives],
        "bytes": [[kept.bytes for kept in each.kept] for each in measured.drives],
        "restores": measured.restores,
        "first uses after a restore": measured.first_uses,
        "failure": measured.failure,
    }


def restore_row(found: Sequence[Measured], bytes_: int) -> Row:
    """A restore against the running of the cells, and against the others' restores."""
    ours, baseline, *others = found
    again = Beside(
        "running the cells again", Sample.of(sum(each.cells) for each in baseline.drives) if baseline.drives else None
    )
    first = f"{statistics.median(ours.first_uses):.2f} s" if ours.first_uses else "-"
    return Row(
        "state",
        f"restore in a new kernel, hot, of that state ({size(bytes_)} of CSV)",
        Sample.of(ours.restores) if ours.restores else None,
        goal=Goal(ratio=0.08),
        beside=(again, *(each.beside(Sample.of(each.restores) if each.restores else None) for each in others)),
        violations=tuple(ours.violations),
        notes=(f"restore: the first use of the variables after ours took {first} more",),
    )


def pause_row(found: Sequence[Measured], bytes_: int, goal: Goal) -> Row:
    """The pauses of all saves of these jobs."""
    kept = [kept for measured in found for each in measured.drives for kept in each.kept]
    state = size(max((each.bytes for each in kept), default=0))
    return Row(
        "state",
        f"pause of the kernel at a save, state of {state} ({size(bytes_)} of CSV)",
        Sample.of(each.pause for each in kept) if kept else None,
        goal=goal,
    )


def small_variables_row(found: Sequence[Measured]) -> Row:
    """From a cell's end until its state is durable; where the save is part of the cell, what that takes longer."""
    ours, baseline, *others = found
    plain = statistics.median(baseline.drives[0].cells[1:]) if baseline.drives else 0.0

    def each_cell(measured: Measured) -> Sample | None:
        if not measured.drives:
            return None
        [only] = measured.drives
        inside = not any(kept.seconds for kept in only.kept)
        return Sample.of(
            cell - plain if inside else kept.seconds for cell, kept in zip(only.cells[1:], only.kept[1:], strict=True)
        )

    return Row(
        "state",
        "1,000 small variables: end of a cell to the durable state",
        each_cell(ours),
        goal=Goal(median=0.025),
        beside=tuple(each.beside(each_cell(each)) for each in others),
        violations=(ours.failure,) if ours.failure else (),
    )


def wrong_row(bench: Bench) -> Row:
    """Namespaces that come back silently wrong."""
    judged, ours, said = bench.judged(Outlast.what, cases.OURS, bench.kernel_python)
    beside = [
        bench.judged(keeper.what, package, bench.peers_python)
        for keeper, package in ((dill(), cases.DILL), (cloudpickle(), cases.CLOUDPICKLE))
    ]
    wrong = [f"{each.name}: {each.why}" for each in judged if each.verdict is cases.Verdict.WRONG]
    return Row(
        "state",
        f"{len(judged)} namespaces: silently wrong after a restore",
        ours.sample,
        unit="count",
        goal=Goal(worst=0),
        beside=tuple(each for _, each, _ in beside),
        violations=tuple(wrong),
        notes=(said, *(each for _, _, each in beside)),
        details={
            what: [(each.name, str(each.verdict), each.why) for each in which]
            for what, which in (("Outlast", judged), *((each.what, which) for which, each, _ in beside))
        },
    )
