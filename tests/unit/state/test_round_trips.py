"""What a restored kernel holds behaves as in a kernel whose state was never saved, or is named as missing."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable

import pytest

from tests.unit.state.kernels import Kernels
from tests.unit.state.namespaces import CASES, Case


def test_the_cases_are_not_fewer_than_they_were() -> None:
    names = [case.name for _, case in CASES]
    assert len(names) == len(set(names)) >= 240


@pytest.mark.parametrize(("modules", "case"), CASES, ids=[case.name for _, case in CASES])
def test_a_namespace_comes_back_whole_or_what_it_lacks_is_named(
    warm_kernels: Callable[..., Kernels],
    modules: tuple[str, ...],
    case: Case,
    record_property: Callable[[str, object], None],
) -> None:
    kernels = warm_kernels(*modules)
    shell = [["shell"]] if case.shell else []
    cells = [*shell, *(["cell", code] for code in case.cells)]
    probes = [["cell", case.after], *(["cell", _if_there(name, probe)] for name, (_, probe) in case.either.items())]

    undisturbed = kernels.run(*cells, *probes)
    assert [outcome.get("error", "") for outcome in undisturbed] == [""] * len(undisturbed)
    expected = [outcome["printed"] for outcome in undisturbed[len(cells) :]]
    assert all(expected), "a probe that prints nothing finds nothing out"

    kernels.put_work_back()
    kept = kernels.directory / "kept"
    save = ["save", str(kernels.checkpoints), 1]
    _, saved, _, *disturbed = kernels.run(*cells, save, ["copy", str(kernels.work), str(kept)], *probes)[
        len(cells) - 1 :
    ]
    assert (saved["error"], saved["printed"]) == ("", "")
    assert [outcome["printed"] for outcome in disturbed] == expected, "the save disturbed the kernel"

    kernels.put_work_back(kept)
    there = ["cell", f"print([name for name in {sorted(case.missing)} if name in globals()])"]
    restored, *after, absent = kernels.run_elsewhere(
        *shell, ["restore", kernels.path(saved["manifest"])], *probes, there
    )[len(shell) :]
    assert (restored["error"], restored["printed"]) == ("", "")
    missing = restored["missing"]
    assert missing.items() >= saved["missing"].items()
    assert saved["missing"].keys() >= case.missing.keys()
    for name, why in missing.items():
        pattern = case.missing.get(name) or case.either.get(name, ("no name that may be missing", ""))[0]
        assert re.search(pattern, why), f"{name}: {why}"
    assert not missing.keys() & set(restored["restored"])
    assert absent["printed"] == "[]\n"
    names = ["", *case.either]
    for name, outcome, text in zip(names, after, expected, strict=True):
        assert outcome["error"] == ""
        assert outcome["printed"] == ("" if name in missing else text), name
    record_property("verdict", "missing and reported" if missing else "equal")


def _if_there(name: str, code: str) -> str:
    return f"if {name!r} in globals():\n{textwrap.indent(code, '    ')}"
