"""Of the append-only files of a Redis that runs none is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlast.backup.append_only import opened
from outlast.errors import BackupError

BASE, INCREMENT, HISTORY = "file a.rdb seq 1 type b", "file a.aof seq 2 type i", "file old.aof seq 1 type h"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Redis's directory, with two files and no manifest."""
    (tmp_path / "appendonlydir").mkdir()
    for name in ("a.rdb", "a.aof"):
        (tmp_path / "appendonlydir" / name).write_text(name)
    return tmp_path


def name_them(data: Path, *lines: str) -> None:
    (data / "appendonlydir/appendonly.aof.manifest").write_text("".join(f"{line}\n" for line in lines))


def test_what_counts_is_opened_and_history_is_not(data: Path) -> None:
    name_them(data, "# a comment", BASE, HISTORY, INCREMENT)
    with opened(data) as files:
        assert files.manifest == f"{BASE}\n{INCREMENT}\n" and {*files.files} == {"a.rdb", "a.aof"}


@pytest.mark.parametrize("damaged", ["file a.aof seq 2 type\0i", "file a.aof", "", "file a.aof seq 2 type i more"])
def test_a_manifest_with_a_line_that_names_no_file_is_refused(data: Path, damaged: str) -> None:
    name_them(data, BASE, damaged)
    with pytest.raises(BackupError, match="manifest is damaged"), opened(data):
        raise AssertionError("it was opened")


@pytest.mark.parametrize("lines", [[], ["file gone.rdb seq 1 type b"]])
def test_files_that_are_not_there_are_not_passed_over(data: Path, lines: list[str]) -> None:
    if lines:
        name_them(data, *lines)
    with pytest.raises(BackupError, match="are not there"), opened(data):
        raise AssertionError("it was opened")
