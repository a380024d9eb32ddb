"""What a restored kernel holds behaves as in the kernel that was saved."""

from __future__ import annotations

import pytest

from tests.unit.state.kernels import Kernels
from tests.unit.state.namespaces import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_restored_namespace_behaves_as_the_one_that_was_saved(kernels: Kernels, case: Case) -> None:
    cells = [["cell", code] for code in case.cells]
    *ran, saved, undisturbed = kernels.run(*cells, ["save", str(kernels.checkpoints), 1], ["cell", case.after])
    assert [outcome["error"] for outcome in ran] == [""] * len(ran)
    assert (saved["error"], saved["missing"], saved["printed"]) == ("", {}, "")
    assert undisturbed["error"] == ""

    restored, after = kernels.restore(saved["manifest"], case.after)

    assert (restored["error"], restored["missing"], restored["printed"]) == ("", {}, "")
    assert after["error"] == ""
    assert after["printed"] == undisturbed["printed"] != ""
