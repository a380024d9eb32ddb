"""How many namespaces come back silently wrong: the tables of tests/unit/state, for Outlast and for others.

A case is a namespace and code that finds out whether it is whole (tests/unit/state/namespaces/cases.py). Each system
saves it in one process and restores it in another, behind one interface: that of `outlast.kernel.state`.
"""

from __future__ import annotations

import ast
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.unit.state import kernels
from tests.unit.state.namespaces.cases import Case

HERE = Path(__file__).parent
#: What stands for each system: a package with `save` and `restore`.
OURS, DILL, CLOUDPICKLE = kernels.PACKAGE, HERE / "of_dill", HERE / "of_cloudpickle"
#: Seconds that what a kernel leaves behind may go on.
_PATIENCE = 5.0

Outcome = Mapping[str, Any]


class Verdict(StrEnum):
    """What became of a namespace."""

    EQUAL = "equal"
    #: Something is missing, and was named.
    REPORTED = "missing and reported"
    #: An error instead of any variable.
    LOST = "lost, with an error"
    #: Something is gone or is something else, and nothing said so.
    WRONG = "silently wrong"


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on a case, and what was wrong, if so."""

    name: str
    verdict: Verdict
    why: str = ""


@contextmanager
def nurseries(
    package: Path, python: Path, modules: tuple[str, ...]
) -> Iterator[tuple[kernels.Nursery, kernels.Nursery]]:
    """Two processes that make kernels with this package in the place of ours."""
    usual = kernels.PACKAGE
    kernels.PACKAGE = package
    try:
        pair = kernels.Nursery(python, modules), kernels.Nursery(python, modules)
    finally:
        kernels.PACKAGE = usual
    for nursery in pair:
        nursery.start()
    try:
        yield pair
    finally:
        for nursery in pair:
            nursery.stop()
            # What its kernels said; its owner usually lives as long as the process.
            nursery._said.close()


def judge_all(
    package: Path,
    python: Path,
    place: Path,
    which: Sequence[tuple[tuple[str, ...], Case]],
    say: Callable[[str], None],
) -> tuple[list[Judged], Counter[Verdict]]:
    """The verdict on each case; with each stand the modules that its kernels have imported before."""
    judged: list[Judged] = []
    by_modules: dict[tuple[str, ...], list[Case]] = {}
    for modules, case in which:
        by_modules.setdefault(modules, []).append(case)
    for modules, cases in by_modules.items():
        with nurseries(package, python, modules) as pair:
            for case in cases:
                directory = place / str(len(judged))
                directory.mkdir(parents=True)
                judged.append(_judged(case, kernels.Kernels(python, directory, pair)))
                if len(judged) % 50 == 0:
                    say(f"{package.name}: {len(judged)} namespaces, {_counts(judged)}")
    return judged, Counter(each.verdict for each in judged)


def _counts(judged: Sequence[Judged]) -> str:
    return ", ".join(f"{number} {verdict}" for verdict, number in Counter(each.verdict for each in judged).items())


def _judged(case: Case, at: kernels.Kernels) -> Judged:
    """Save in one kernel, restore in another; a kernel that dies or hangs has lost the case."""
    shell = [["shell"]] if case.shell else []
    cells = [*shell, *(["cell", code] for code in case.cells)]
    probes = [["cell", case.after], *(["cell", _if_there(name, probe)] for name, (_, probe) in case.either.items())]
    there = ["cell", f"print([name for name in {sorted(case.missing)} if name in globals()])"]
    try:
        expected = [str(outcome["printed"]) for outcome in at.run(*cells, *probes)[len(cells) :]]
        at.put_work_back()
        kept = at.directory / "kept"
        save = ["save", str(at.checkpoints), 1]
        outcomes = at.run(*cells, save, ["copy", str(at.work), str(kept)], *probes)
        saved, disturbed = outcomes[len(cells)], outcomes[len(cells) + 2 :]
        if saved["error"]:
            return Judged(case.name, Verdict.LOST, str(saved["error"]))
        at.put_work_back(kept)
        restored, *after, absent = at.run_elsewhere(*shell, ["restore", at.path(saved["manifest"])], *probes, there)[
            len(shell) :
        ]
    except AssertionError as died:
        return Judged(case.name, Verdict.LOST, str(died))
    if [outcome["printed"] for outcome in disturbed] != expected:
        return Judged(case.name, Verdict.WRONG, "the save changed the kernel")
    present = set(case.missing) & _names(absent)
    return judge(case, expected, restored, after, present)


def judge(
    case: Case, expected: Sequence[str], restored: Outcome, after: Sequence[Outcome], present: set[str]
) -> Judged:
    """`expected` and `after`: what the case's own code and then that of each of `either` said, without and with a save.
    `present`: which of the names that cannot be saved are there."""
    if restored["error"]:
        return Judged(case.name, Verdict.LOST, str(restored["error"]))
    missing = restored["missing"]
    for name, outcome, text in zip(["", *case.either], after, expected, strict=True):
        if name in missing:
            continue
        if outcome["error"] or outcome["printed"] != text:
            said = (outcome["error"].strip().splitlines() or [f"{outcome['printed']!r:.100} for {text!r:.100}"])[-1]
            # What it needed may be missing, and then it was said.
            if not any(f"name {gone!r} is not defined" in said for gone in missing):
                return Judged(case.name, Verdict.WRONG, said)
    gone = sorted(set(case.missing) - present - set(missing))
    if gone:
        return Judged(case.name, Verdict.WRONG, f"gone without a word: {', '.join(gone)}")
    return Judged(case.name, Verdict.REPORTED if missing else Verdict.EQUAL)


def _names(absent: Outcome) -> set[str]:
    try:
        return set(ast.literal_eval(absent["printed"].strip()))
    except (ValueError, SyntaxError):
        return set()


def _if_there(name: str, code: str) -> str:
    return f"if {name!r} in globals():\n{textwrap.indent(code, '    ')}"
