"""The directories of kernels' sockets: private, and none is left of those who are gone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from outlast.kernel.runtime import make_runtime


def test_a_new_directory_is_private_and_named_after_its_process(tmp_path: Path) -> None:
    made = make_runtime(tmp_path / "runtime")
    assert made.name.startswith(f"{os.getpid()}-")
    assert made.stat().st_mode & 0o777 == 0o700


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_uses_is_not(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, used, foreign = (tmp_path / name for name in (f"{gone.pid}-00000000", f"{os.getpid()}-00000000", "notes"))
    for directory in (left, used, foreign):
        directory.mkdir()
        (directory / "connection.json").touch()
    make_runtime(tmp_path)
    assert [directory.exists() for directory in (left, used, foreign)] == [False, True, True]


def test_a_parent_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(PermissionError):
        make_runtime(tmp_path / "link")
