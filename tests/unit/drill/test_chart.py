"""The chart is drawn by the kernels' Python, whatever the kills came to."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from outlast.drill import chart
from outlast.drill.judge import KINDS
from outlast.drill.report import recovery
from outlast.drill.schedule import VICTIMS

SECONDS = (0.02, 0.4, None, 0.3, 12.0)


@pytest.mark.parametrize("times", [SECONDS, ()], ids=["a wide spread", "nothing held up"])
def test_a_chart_is_drawn(times: tuple[float | None, ...], kernel_python: Path) -> None:
    faults = [{"victim": victim, "went_on": each} for victim in VICTIMS for each in times]
    told = {"seed": 1, "jobs": 2, "kills": len(faults), **dict.fromkeys(KINDS, 0)}
    told |= {"faults": faults, "recovery": recovery(faults)}
    words = [kernel_python, chart.__file__]
    drawn = subprocess.run(words, input=json.dumps(told).encode(), capture_output=True, check=True)
    assert drawn.stdout.startswith(b"\x89PNG") and len(drawn.stdout) > 5000


def test_each_victim_has_a_colour_of_its_own() -> None:
    assert set(chart.COLOURS) == set(VICTIMS) and len(set(chart.COLOURS.values())) == len(VICTIMS)
