"""Every file of a checkpoint that is not as it was written is noticed, and the checkpoint before it is still good."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.state.counting import CELL, LOOK, found, whole
from tests.unit.state.kernels import Kernels


class Checkpoints:
    """Those of two cells; `files` are the second one's alone: its manifest first, then its objects."""

    def __init__(self, kernels: Kernels) -> None:
        save = ["save", str(kernels.checkpoints)]
        # Nothing large is shared, or damage to it would be damage to both.
        cells = [["cell", f"keep = bytearray(b'k')\n{CELL.format(k=k)}"] for k in (1, 2)]
        _, first, _, second = kernels.run(cells[0], [*save, 1], cells[1], [*save, 2])
        self.kernels, self.first, self.second = kernels, first["manifest"], second["manifest"]
        objects = kernels.checkpoints / "objects"
        named = [kernels.manifest(name)["objects"] for name in (self.first, self.second)]
        assert len(named[1]) >= 2 and not named[0].keys() & named[1].keys()
        self.files = [Path(kernels.path(self.second)), *(objects / name for name in named[1])]
        self.files_before = [Path(kernels.path(self.first)), *(objects / name for name in named[0])]

    def assert_noticed(self, name: str = "") -> None:
        """Nothing of the second (or what lies at `name`) is restored, and the first comes back in the same process."""
        mine = "kept = k = ['mine']; before = dict(globals())"
        same = "print(before == {name: value for name, value in globals().items() if name != 'before'}, k is kept)"
        _, damaged, unchanged, earlier, look = self.kernels.run_elsewhere(
            ["cell", mine],
            ["restore", self.kernels.path(name or self.second)],
            ["cell", same],
            ["restore", self.kernels.path(self.first)],
            ["cell", LOOK],
        )
        assert damaged["error"].startswith("The state was not restored: ")
        assert (damaged["restored"], unchanged["printed"]) == ([], "True True\n")
        assert (earlier["error"], earlier["missing"]) == ("", {})
        assert found(look) | {"keep": False} == whole(1)


@pytest.fixture
def checkpoints(warm_kernels: Callable[..., Kernels]) -> Checkpoints:
    return Checkpoints(warm_kernels("numpy"))


def _mended(path: Path) -> Iterator[bytes]:
    """The content, for damage; afterwards the file is whole again."""
    content = path.read_bytes()
    yield content
    path.write_bytes(content)


def test_a_flipped_bit_in_any_file(checkpoints: Checkpoints, request: pytest.FixtureRequest) -> None:
    seed = f"{request.config.getoption('randomly_seed', 0)}"
    print(f"the bits are those of random.Random({seed!r})")
    chance = random.Random(seed)
    for path in checkpoints.files:
        for content in _mended(path):
            for place in (0, len(content) - 1, *(chance.randrange(len(content)) for _ in range(6))):
                damaged = bytearray(content)
                damaged[place] ^= 1 << chance.randrange(8)
                path.write_bytes(damaged)
                checkpoints.assert_noticed()


def test_a_file_cut_short_or_grown(checkpoints: Checkpoints) -> None:
    for path in checkpoints.files:
        for content in _mended(path):
            for size in (0, 1, len(content) // 2, len(content) - 1, len(content) + 1):
                path.write_bytes(content)
                os.truncate(path, size)
                checkpoints.assert_noticed()


def test_a_file_that_is_gone_or_is_none(checkpoints: Checkpoints) -> None:
    for path in checkpoints.files:
        for content in _mended(path):
            path.unlink()
            checkpoints.assert_noticed()
            path.mkdir()
            checkpoints.assert_noticed()
            path.rmdir()
            os.mkfifo(path)
            checkpoints.assert_noticed()
            path.unlink()
            path.symlink_to(checkpoints.files_before[0])
            checkpoints.assert_noticed()
            path.unlink()
            assert content


def test_two_objects_exchanged(checkpoints: Checkpoints) -> None:
    first, second, *_ = checkpoints.files[1:]
    for one, other in ((first, second), (first, checkpoints.files_before[1]), (second, checkpoints.files_before[2])):
        content, theirs = one.read_bytes(), other.read_bytes()
        one.write_bytes(theirs)
        checkpoints.assert_noticed()
        one.write_bytes(content)


def test_the_manifest_of_another_cell(checkpoints: Checkpoints) -> None:
    manifest, other = checkpoints.files[0], checkpoints.files_before[0]
    for _ in _mended(manifest):
        shutil.copy(other, manifest)
        checkpoints.assert_noticed()
    renamed = f"2-{other.name.partition('-')[2]}"
    shutil.copy(other, other.with_name(renamed))
    checkpoints.assert_noticed(renamed)


def test_undamaged_it_comes_back(checkpoints: Checkpoints) -> None:
    """Or the tests beside this would find out nothing."""
    restored, look = checkpoints.kernels.restore(checkpoints.second, LOOK)
    assert restored["error"] == ""
    assert found(look) | {"keep": False} == whole(2)
