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

BIG = "import numpy as np; big = np.arange(20_000)"


def _manifests(kernels: Kernels) -> set[str]:
    return {path.name for path in (kernels.checkpoints / "manifests").iterdir()}


def _objects(kernels: Kernels) -> list[Path]:
    return sorted((kernels.checkpoints / "objects").iterdir())


def test_the_manifest_says_what_was_saved_and_how(kernels: Kernels) -> None:
    saved = kernels.save("import numpy as np; a = np.zeros(1000); g = (i for i in []); n = 1", BIG, cell=7)
    manifest = kernels.manifest(saved["manifest"])
    assert re.fullmatch(r"7-[0-9a-f]{8}\.json", saved["manifest"])
    assert (manifest["format"], manifest["cell"], manifest["missing"]) == (2, 7, {"g": "generator"})
    assert list(manifest["saved"]) == ["np", "a", "n", "big"]
    assert manifest["saved"]["a"]["type"] == "numpy.ndarray"
    assert 8000 < manifest["saved"]["a"]["bytes"] < 9000
    assert set(manifest["libraries"]) == {"cloudpickle", "numpy"}
    assert saved["bytes"] == manifest["bytes"] > 168_000
    assert {path.name: path.stat().st_size for path in _objects(kernels)} == manifest["objects"]
    assert list(manifest["objects"].values()) == [160_000]
    for path in [*_objects(kernels), Path(kernels.path(saved["manifest"]))]:
        assert path.stat().st_mode & 0o077 == 0


def test_what_has_not_changed_is_not_written_again(kernels: Kernels) -> None:
    save = ["save", str(kernels.checkpoints)]
    kernels.run(["cell", BIG], [*save, 1])
    (first,) = _objects(kernels)
    before = first.stat()
    _, _, changed, _, _ = kernels.run(
        ["cell", BIG], [*save, 1], ["cell", "small = [1]; copy = big.copy()"], [*save, 2], ["cell", "pass"]
    )
    assert changed["error"] == ""
    assert _objects(kernels) == [first]
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_equal_contents_are_two_variables_again(kernels: Kernels) -> None:
    saved = kernels.save("import numpy as np; a = np.zeros(2_000_000); b = np.zeros(2_000_000)")
    _, after = kernels.restore(saved["manifest"], "a[0] = 1; print(b[0], a[0], len(a), b.flags.writeable)")
    assert after["printed"] == "0.0 1.0 2000000 True\n"
    assert len(_objects(kernels)) == 1
    assert kernels.restore(saved["manifest"], "print(a[0])")[1]["printed"] == "0.0\n", "the file itself was written to"


def test_a_machine_without_xxhash_saves_with_sha256(kernels: Kernels) -> None:
    hidden = kernels.directory / "hidden"
    hidden.mkdir()
    (hidden / "xxhash.py").write_text("raise ImportError")
    with_it = kernels.save("x = 1")
    kernels.environment["PYTHONPATH"] = str(hidden)
    without = kernels.save("x = 2", BIG, cell=2)
    assert kernels.manifest(without["manifest"])["algorithm"] == "sha256"
    assert [len(path.name) for path in _objects(kernels)] == [64]
    restored, after = kernels.restore(without["manifest"], "print(x)")
    assert (restored["error"], after["printed"]) == ("", "2\n")
    (restored,) = kernels.restore(with_it["manifest"])
    assert "digest is of a kind that is not installed" in restored["error"]


def _flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, tuple[Callable[[Path, Path], Any], str]] = {
    "a flipped bit": (lambda manifest, big: _flip(big, 40), "an object of it is damaged"),
    "a flipped last bit": (lambda manifest, big: _flip(big, -1), "an object of it is damaged"),
    "an object cut short": (lambda manifest, big: os.truncate(big, 50), "has 50 bytes, not 160000"),
    "an object that grew": (lambda manifest, big: os.truncate(big, 10**6), "has 1000000 bytes, not 160000"),
    "no object": (lambda manifest, big: big.unlink(), "an object of it is gone"),
    "a link instead of the object": (
        lambda manifest, big: (big.rename(big.with_name("s")), big.symlink_to("s")),
        "Too many levels of symbolic links",
    ),
    "no manifest": (lambda manifest, big: manifest.unlink(), "No such file"),
    "a cut manifest": (lambda manifest, big: os.truncate(manifest, 20), "its manifest is damaged"),
    "a manifest that is a list": (lambda manifest, big: manifest.write_text("[]"), "its manifest is damaged"),
    "a manifest nested without end": (
        lambda manifest, big: manifest.write_text("[" * 10**6),
        "its manifest is damaged",
    ),
    "a changed letter of the manifest": (
        lambda manifest, big: manifest.write_text(manifest.read_text().replace("inline", "Inline")),
        "its manifest is damaged (another digest",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_noticed_and_nothing_is_restored(kernels: Kernels, damage: str) -> None:
    saved = kernels.save("x = list(range(100))", BIG)
    harm, sentence = DAMAGE[damage]
    harm(Path(kernels.path(saved["manifest"])), _objects(kernels)[0])
    restored, after = kernels.restore(saved["manifest"], "print('x' in globals())")
    assert restored["error"].startswith("The state was not restored: ") and sentence in restored["error"]
    assert (restored["restored"], after["printed"]) == ([], "False\n")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 1}, "its format is 1, and only 2 can be read here"),
        ({"python": "3.9.1"}, "it was made with Python 3.9.1, and this is 3."),
        ({"libraries": {"cloudpickle": "0.1"}}, "it was made with cloudpickle 0.1, and here is "),
        ({"libraries": {"no-such-library": "1"}}, "it was made with no-such-library 1, and here is none"),
        ({"libraries": None}, "its manifest is damaged"),
        ({"components": {}}, "its manifest is damaged"),
        ({"objects": {"../../x": 1}}, "its manifest is damaged"),
        ({"missing": 3}, "its manifest is damaged"),
    ],
)
def test_a_state_of_other_versions_is_not_loaded(kernels: Kernels, change: dict[str, Any], sentence: str) -> None:
    saved = kernels.save("x = 1")
    manifest = kernels.manifest(saved["manifest"]) | change | {"algorithm": "sha256"}
    text = json.dumps(manifest).encode()
    name = f"1-{hashlib.sha256(text).hexdigest()[:8]}.json"
    Path(kernels.path(name)).write_bytes(text)
    restored, after = kernels.restore(name, "print('x' in globals())")
    assert sentence in restored["error"]
    assert after["printed"] == "False\n"


def test_what_does_not_load_is_named_and_the_rest_is_there(kernels: Kernels) -> None:
    saved = kernels.save(
        "import os, sys\na = 1\nclass C:\n"
        "    def __setstate__(self, s):\n        if 'here' not in globals(): raise ValueError('not here')\n"
        "here = 1; c = C(); c.v = 1; d = [c]; e = C(); e.v = 1; z = 2"
    )
    assert (saved["error"], saved["missing"]) == ("", {})
    code = "print(a, z, 'c' in globals())"
    (restored, after) = kernels.restore(saved["manifest"], code)
    assert (restored["missing"], after["printed"]) == ({}, "1 2 True\n"), "it looks up what comes later"

    saved = kernels.save(
        "import os\na = 1\nclass C:\n    def __setstate__(self, s):\n"
        "        if os.path.exists('new'): raise ValueError('not here')\nc = C(); c.v = 1; d = [c]; z = 2"
    )
    (kernels.work / "new").touch()
    restored, after = kernels.restore(saved["manifest"], code)
    assert restored["missing"] == {
        "c": "did not load (ValueError: not here)",
        "d": "shares an object with c, which did not load (ValueError: not here)",
    }
    assert after["printed"] == "1 2 False\n"


def test_what_does_not_load_is_named_already_when_it_is_saved(kernels: Kernels) -> None:
    saved = kernels.save(
        "class C:\n    def __setstate__(self, s): raise ValueError('never')\nc = C(); c.v = 1; d = 1\n"
        "class D:\n    pass\ne = D()"
    )
    assert saved["missing"] == {"c": "could be saved but not loaded again (ValueError: never)"}
    assert kernels.restore(saved["manifest"], "print(d, type(e) is D)")[1]["printed"] == "1 True\n"


def test_a_restore_that_fails_leaves_everything_as_it_was(kernels: Kernels) -> None:
    saved = kernels.save(
        "import os, sys\na = 1; z = 2\nos.environ['MINE'] = '1'; sys.path.append('/x'); os.mkdir('d'); os.chdir('d')",
        BIG,
    )
    _flip(_objects(kernels)[0], 5)
    before = "import os, sys\nkeep = 'kept'; a = 'mine'\nseen = (os.getcwd(), dict(os.environ), list(sys.path))\n"
    _, restored, after = kernels.run(
        ["cell", before],
        ["restore", kernels.path(saved["manifest"])],
        ["cell", "print(seen == (os.getcwd(), dict(os.environ), list(sys.path)), a, keep, 'z' in globals())"],
    )
    assert "is damaged" in restored["error"] and restored["restored"] == []
    assert after["printed"] == "True mine kept False\n"


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
    assert _manifests(kernels) == {first["manifest"], again["manifest"]}
    assert _objects(kernels) == []
    assert kernels.restore(first["manifest"], "print(x)")[1]["printed"] == "1\n"
    assert kernels.restore(again["manifest"], "print(x, y)")[1]["printed"] == "1 2\n"


def test_a_full_disk_at_the_last_bytes_is_an_error_too(kernels: Kernels) -> None:
    """Those of the manifest."""
    _, _, full = kernels.run(["cell", "x = 1"], ["file size limit", 100], ["save", str(kernels.checkpoints), 1])
    assert full["error"] == "The state was not saved: File too large."
    assert _manifests(kernels) == set()


def test_a_directory_that_cannot_be_made_is_an_error(kernels: Kernels) -> None:
    kernels.work.mkdir()
    (kernels.work / "file").touch()
    _, saved = kernels.run(["cell", "x = 1"], ["save", "file/checkpoints", 1])
    assert (saved["manifest"], saved["missing"]) == ("", {})
    assert saved["error"] == "The state was not saved: Not a directory."


def test_only_the_newest_three_can_be_restored_and_nothing_foreign_is_touched(kernels: Kernels) -> None:
    for name in ("manifests", "objects"):
        (kernels.checkpoints / name).mkdir(parents=True)
        (kernels.checkpoints / name / "note.txt").touch()
    (kernels.checkpoints / "manifests/2-0123abcd.json.new").touch()
    (kernels.checkpoints / "objects/.new-0123abcd").touch()
    steps: list[list[Any]] = []
    for cell in range(3, 60):
        steps += [["cell", f"import numpy as np; big = np.arange({cell}, 20_000)"]]
        steps += [["save", str(kernels.checkpoints), cell]]
    saves = kernels.run(*steps)[1::2]
    assert [save["error"] for save in saves] == [""] * len(saves)
    names = [save["manifest"] for save in saves]
    assert _manifests(kernels) == {"note.txt", *names[-52:]}
    assert len(_objects(kernels)) == 4
    assert (kernels.checkpoints / "objects/note.txt").exists()
    for name in names[-3:]:
        assert kernels.restore(name)[0]["error"] == ""
    assert "an object of it is gone" in kernels.restore(names[-4])[0]["error"]


def test_the_checkpoint_that_was_restored_outlives_saves_that_nobody_logged(kernels: Kernels) -> None:
    """A kernel killed between its save and the record of it runs the cell again: how often must not matter."""
    save = ["save", str(kernels.checkpoints)]
    committed = kernels.run(["cell", f"{BIG}; x = 1"], [*save, 1], [*save, 2], [*save, 3], [*save, 4])[-1]["manifest"]
    for number in range(5):
        restored, _, unlogged = kernels.run(
            ["restore", kernels.path(committed)], ["cell", f"big = big + 1; y = {number}"], [*save, 5]
        )
        assert (restored["error"], unlogged["error"]) == ("", "")
    assert committed in _manifests(kernels)
    assert sum(name.startswith("5-") for name in _manifests(kernels)) == 1
    assert kernels.restore(committed, "print(x)")[1]["printed"] == "1\n"


def test_over_the_limit_the_largest_variables_are_left_out_and_named(kernels: Kernels) -> None:
    code = "import numpy as np; small = np.arange(10_000); large = np.arange(100_000); x = 1; big = list(range(70_000))"
    _, saved = kernels.run(["cell", code], ["save", str(kernels.checkpoints), 1, {"limit": 400_000}])
    assert list(saved["missing"]) == ["large"]
    assert "larger than the limit of 400,000" in saved["missing"]["large"]
    assert saved["bytes"] <= 400_000
    assert kernels.restore(saved["manifest"], "print(x, small.sum(), len(big))")[1]["printed"] == "1 49995000 70000\n"
