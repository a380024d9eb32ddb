"""A checkpoint is whole or absent, and what is damaged is not loaded."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.unit.state.kernels import Kernels


def _names(kernels: Kernels) -> set[str]:
    return {entry.name for entry in kernels.checkpoints.iterdir()}


def test_the_manifest_says_what_was_saved_and_how(kernels: Kernels) -> None:
    saved = kernels.save("import numpy as np; a = np.zeros(1000); g = (i for i in []); n = 1", cell=7)
    manifest = kernels.manifest(saved["manifest"])
    assert re.fullmatch(r"7-[0-9a-f]{8}/manifest\.json", saved["manifest"])
    assert (manifest["format"], manifest["cell"], manifest["missing"]) == (1, 7, {"g": "generator"})
    assert list(manifest["saved"]) == ["np", "a", "n"]
    assert manifest["saved"]["a"]["type"] == "numpy.ndarray"
    assert 8000 < manifest["saved"]["a"]["bytes"] < 9000
    assert set(manifest["libraries"]) == {"cloudpickle", "numpy"}
    state = kernels.checkpoints / saved["manifest"].replace("manifest.json", manifest["state"]["file"])
    assert state.stat().st_size == manifest["state"]["bytes"]
    if manifest["state"]["algorithm"] == "sha256":
        assert hashlib.sha256(state.read_bytes()).hexdigest() == manifest["state"]["digest"]
    assert {entry.name for entry in state.parent.iterdir()} == {"manifest.json", "state.pickle"}
    assert state.stat().st_mode & 0o077 == 0


def test_a_machine_without_xxhash_saves_with_sha256(kernels: Kernels) -> None:
    hidden = kernels.directory / "hidden"
    hidden.mkdir()
    (hidden / "xxhash.py").write_text("raise ImportError")
    with_it = kernels.save("x = 1")
    kernels.environment["PYTHONPATH"] = str(hidden)
    without = kernels.save("x = 2", cell=2)
    assert kernels.manifest(without["manifest"])["state"]["algorithm"] == "sha256"
    restored, after = kernels.restore(without["manifest"], "print(x)")
    assert (restored["error"], after["printed"]) == ("", "2\n")
    if kernels.manifest(with_it["manifest"])["state"]["algorithm"] != "sha256":
        (restored,) = kernels.restore(with_it["manifest"])
        assert "digest is of a kind that is not installed" in restored["error"]


def _flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a flipped bit": (lambda at: _flip(at / "state.pickle", 40), "its state file is damaged"),
    "a flipped last bit": (lambda at: _flip(at / "state.pickle", -1), "its state file is damaged"),
    "a file cut short": (lambda at: os.truncate(at / "state.pickle", 50), "has 50 bytes, not"),
    "bytes added": (lambda at: os.truncate(at / "state.pickle", 10**6), "has 1000000 bytes, not"),
    "no state": (lambda at: (at / "state.pickle").unlink(), "its state file is gone"),
    "a link instead of the state": (
        lambda at: ((at / "state.pickle").rename(at / "s"), (at / "state.pickle").symlink_to("s")),
        "Too many levels of symbolic links",
    ),
    "no manifest": (lambda at: (at / "manifest.json").unlink(), "No such file"),
    "a cut manifest": (lambda at: os.truncate(at / "manifest.json", 20), "its manifest is damaged"),
    "a manifest that is a list": (lambda at: (at / "manifest.json").write_text("[]"), "its manifest is damaged"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_noticed_and_nothing_is_restored(kernels: Kernels, damage: str) -> None:
    saved = kernels.save("x = list(range(100))")
    harm, sentence = DAMAGE[damage]
    harm((kernels.checkpoints / saved["manifest"]).parent)
    restored, after = kernels.restore(saved["manifest"], "print('x' in globals())")
    assert restored["error"].startswith("The state was not restored: ") and sentence in restored["error"]
    assert (restored["restored"], after["printed"]) == ([], "False\n")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "its format is 2, and only 1 can be read here"),
        ({"python": "3.9.1"}, "it was made with Python 3.9.1, and this is 3."),
        ({"libraries": {"cloudpickle": "0.1"}}, "it was made with cloudpickle 0.1, and here is "),
        ({"libraries": {"no-such-library": "1"}}, "it was made with no-such-library 1, and here is none"),
        ({"libraries": None}, "its manifest is damaged"),
        ({"state": []}, "its manifest is damaged"),
        ({"missing": 3}, "its manifest is damaged"),
    ],
)
def test_a_state_of_other_versions_is_not_loaded(kernels: Kernels, change: dict[str, Any], sentence: str) -> None:
    saved = kernels.save("x = 1")
    path = kernels.checkpoints / saved["manifest"]
    path.write_text(json.dumps(kernels.manifest(saved["manifest"]) | change))
    restored, after = kernels.restore(saved["manifest"], "print('x' in globals())")
    assert sentence in restored["error"]
    assert after["printed"] == "False\n"


def test_a_load_that_fails_leaves_everything_as_it_was(kernels: Kernels) -> None:
    saved = kernels.save(
        "import os, sys\na = 1\nclass C:\n    def __setstate__(self, s): raise ValueError('not here')\n"
        "c = C(); c.v = 1; z = 2\nos.environ['MINE'] = '1'; sys.path.append('/x'); os.mkdir('d'); os.chdir('d')"
    )
    assert saved["error"] == ""
    before = "import os, sys\nkeep = 'kept'; a = 'mine'\nseen = (os.getcwd(), dict(os.environ), list(sys.path))\n"
    _, restored, after = kernels.run(
        ["cell", before],
        ["restore", str(kernels.checkpoints / saved["manifest"])],
        ["cell", "print(seen == (os.getcwd(), dict(os.environ), list(sys.path)), a, keep, 'z' in globals())"],
    )
    assert restored["error"] == "The state was not restored: c did not load (ValueError: not here)."
    assert restored["restored"] == []
    assert after["printed"] == "True mine kept False\n"


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("point", ["fsync 1", "rename 1", "fsync 2", "rename 2", "fsync 3", "fsync 4", "unlink 1"])
def test_a_kernel_killed_in_a_save_leaves_the_checkpoint_before_and_no_half_one(
    kernels: Kernels, point: str, after: bool
) -> None:
    call, number = point.split()
    die = (
        f"import os, signal\nreal, calls = os.{call}, []\ndef fatal(*a, **k):\n    calls.append(1)\n"
        f"    last = len(calls) == {number}\n    if last and not {after}: os.kill(os.getpid(), 9)\n"
        f"    done = real(*a, **k)\n    if last: os.kill(os.getpid(), 9)\n    return done\nos.{call} = fatal\nx = 2"
    )
    save = ["save", str(kernels.checkpoints)]
    first, second = kernels.run(["cell", "x = 1"], [*save, 1], [*save, 2], [*save, 3])[2:]
    kernels.run_to_death(["restore", str(kernels.checkpoints / second["manifest"])], ["cell", die], [*save, 4])

    for manifest in (first["manifest"], second["manifest"]):
        if (kernels.checkpoints / manifest).exists():
            assert kernels.restore(manifest, "print(x)")[1]["printed"] == "1\n"
    assert (kernels.checkpoints / second["manifest"]).exists()
    for whole in kernels.checkpoints.glob("4-*/manifest.json"):
        assert kernels.restore(str(whole.relative_to(kernels.checkpoints)), "print(x)")[1]["printed"] == "2\n"
    _, again = kernels.run(["restore", str(kernels.checkpoints / second["manifest"])], [*save, 4])
    assert again["error"] == ""
    assert sum(name.startswith("4-") for name in _names(kernels)) == 1


def test_a_full_disk_is_an_error_and_leaves_the_checkpoint_before(kernels: Kernels) -> None:
    save = ["save", str(kernels.checkpoints)]
    _, first, _, _, full, _, again = kernels.run(
        ["cell", "x = 1"],
        [*save, 1],
        ["file size limit", 100_000],
        ["cell", "big = 'x' * 10**6; y = 2"],
        [*save, 2],
        ["cell", "del big"],
        [*save, 3],
    )
    assert full["error"] == "The state was not saved: File too large."
    assert (full["manifest"], full["missing"]) == ("", {})
    assert _names(kernels) == {first["manifest"].split("/")[0], again["manifest"].split("/")[0]}
    assert kernels.restore(first["manifest"], "print(x)")[1]["printed"] == "1\n"
    assert kernels.restore(again["manifest"], "print(x, y)")[1]["printed"] == "1 2\n"


def test_a_full_disk_at_the_last_bytes_is_an_error_too(kernels: Kernels) -> None:
    """Those that are gathered before they are written, and the manifest's."""
    _, _, full = kernels.run(["cell", "x = 1"], ["file size limit", 100], ["save", str(kernels.checkpoints), 1])
    assert full["error"] == "The state was not saved: File too large."
    assert _names(kernels) == set()


def test_a_directory_that_cannot_be_made_is_an_error(kernels: Kernels) -> None:
    kernels.work.mkdir()
    (kernels.work / "file").touch()
    _, saved = kernels.run(["cell", "x = 1"], ["save", "file/checkpoints", 1])
    assert saved == {
        "manifest": "",
        "missing": {},
        "error": "The state was not saved: Not a directory.",
        "printed": "",
    }


def test_the_newest_three_checkpoints_are_kept_and_nothing_foreign_is_touched(kernels: Kernels) -> None:
    kernels.checkpoints.mkdir()
    outside = kernels.directory / "1-aaaaaaaa"
    outside.mkdir()
    (kernels.checkpoints / "note.txt").touch()
    (kernels.checkpoints / "my-results").mkdir()
    (kernels.checkpoints / "1-aaaaaaaa").symlink_to(outside)
    (kernels.checkpoints / "2-0123abcd").mkdir()
    (kernels.checkpoints / "2-0123abcd" / "state.pickle.tmp").touch()
    saves = kernels.run(*(["save", str(kernels.checkpoints), cell] for cell in range(3, 9)))
    newest = {save["manifest"].split("/")[0] for save in saves[-3:]}
    assert _names(kernels) == newest | {"note.txt", "my-results", "1-aaaaaaaa"}


def test_the_checkpoint_that_was_restored_outlives_saves_that_nobody_logged(kernels: Kernels) -> None:
    """A kernel killed between its save and the record of it runs the cell again: how often must not matter."""
    save = ["save", str(kernels.checkpoints)]
    committed = kernels.run(["cell", "x = 1"], [*save, 1], [*save, 2], [*save, 3], [*save, 4])[-1]["manifest"]
    for _ in range(5):
        restored, unlogged = kernels.run(["restore", str(kernels.checkpoints / committed)], [*save, 5])
        assert (restored["error"], unlogged["error"]) == ("", "")
    assert (kernels.checkpoints / committed).exists()
    assert sum(name.startswith("5-") for name in _names(kernels)) == 1
    assert kernels.restore(committed, "print(x)")[1]["printed"] == "1\n"
