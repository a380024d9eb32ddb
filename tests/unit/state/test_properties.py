"""Any graph of objects comes back with the same shape, kernel after kernel, and goes on in the same way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.unit.state.kernels import Kernels
from tests.unit.state.namespaces import LIBRARIES
from tests.unit.state.programs import NAMES, Program, programs
from tests.unit.state.vocabularies import FRAMES, GRAPHS, Vocabulary

_describe = ["describe", *NAMES]
#: Vocabulary, modules that a kernel for it has imported before, examples.
PARTS: list[tuple[Vocabulary, tuple[str, ...], int]] = [*[(GRAPHS, ("numpy",), 12)] * 4, *[(FRAMES, LIBRARIES, 8)] * 2]


@pytest.mark.parametrize("part", range(len(PARTS)), ids=lambda part: f"{PARTS[part][0].name} {part + 1}")
def test_a_graph_of_objects_keeps_its_shape_over_three_generations_of_kernels(
    warm_kernels: Callable[..., Kernels], request: pytest.FixtureRequest, part: int
) -> None:
    vocabulary, modules, examples = PARTS[part]
    number = int(request.config.getoption("randomly_seed", 0)) + part
    print(f"the programs are those of seed {number}")

    @seed(number)
    @settings(
        max_examples=examples,
        database=None,
        # To find a smaller one takes minutes; who looks into a failure adds `Phase.shrink`.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(programs(vocabulary))
    def keeps_its_shape(program: Program) -> None:
        _assert_shape_is_kept(warm_kernels(*modules), vocabulary, program)

    keeps_its_shape()


def _assert_shape_is_kept(kernels: Kernels, vocabulary: Vocabulary, program: Program) -> None:
    before = [["cell", vocabulary.preamble], ["cell", program.before]]
    after = [["cell", program.after], _describe]
    save = ["save", str(kernels.checkpoints)]

    undisturbed = kernels.run(*before, _describe, *after)
    shape, later_shape = undisturbed[2]["shape"], undisturbed[4]["shape"]
    assert "Traceback" not in undisturbed[0]["error"] + undisturbed[1]["error"]

    *_, first, disturbed, saved, _, later_disturbed = kernels.run(*before, [*save, 1], _describe, [*save, 2], *after)
    assert (first["error"], first["missing"], saved["error"], saved["missing"]) == ("", {}, "", {})
    assert (disturbed["shape"], later_disturbed["shape"]) == (shape, later_shape)

    for cell, run in ((3, kernels.run_elsewhere), (4, kernels.run)):
        restored, found, saved = run(["restore", kernels.path(saved["manifest"])], _describe, [*save, cell])
        assert (restored["error"], restored["missing"]) == ("", {})
        assert found["shape"] == shape
        assert (saved["error"], saved["missing"]) == ("", {})

    restored, found, _, later = kernels.run_elsewhere(["restore", kernels.path(saved["manifest"])], _describe, *after)
    assert (restored["error"], found["shape"]) == ("", shape)
    assert later["shape"] == later_shape
