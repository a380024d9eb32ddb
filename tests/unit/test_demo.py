"""The demo's parts that need no process: its data, its script, its moment to kill, its words."""

from __future__ import annotations

import ast
import csv
import io
import re
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from demo.demo import main
from demo.generate import NOT_NUMBERS, generate, parse_size
from demo.killing import KillPoint
from demo.performance import Told, _tell
from demo.telling import Teller
from outlast.cli.history import History
from tests.unit.cli.sample import killed_session

SCRIPT = Path(__file__).parents[2] / "demo/script.yaml"


def test_the_data_is_the_same_every_time_and_no_larger_than_asked(tmp_path: Path) -> None:
    for name in "ab":
        rows = generate(tmp_path / name, 3_000_000)
    made = (tmp_path / "a").read_bytes()
    assert made == (tmp_path / "b").read_bytes() and made.endswith(b"\n")
    assert 2_999_900 < len(made) <= 3_000_000 and made.count(b"\n") == rows + 1


def test_one_row_in_a_hundred_has_a_blank_and_some_sales_are_no_numbers(tmp_path: Path) -> None:
    rows = generate(tmp_path / "data.csv", 5_000_000)
    with (tmp_path / "data.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file))[1:]
    assert len(lines) == rows and {len(line) for line in lines} == {4}
    blank = sum("" in line for line in lines)
    odd = sum(line[3] in {text.strip('"') for text in NOT_NUMBERS} for line in lines)
    assert 0.008 < blank / rows < 0.012 and 0.001 < odd / rows < 0.005


@pytest.mark.parametrize(("text", "size"), [("50M", 50_000_000), ("1.5G", 1_500_000_000), ("300kB", 300_000)])
def test_a_size_is_read_in_powers_of_ten(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-5M", "5 MiB", "big"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size(text)


def test_every_scripted_reply_but_the_last_holds_one_block_of_sound_python() -> None:
    *working, last = yaml.safe_load(SCRIPT.read_text(encoding="utf-8"))["replies"]
    assert len(working) == 5 and "```" not in last
    for reply in working:
        (code,) = re.findall(r"^```python\n(.*?)^```$", reply, re.DOTALL | re.MULTILINE)
        ast.parse(code)


def due(point: str) -> list[str]:
    past, moments = History("sales"), []
    for record in killed_session().read():
        past.add(record)
        if KillPoint.parse(point).due(past, record):
            moments.append(str(record.id))
    return moments


def test_a_kill_is_due_in_the_middle_of_a_reply_and_never_if_there_is_to_be_none() -> None:
    assert (due("reply:1"), due("reply:2"), due("none")) == (["1-1"], [], [])


def test_a_cell_is_in_its_middle_once_it_has_printed_and_goes_quiet() -> None:
    past = History("sales")
    for record in killed_session(finish=False).read():
        past.add(record)
    assert KillPoint.parse("cell:2").last_call(past)
    assert not KillPoint.parse("cell:1").last_call(past)


@pytest.mark.parametrize("point", ["cell:0", "cell", "reply:x", "soon"])
def test_an_unknown_kill_point_is_wrong_usage(point: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--kill", point])
    assert "is none of cell:N, reply:N, none" in capsys.readouterr().err


def test_a_kill_point_beyond_the_script_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kill", "cell:9"]) == 2
    assert capsys.readouterr().err == "demo: --kill cell:9: the script has only 5 of them.\n"


def test_without_a_terminal_it_tells_the_same_story_in_plain_lines() -> None:
    paper = io.StringIO()
    tell, told = Teller(Console(file=paper, width=100)), Told()
    for record in killed_session().read():
        told.log.append(record)
        told.past.add(record)
        if record.id.attempt == 2 and told.killed_at is None:
            told.killed_at = record.at - 1.5
        _tell(told, record, tell)
    said = paper.getvalue()
    for part in ("half of it", "1.50 s after the kill", "cell 1: completed, so not run again", "1 variable as of"):
        assert part in said
    assert "\x1b" not in said
