"""`outlast drill`, which is the host's `make drill`."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlast.cli.main import main


def test_where_there_is_no_stack_it_says_so_and_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["drill", "--jobs", "2", "--output", "out"]) == 1
    assert capsys.readouterr().err == f"There is no compose.yaml in {tmp_path}: work in Outlast's directory.\n"
    assert not list(tmp_path.iterdir())


def test_its_help_has_what_make_drill_has(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["drill", "--help"])
    said = capsys.readouterr().out
    assert all(word in said for word in ("--jobs", "--kills", "--seed", "--share", "--output", "make drill"))
