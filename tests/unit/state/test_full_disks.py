"""A disk that is full while a state is saved: an error, the checkpoint before is good, and the next save works."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dependencies import missing
from tests.unit.state.counting import CELL, LOOK, found, whole
from tests.unit.state.kernels import Kernels

_of_objects = ("object written", "object synced", "object renamed")
_of_the_manifest = ("manifest written", "manifest synced", "manifest renamed")


_full, _over_quota, _broken = errno.ENOSPC, errno.EDQUOT, errno.EIO
_words = {_full: "No space left on device", _over_quota: "Disk quota exceeded", _broken: "Input/output error"}


@pytest.mark.parametrize(
    ("number", "point", "time"),
    [
        *((_full, point, time) for point in _of_objects for time in (1, 2)),
        *((_full, point, 1) for point in _of_the_manifest),
        *((number, point, 1) for number in (_over_quota, _broken) for point in ("object written", "manifest written")),
    ],
)
def test_a_write_that_fails_at_any_point_costs_nothing(
    warm_kernels: Callable[..., Kernels], number: int, point: str, time: int
) -> None:
    kernels = warm_kernels("numpy")
    save = ["save", str(kernels.checkpoints)]
    cells = [["cell", CELL.format(k=k)] for k in (1, 2, 3)]
    _, first, _, _, failed, _, again = kernels.run(
        cells[0], [*save, 1], ["fail", point, number, time], cells[1], [*save, 2], cells[2], [*save, 3]
    )
    assert failed["error"] == f"The state was not saved: {_words[number]}."
    assert (failed["manifest"], failed["missing"]) == ("", {})
    assert (first["error"], again["error"], again["missing"]) == ("", "", {})
    for k, name in ((1, first["manifest"]), (3, again["manifest"])):
        restored, look = kernels.restore(name, LOOK)
        assert restored["error"] == ""
        assert found(look) == whole(k)
    manifests = {path.name for path in (kernels.checkpoints / "manifests").iterdir()}
    # One that was there already when the failure came is whole, and counts like any other.
    unanswered = manifests - {first["manifest"], again["manifest"]}
    assert len(unanswered) == (point == "manifest renamed")
    objects = {path.name for path in (kernels.checkpoints / "objects").iterdir()}
    assert objects == {name for manifest in manifests for name in kernels.manifest(manifest)["objects"]}


@pytest.fixture
def megabytes() -> int:
    """The size of `small_disk`."""
    return 1


@pytest.fixture
def small_disk(tmp_path: Path, megabytes: int) -> Iterator[tuple[str, ...]]:
    """One of so few megabytes on the directory `checkpoints`, for what runs with these words before it."""
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    made = f"mount -t tmpfs -o size={megabytes}m tmpfs '{checkpoints}' && echo ready && exec sleep 600"
    with subprocess.Popen([*alone, made], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as holder:
        assert holder.stdout is not None
        said = holder.stdout.readline().strip()
        if said != "ready":
            missing(f"this machine allows no mounts of one's own: {said}")
        inside = ("nsenter", "--preserve-credentials", "--user", "--mount", f"--target={holder.pid}")
        yield (*inside, f"--wd={tmp_path}")
        holder.kill()


def test_a_disk_of_one_megabyte(kernel_python: Path, tmp_path: Path, small_disk: tuple[str, ...]) -> None:
    kernels = Kernels(kernel_python, tmp_path, within=small_disk)
    save = ["save", str(kernels.checkpoints)]
    large, many = "big = np.arange(500_000)", "big = [f'text {i}' * 20 for i in range(20_000)]"
    _, first, _, _, *failed, _, last = kernels.run(
        ["cell", CELL.format(k=1)],
        [*save, 1],
        ["cell", CELL.format(k=2)],
        ["cell", large],
        [*save, 2],
        [*save, 3],
        ["cell", many],
        [*save, 4],
        ["cell", "del big"],
        [*save, 5],
    )
    assert [first["error"], last["error"], last["missing"]] == ["", "", {}]
    assert [save["error"] for save in failed if "manifest" in save] == [
        "The state was not saved: No space left on device."
    ] * 3
    for k, name in ((1, first["manifest"]), (2, last["manifest"])):
        restored, look = kernels.restore(name, LOOK)
        assert restored["error"] == ""
        assert found(look) == whole(k)


@pytest.mark.parametrize("megabytes", [140])
def test_a_checkpoint_leaves_the_last_of_the_disk_to_others(
    kernel_python: Path, tmp_path: Path, small_disk: tuple[str, ...]
) -> None:
    kernels = Kernels(kernel_python, tmp_path, within=small_disk)
    save = ["save", str(kernels.checkpoints)]
    left = f"import os; disk = os.statvfs({str(kernels.checkpoints)!r}); print(disk.f_bavail * disk.f_frsize >> 20)"
    _, first, _, failed, look = kernels.run(
        ["cell", "import numpy as np; big = np.arange(8_000_000)"],
        [*save, 1],
        ["cell", "more = np.arange(9_200_000)"],  # 70 MiB, for which there would be room: 79 are left.
        [*save, 2],
        ["cell", left],
    )
    assert (first["error"], failed["error"]) == ("", "The state was not saved: No space left on device.")
    assert int(look["printed"]) > 70
