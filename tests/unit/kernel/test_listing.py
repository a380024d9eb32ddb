"""A checkpoint's manifest is read for people as what it is: text that the sandbox wrote."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from outlast.kernel.listing import Listing, Variable, find, of_plain, parse

ROOT = Path(__file__).parents[3]


def manifest(**changed: Any) -> dict[str, Any]:
    """One as a kernel writes it, with changes."""
    return {
        "format": 2,
        "cell": 3,
        "python": "3.11.7",
        "libraries": {"numpy": "2.4.6", "scikit-learn": ""},
        "algorithm": "xxh3_128",
        "place": {"directory": "/somewhere"},
        "components": [
            {
                "entries": [["name", "f"], ["name", "C"], ["definitions", ""]],
                "stream": {"inline": "YQ=="},
                "buffers": [],
            },
            {"entries": [["name", "one"], ["name", "two"]], "stream": {"inline": "YQ=="}, "buffers": []},
            {"entries": [["name", "x"], ["name", "y"], ["(loggers)", "(loggers)"]], "stream": {}, "buffers": []},
        ],
        "objects": {"0" * 32: 2_100_000_000},
        "bytes": 2_100_000_100,
        "saved": {
            "one": {"type": "int", "bytes": 5},
            "two": {"type": "str", "bytes": 9},
            "x": {"type": "list", "bytes": 30},
            "y": {"type": "pandas.DataFrame", "bytes": 2_100_000_000},
            "f": {"type": "function", "bytes": 400},
            "C": {"type": "type", "bytes": 400},
        },
        "missing": {"g": "generator"},
        **changed,
    }


def text(**changed: Any) -> bytes:
    return json.dumps(manifest(**changed)).encode()


def listing(**changed: Any) -> Listing:
    return parse(text(**changed), 3)


def test_a_manifest_lists_the_variables_the_largest_first_and_what_is_missing() -> None:
    found = listing()
    assert [each.name for each in found.variables] == ["y", "C", "f", "x", "two", "one"]
    assert found.variables[0] == Variable("y", "pandas.DataFrame", 2_100_000_000)
    assert (found.cell, found.bytes, found.python) == (3, 2_100_000_100, "3.11.7")
    assert found.libraries == {"numpy": "2.4.6", "scikit-learn": ""} and found.missing == {"g": "generator"}
    assert found.checkpoint == hashlib.sha256(text()).hexdigest()


def test_only_names_that_share_objects_are_told_to_do_so() -> None:
    assert listing().shared == (("x", "y"),)


def test_a_listing_comes_back_from_its_plain_form() -> None:
    assert of_plain(json.dumps(listing().plain()).encode()) == listing()


def test_texts_are_cut_and_printable() -> None:
    hostile = "\x1b]0;title\x07\n\u202e\ud800"
    found = listing(
        saved={hostile + "n" * 1000: {"type": hostile, "bytes": 1}},
        missing={hostile: "why\r" + "w" * 10_000},
        components=[],
    )
    name, kind = found.variables[0].name, found.variables[0].type
    [(missing, why)] = found.missing.items()
    assert (len(name), len(why)) == (200, 500)
    assert all(each.isprintable() for each in (name, kind, missing, why))
    assert missing == "�]0;title����"


@pytest.mark.parametrize(
    "changed",
    [
        {"format": 1},
        {"format": "2"},
        {"format": True},
        {"cell": 4},
        {"cell": "3"},
        {"cell": 3.0},
        {"bytes": -1},
        {"bytes": 1.5},
        {"bytes": True},
        {"bytes": 10**30},
        {"python": "3.11\n"},
        {"python": None},
        {"libraries": ["numpy"]},
        {"libraries": {"nu mpy": "1"}},
        {"libraries": {"numpy": "1" * 41}},
        {"libraries": {f"n{number}": "1" for number in range(101)}},
        {"saved": []},
        {"saved": {"x": "list"}},
        {"saved": {"x": {"type": "list"}}},
        {"saved": {"x": {"type": 7, "bytes": 1}}},
        {"saved": {"x": {"type": "list", "bytes": "1"}}},
        {"missing": {"x": None}},
        {"missing": ["x"]},
        {"components": {}},
        {"components": [["x"]]},
        {"components": [{"entries": "xy"}]},
        {"components": [{"entries": [["name"]]}]},
        {"components": [{"entries": [["name", 7]]}]},
    ],
    ids=str,
)
def test_a_manifest_of_another_shape_is_refused_with_a_sentence(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^its (manifest|format) "):
        listing(**changed)


@pytest.mark.parametrize("part", ["format", "cell", "bytes", "python", "libraries", "saved", "missing", "components"])
def test_a_manifest_without_one_of_its_parts_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match=r"^its "):
        parse(json.dumps({name: value for name, value in manifest().items() if name != part}).encode(), 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        text()[:-1],
        b"[" * 100_000,
        text().replace(b"2100000100", b"NaN"),
        text().replace(b"2100000100", b"9" * 5000),
    ],
    ids=lambda data: str(data[:10]),
)
def test_what_is_no_json_object_is_refused_with_a_sentence(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^its manifest is damaged: it is no (JSON|object)"):
        parse(data, 3)


def test_what_would_take_all_memory_is_refused_before_it_is_read() -> None:
    with pytest.raises(ValueError, match="more parts than any checkpoint"):
        parse(b"[" + b"[]," * 4_000_000 + b"[]]", 3)


def test_more_variables_than_are_listed_are_refused_and_as_many_are_not() -> None:
    saved = {f"v{number}": {"type": "int", "bytes": 1} for number in range(100_000)}
    assert len(listing(saved=saved).variables) == 100_000
    with pytest.raises(ValueError, match="100,001 variables"):
        listing(saved=saved | {"more": {"type": "int", "bytes": 1}})


@pytest.mark.parametrize(
    "changed",
    [
        {"checkpoint": "c1"},
        {"variables": {}},
        {"variables": [7]},
        {"shared": [["x", 1]]},
        {"shared": "xy"},
        {"bytes": None},
    ],
    ids=str,
)
def test_a_plain_form_of_another_shape_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^its manifest is damaged"):
        of_plain(json.dumps(listing().plain() | changed).encode())


# ------------------------------------------------------------------------------------------------- where it is found


def kept(directory: Path, name: str, data: bytes) -> str:
    (directory / "manifests").mkdir(exist_ok=True)
    (directory / "manifests" / name).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def test_the_manifest_of_a_cell_is_found_by_its_digest(tmp_path: Path) -> None:
    kept(tmp_path, "3-00000000.json", b"another run's")
    digest = kept(tmp_path, "3-11111111.json", b"this")
    assert find(tmp_path, 3, digest) == b"this"


def test_a_manifest_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    digest = kept(tmp_path, "3-00000000.json", b"this")
    kept(tmp_path, "3-00000000.json", b"that")
    with pytest.raises(ValueError, match="was changed since it was logged"):
        find(tmp_path, 3, digest)


def test_a_manifest_that_is_not_kept_is_told_apart_from_one_that_was_changed(tmp_path: Path) -> None:
    digest = kept(tmp_path, "33-00000000.json", b"this")
    for directory in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(ValueError, match="not kept any more"):
            find(directory, 3, digest)


def test_a_manifest_that_is_larger_than_asked_for_is_not_read(tmp_path: Path) -> None:
    digest = kept(tmp_path, "3-00000000.json", b"this")
    assert find(tmp_path, 3, digest, most=4) == b"this"
    with pytest.raises(ValueError, match="more than 3 bytes"):
        find(tmp_path, 3, digest, most=3)


def test_few_files_are_read_for_a_cell_whatever_their_number(tmp_path: Path) -> None:
    digest = kept(tmp_path, "3-00000000.json", b"this")
    for number in range(1, 5):
        kept(tmp_path, f"3-{number:08}.json", b"that")
        os.utime(tmp_path / f"manifests/3-{number:08}.json", (2e9, 2e9))
    with pytest.raises(ValueError, match="was changed"):
        find(tmp_path, 3, digest)
    (tmp_path / "manifests/3-00000004.json").unlink()
    assert find(tmp_path, 3, digest) == b"this"


def test_a_manifest_behind_a_link_is_not_read(tmp_path: Path) -> None:
    digest = kept(tmp_path, "elsewhere", b"this")
    (tmp_path / "manifests/3-00000000.json").symlink_to(tmp_path / "manifests/elsewhere")
    with pytest.raises(ValueError, match="was changed"):
        find(tmp_path, 3, digest)


def test_a_place_that_is_no_directory_is_said_as_such(tmp_path: Path) -> None:
    (tmp_path / "manifests").write_text("")
    with pytest.raises(ValueError, match="cannot be read"):
        find(tmp_path, 3, "0" * 64)


def test_nothing_of_what_runs_in_the_kernel_is_imported_for_it() -> None:
    code = (
        "import sys, outlast.kernel.listing\n"
        "print([name for name in sys.modules if name.startswith(('outlast.kernel.', 'zmq'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "services")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['outlast.kernel.bounded', 'outlast.kernel.checkpoints', 'outlast.kernel.listing']"
