"""What a session takes is seen while a cell runs and between two cells, by a real thread on real files."""

from __future__ import annotations

import os
import queue
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from outlast.kernel import launch
from outlast.kernel.sandbox.identity import Identity
from outlast.kernel.usage import Use, used
from outlast.kernel.warden import Limits, Warden

MIB = 1024**2
#: The warden lets pass so much more than the limit, for what removing needs.
SLACK = 16 * MIB

Said = queue.SimpleQueue[tuple[str, int]]
Start = Callable[[Limits], Warden]


@pytest.fixture
def said() -> Said:
    return queue.SimpleQueue()


@pytest.fixture
def start(tmp_path: Path, said: Said) -> Iterator[Start]:
    started: list[Warden] = []

    def begin(limits: Limits) -> Warden:
        warden = Warden(str(tmp_path), None, limits, lambda *told: said.put(told), never)
        started.append(warden)
        warden.start()
        return warden

    yield begin
    for warden in started:
        warden.end()


def never() -> None:
    raise AssertionError("memory is not short here")


def write_until_told(directory: Path, said: Said) -> tuple[str, int]:
    """Write more and more: the first look at a span may come after the first file."""
    for number in range(10):
        (directory / f"large-{number}").write_bytes(b"x" * 2 * SLACK)
        with suppress(queue.Empty):
            return said.get(timeout=3)
    raise AssertionError("nothing was said")


def test_a_cell_that_writes_too_much_is_named(tmp_path: Path, start: Start, said: Said) -> None:
    start(Limits(disk=MIB, files=0, memory=0)).cell_begins()
    reason, span = write_until_told(tmp_path, said)
    assert "its files take" in reason and "and a session may have 1.0 MiB" in reason and span == 1


def test_what_is_left_running_is_named_between_cells(tmp_path: Path, start: Start, said: Said) -> None:
    warden = start(Limits(disk=MIB, files=0, memory=0, state=MIB))
    warden.cell_begins()
    warden.cell_ends()
    reason, span = write_until_told(tmp_path, said)
    assert "its files take" in reason and span == 2


def test_each_span_is_told_of_once(tmp_path: Path, start: Start, said: Said) -> None:
    warden = start(Limits(disk=MIB, files=0, memory=0))
    for span in (1, 3):
        warden.cell_begins()
        assert write_until_told(tmp_path, said)[1] == span
        warden.cell_ends()
        for file in tmp_path.iterdir():
            file.unlink()
    assert said.empty()


def test_whoever_runs_a_cell_goes_before_those_who_wait(tmp_path: Path) -> None:
    own = int(Path("/proc/self/oom_score_adj").read_text())
    with subprocess.Popen(["sleep", "100"]) as kernel:
        place = Path(f"/proc/{kernel.pid}/oom_score_adj")
        limits = Limits(disk=0, files=0, memory=1 << 50)
        warden = Warden(str(tmp_path), None, limits, lambda reason, span: None, never, kernel.pid)
        warden.cell_begins()
        assert int(place.read_text()) == min(999, own + launch.BUSY)
        warden.cell_ends()
        assert int(place.read_text()) == min(999, own + launch.READY)
        kernel.kill()


def test_a_session_over_its_limit_may_go_on_as_long_as_it_adds_nothing() -> None:
    limits = Limits(disk=MIB, files=10, memory=0, state=4 * SLACK)
    warden = Warden("/", None, limits, lambda reason, span: None, never)
    over = Use(bytes=SLACK, files=500)
    assert warden.judge(over, over, in_cell=True) == ""
    assert warden.judge(over, Use(bytes=2 * SLACK, files=600), in_cell=True) == ""
    assert "its files take" in warden.judge(over, Use(bytes=3 * SLACK, files=500), in_cell=True)
    assert "601 files" in warden.judge(over, Use(bytes=0, files=601), in_cell=True)
    # Between two cells the variables are saved.
    assert warden.judge(over, Use(bytes=5 * SLACK, files=500), in_cell=False) == ""
    assert "its files take" in warden.judge(over, Use(bytes=7 * SLACK, files=500), in_cell=False)
    assert "nested" in warden.judge(over, Use(hidden="nested"), in_cell=True, lost=2 * SLACK)


def test_terminals_are_counted(tmp_path: Path) -> None:
    warden = Warden("/", None, Limits(disk=0, files=0, memory=0, terminals=2), lambda reason, span: None, never)
    assert warden.judge(Use(), Use(terminals=2), in_cell=True) == ""
    assert "3 pseudo-terminals" in warden.judge(Use(), Use(terminals=3), in_cell=True)
    mine = Identity(os.getuid())

    def one_is_counted() -> bool:
        before = used(str(tmp_path), mine).terminals
        pair = os.openpty()
        try:
            during = used(str(tmp_path), mine).terminals
        finally:
            for descriptor in pair:
                os.close(descriptor)
        return (before, during - 1) == (used(str(tmp_path), mine).terminals, before)

    # Other processes of this user open and close some meanwhile.
    assert any(one_is_counted() for _ in range(100))


def test_deleted_files_and_holes_count_as_the_disk_counts_them(tmp_path: Path) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1024 * MIB)
    assert used(str(tmp_path), None).bytes < MIB and used(str(tmp_path), None).files == 1
