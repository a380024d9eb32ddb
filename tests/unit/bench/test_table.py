"""What people and programs get to see."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from bench.figure import Beside, Row
from bench.sample import Goal, Sample
from bench.table import amount, as_json, goal_text, show, times

ROWS = [
    Row(
        "lines",
        "a thousand lines",
        Sample.of([11.0, 12.0]),
        goal=Goal(ratio=1.15),
        beside=(Beside("bare", Sample.of([10.0])), Beside("stock", None, "337 s once")),
        notes=("measured on a slow day",),
    ),
    Row("kills", "jobs", None, violations=("job-3: cell 2 ran 2 times",)),
]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.0123, "s", "12.3 ms"), (2.414, "s", "2.41 s"), (61.2, "s", "61.2 s"), (811.4, "s", "811 s"), (0, "count", "0")],
)
def test_an_amount_is_shown_in_the_unit_that_suits(value: float, unit: str, text: str) -> None:
    assert amount(value, unit) == text


def test_ratios_keep_three_digits_below_ten() -> None:
    assert [times(ratio) for ratio in (31.4, 1.0417, 0.00371)] == ["31x", "1.04x", "0.00371x"]


def test_a_goal_names_each_of_its_bounds() -> None:
    assert goal_text(Goal(median=3, worst=5), "s") == "median ≤ 3 s\nworst ≤ 5 s"
    assert goal_text(Goal(), "s") == ""


def test_the_table_shows_figures_notes_and_violations() -> None:
    console = Console(file=io.StringIO(), width=160, color_system=None)
    show(console, ROWS, 7)
    text = console.file.getvalue()  # type: ignore[attr-defined]  # the console was given a StringIO above
    for part in ("11.5 s", "12 s", "bare: 10 s", "not measured (337 s once)", "reached", "WRONG", "seed 7"):
        assert part in text
    assert "lines: measured on a slow day" in text
    assert "WRONG kills: job-3: cell 2 ran 2 times" in text


def test_json_holds_every_value_and_survives_the_way_there_and_back() -> None:
    data = json.loads(json.dumps(as_json(ROWS, 7)))
    lines, kills = data["figures"]
    assert lines["ours"] == {"median": 11.5, "worst": 12.0, "n": 2, "values": [11.0, 12.0]}
    assert lines["beside"][0]["ours_over_this"] == pytest.approx(1.15)
    assert lines["beside"][1]["sample"] is None and lines["reached"] is True
    assert kills["ours"] is None and kills["violations"] and kills["reached"] is False
