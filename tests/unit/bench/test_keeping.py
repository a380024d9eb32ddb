"""What the figures of the state are made of: the data, the drive of a job, the verdict on a namespace, the rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import state
from bench.keeping import cases, peers, sales
from bench.keeping.drive import Drive, drive
from bench.keeping.keepers import Keeper, Kept, Kishu, Nobody
from bench.keeping.kernels import Failed
from bench.sample import Goal
from bench.state import Measured
from outlast.errors import KernelDied
from tests.unit.state.namespaces.cases import Case

# --------------------------------------------------------------------------------------------------------- the data


def test_the_same_seed_makes_the_same_file_of_the_size_asked_for(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        assert sales.write(tmp_path / name, 1_000_000, seed) == sales.rows_of(1_000_000)
    one, again, other = ((tmp_path / name).read_bytes() for name in ("one", "again", "other"))
    assert one == again != other and len(one) == len(other) and 999_900 < len(one) <= 1_000_000


def test_a_file_of_1_5_gb_has_28_million_rows() -> None:
    assert round(sales.rows_of(1_500_000_000) / 1e6) == 28


def test_some_values_are_missing_and_some_are_no_numbers(tmp_path: Path) -> None:
    sales.write(tmp_path / "sales.csv", 2_000_000, 1)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "sales.csv").read_text())))
    assert set(rows[0]) == {"date", "product", "region", "sales"}
    missing = sum(row["region"] == "NULL" or row["sales"] == "1.#QNAN" for row in rows) / len(rows)
    unknown = sum(row["sales"] == "unknown" for row in rows) / len(rows)
    assert 0.008 < missing < 0.012 and 0.002 < unknown < 0.004
    sound = [row for row in rows if row["sales"][0].isdigit() and row["sales"][1] != "."]
    assert all(1000 <= float(row["sales"]) < 10_000 and len(row["product"]) == 29 for row in sound)
    assert len({row["product"] for row in rows}) > 0.99 * len(rows)


def test_the_cells_of_the_job_are_sound() -> None:
    for code in (*sales.CELLS, sales.PROBE, state.VARIABLES):
        compile(code, "cell", "exec")
    names: dict[str, Any] = {}
    exec(state.VARIABLES, names)
    assert len(names.keys() - {"__builtins__"}) == 1000


# -------------------------------------------------------------------------------------------------------- the drive


class Script:
    """A kernel that notes what it is asked for, and a keeper that does."""

    what = "scripted"

    def __init__(self, fails_at: str = "") -> None:
        self.did: list[str] = []
        self._fails_at = fails_at

    def run(self, code: str, cell: int = 1) -> str:
        self.did.append(code)
        if code == self._fails_at:
            raise KernelDied("memory ran out")
        return f"{code} said"

    def prepare(self, session: Any) -> None:
        self.did.append("prepare")

    def begin(self, session: Any, cell: int, output: str) -> Callable[[], Kept]:
        self.did.append(f"begin {cell} after {output}")

        def finish() -> Kept:
            self.did.append(f"finish {cell}")
            return Kept(0.5, 0.1, 7)

        return finish

    def restore(self, session: Any) -> None:
        self.did.append("restore")


def run(script: Script, think: float = 0) -> Drive:
    session: Any = script
    keeper: Keeper = script
    return drive(session, keeper, ["a", "b"], "probe", think=think, say=lambda text: None)


def test_each_cell_waits_for_the_save_of_the_one_before() -> None:
    script = Script()
    driven = run(script)
    assert script.did == [
        "prepare", "a", "begin 1 after a said", "finish 1", "b", "begin 2 after b said", "finish 2", "probe",
    ]  # fmt: skip
    assert (len(driven.cells), driven.kept, driven.probe) == (2, (Kept(0.5, 0.1, 7),) * 2, "probe said")


def test_the_model_thinks_between_the_start_and_the_end_of_a_save(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    monkeypatch.setattr("time.sleep", lambda seconds: script.did.append(f"think {seconds:g}"))
    run(script, think=4)
    assert script.did[2:5] == ["begin 1 after a said", "think 4", "finish 1"]


def test_a_kernel_that_dies_ends_the_drive_with_the_cause() -> None:
    with pytest.raises(Failed, match="memory ran out"):
        run(Script(fails_at="b"))


def test_kishu_has_failed_when_its_hook_has() -> None:
    session: Any = SimpleNamespace()
    with pytest.raises(Failed, match="cell 2: ValueError: no"):
        Kishu().begin(session, 2, "x\nError in callback <post_run_cell>\nValueError: no\n")


def test_nobody_keeps_nothing() -> None:
    session: Any = None
    assert Nobody().begin(session, 1, "")() == Kept()
    with pytest.raises(Failed):
        Nobody().restore(session)


def test_the_peers_are_locked_and_what_cannot_be_installed_is_said_in_one_line(tmp_path: Path) -> None:
    assert all(peers.locked(name) for name in ("dill", "cloudpickle", "kishu"))
    with pytest.raises(LookupError):
        peers.locked("nothing")
    with pytest.raises(peers.NotInstalled) as failure:
        peers.install(tmp_path / "no-python", tmp_path / "place")
    assert "\n" not in str(failure.value)


# ------------------------------------------------------------------------------------------------------ the verdict

CASE = Case("a case", ("x",), "after", {"generator": "generator"}, {"either": ("why", "probe")})


def outcome(printed: str = "fine\n", error: str = "") -> dict[str, str]:
    return {"printed": printed, "error": error}


def judge(
    missing: dict[str, str], *after: dict[str, str], present: set[str] | None = None, error: str = ""
) -> cases.Judged:
    restored = {"missing": missing, "error": error}
    return cases.judge(CASE, ["fine\n", "whole\n"], restored, after, present or set())


WHOLE = (outcome(), outcome("whole\n"))


def test_a_namespace_that_says_the_same_is_equal() -> None:
    assert judge({}, *WHOLE, present={"generator"}).verdict is cases.Verdict.EQUAL


def test_what_is_missing_and_named_is_reported() -> None:
    assert judge({"generator": "why"}, *WHOLE).verdict is cases.Verdict.REPORTED
    assert judge({"generator": "why", "either": "why"}, outcome(), outcome("")).verdict is cases.Verdict.REPORTED


def test_what_needs_a_name_that_is_missing_and_named_is_reported() -> None:
    needs = outcome("", "Traceback …\nNameError: name 'other' is not defined")
    assert judge({"generator": "why", "other": "why"}, needs, outcome("whole\n")).verdict is cases.Verdict.REPORTED
    assert judge({"generator": "why"}, needs, outcome("whole\n")).verdict is cases.Verdict.WRONG


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ((outcome("other\n"), outcome("whole\n")), "'other\\n' for 'fine\\n'"),
        ((outcome(), outcome("")), "'' for 'whole\\n'"),
        ((outcome("", "Traceback …\nTypeError: no"), outcome("whole\n")), "TypeError: no"),
    ],
)
def test_what_says_something_else_without_a_word_is_silently_wrong(after: tuple[dict[str, str], ...], why: str) -> None:
    assert judge({"generator": "why"}, *after) == cases.Judged("a case", cases.Verdict.WRONG, why)


def test_what_is_gone_without_a_word_is_silently_wrong() -> None:
    judged = judge({}, *WHOLE)
    assert judged.verdict is cases.Verdict.WRONG and judged.why == "gone without a word: generator"


def test_an_error_instead_of_a_restore_is_no_silence() -> None:
    assert judge({}, error="PicklingError: no").verdict is cases.Verdict.LOST


@pytest.mark.parametrize("package", [cases.OURS, cases.CLOUDPICKLE], ids=lambda package: package.name)
def test_the_judge_takes_any_system_behind_the_same_interface(
    kernel_python: Path, tmp_path: Path, package: Path
) -> None:
    said: list[str] = []
    case = Case("a list", ("x = [1]\ny = x",), "x.append(2)\nprint(y)")
    judged, counts = cases.judge_all(package, kernel_python, tmp_path, [((), case)], said.append)
    assert judged == [cases.Judged("a list", cases.Verdict.EQUAL)] and counts == {cases.Verdict.EQUAL: 1}
    assert cases.kernels.PACKAGE == cases.OURS


# --------------------------------------------------------------------------------------------------------- the rows


def measured(what: str, *seconds: float, cells: tuple[float, ...] = (1.0, 2.0), kept: Kept | None = None) -> Measured:
    drives = [Drive(each, cells, (kept or Kept(0.2, 0.05, 2_000_000_000),) * len(cells), "said") for each in seconds]
    return Measured(what, drives)


FOUND = [
    measured("Outlast", 10.4, 10.5, 10.2),
    measured("none", 10.0, 10.1, 9.9, kept=Kept()),
    measured("dill", 15.0),
    Measured("Kishu", failure="failed: too slow"),
]


def test_the_overhead_is_that_of_the_medians_over_the_same_cells_without_saves() -> None:
    row = state.job_row(FOUND, 1_500_000_000, 4.0, Goal(ratio=1.05))
    assert row.reached is True and row.beside[0].what == "none"
    assert "Outlast 4.0 %, dill 50.0 %, Kishu: none (failed: too slow)" in row.notes[0]
    assert "the state has 2.0 GB" in row.notes[0] and "28 million" not in row.what and "27,777,777 rows" in row.what
    hurried = state.job_row(FOUND, 1_500_000_000, 2.0, Goal())
    # 10.4 s, of which cells took 3 s and the thinking 4 s.
    assert "waiting for saves outside of cells: Outlast 3.40 s, dill 8.00 s, Kishu: none" in hurried.notes[0]
    assert (row.beside[2].sample, row.beside[2].source) == (None, "failed: too slow")


def test_a_restore_is_held_against_the_cells_and_a_missing_one_is_said() -> None:
    ours = measured("Outlast", 10.0)
    ours.restores, ours.first_uses = [0.2, 0.3], [0.1, 0.1]
    row = state.restore_row([ours, *FOUND[1:]], 50_000_000)
    assert row.beside[0].sample is not None and row.beside[0].sample.median == 3.0
    assert row.ours is not None and row.ours.median == 0.25 and row.reached is False
    assert [each.sample for each in row.beside[1:]] == [None, None]


def test_the_pauses_are_those_of_every_save() -> None:
    row = state.pause_row([FOUND[0]], 1_500_000_000, Goal(median=0.15))
    assert row.ours is not None and row.ours.values == (0.05,) * 6 and row.reached is True


def test_a_save_within_the_cell_is_what_the_cell_takes_longer() -> None:
    found = [
        measured("Outlast", 1.0, cells=(9.0, 0.01, 0.01), kept=Kept(0.02, 0.001, 5)),
        measured("none", 1.0, cells=(9.0, 0.01, 0.01), kept=Kept()),
        measured("Kishu", 1.0, cells=(9.0, 0.31, 0.41), kept=Kept(bytes=7)),
    ]
    row = state.small_variables_row(found)
    assert row.ours is not None and row.ours.values == (0.02, 0.02) and row.reached is True
    assert row.beside[0].sample is not None and row.beside[0].sample.values == pytest.approx((0.3, 0.4))


def test_a_job_that_leaves_something_else_with_saves_than_without_is_a_violation() -> None:
    ours, baseline = measured("Outlast", 1.0), measured("none", 1.0)
    state._compare(ours, baseline)
    assert ours.violations == []
    baseline.drives.append(Drive(1.0, (), (), "something else"))
    state._compare(ours, baseline)
    assert len(ours.violations) == 1 and state.job_row([ours, baseline], 1, 0, Goal()).reached is False
