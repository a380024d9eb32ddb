"""Copies appear whole, under the name that was asked for, or not at all."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outlast.cli import saving
from outlast.cli.output import Trouble
from outlast.cli.saving import Destination, Item, Short

MIB = 1024 * 1024


def item(*parts: str, data: bytes = b"new", size: int | None = None) -> Item:
    return Item(parts, len(data) if size is None else size, io.BytesIO(data))


def save(path: Path | str, *items: Item, names: tuple[str, ...] = ("a",)) -> list[Path]:
    destination = Destination(str(path), names)
    try:
        return [destination.save(one) for one in items]
    finally:
        destination.close()


@pytest.fixture
def during(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Has a function called after every chunk."""

    def install(what: Callable[[], None]) -> None:
        @contextmanager
        def progress(_: Item) -> Iterator[Callable[[int], None]]:
            yield lambda count: what()

        monkeypatch.setattr(saving, "_progress", progress)

    return install


def test_a_copy_goes_into_a_directory_or_takes_the_name_given(tmp_path: Path) -> None:
    assert save(tmp_path, item("a")) == [tmp_path / "a"]
    assert save(tmp_path / "b", item("a")) == [tmp_path / "b"]
    assert save(tmp_path / "tree", Item(("a",)), item("a", "x", "y")) == [tmp_path / "tree", tmp_path / "tree/x/y"]
    assert (tmp_path / "tree/x/y").read_bytes() == (tmp_path / "a").read_bytes() == b"new"


def test_a_name_without_a_directory_is_one_in_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert save("b", item("a")) == [Path("b")] and (tmp_path / "b").exists()


@pytest.mark.parametrize("dest", ["nowhere/", "nowhere/x"])
def test_a_destination_that_is_not_there_is_said(tmp_path: Path, dest: str) -> None:
    with pytest.raises(Trouble, match="nowhere"):
        save(f"{tmp_path}/{dest}", item("a"))


def test_several_copies_need_a_directory(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="is no directory"):
        save(tmp_path / "b", names=("a", "c"))


def test_an_older_file_is_replaced_at_once_and_never_seen_half_written(
    tmp_path: Path, during: Callable[[Callable[[], None]], None]
) -> None:
    (tmp_path / "a").write_bytes(b"old")
    seen = []
    during(lambda: seen.append((tmp_path / "a").read_bytes()))
    save(tmp_path, item("a", data=bytes(3 * MIB)))
    assert seen == [b"old"] * 3
    assert (tmp_path / "a").stat().st_size == 3 * MIB and os.listdir(tmp_path) == ["a"]


def test_ctrl_c_leaves_nothing(tmp_path: Path, during: Callable[[Callable[[], None]], None]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    during(interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, item("a", data=bytes(3 * MIB)))
    assert os.listdir(tmp_path) == []


def test_a_source_that_is_shorter_than_it_said_leaves_nothing_and_one_that_is_longer_is_cut(tmp_path: Path) -> None:
    with pytest.raises(Short):
        save(tmp_path, item("a", size=10))
    assert os.listdir(tmp_path) == []
    save(tmp_path, item("a", size=2))
    assert (tmp_path / "a").read_bytes() == b"ne"


def test_a_file_that_the_disk_cannot_hold_is_refused_before_the_disk_is_full(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="not enough room for its 4611686018427387904 bytes"):
        save(tmp_path, item("a", size=1 << 62))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "parts",
    [
        ("b",), (".bashrc",), ("..", "b"), ("a", "..", "b"), ("a", ""), ("a", "."), ("a", "x/y"), ("/etc/passwd",), (),
        ("a", "x\0y"),
    ],
)  # fmt: skip
def test_nothing_is_written_that_was_not_asked_for(tmp_path: Path, parts: tuple[str, ...]) -> None:
    with pytest.raises(Trouble, match="was not asked for"):
        save(tmp_path, item(*parts))
    assert os.listdir(tmp_path) == []


def test_no_link_below_the_destination_is_followed_or_replaced(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (inside / "a").symlink_to(outside)
    for one in (item("a", "x"), item("a")):
        with pytest.raises(Trouble, match="cannot be written"):
            save(inside, one)
    assert os.listdir(outside) == [] and (inside / "a").is_symlink()


def test_a_device_is_never_replaced_by_a_copy() -> None:
    with pytest.raises(Trouble, match="/dev/null cannot be written: it is there already"):
        save("/dev/null", item("a"))


def test_a_copy_is_a_plain_file_whatever_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        save(tmp_path, Item(("a",)), item("a", "x"))
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o750
    assert (tmp_path / "a" / "x").stat().st_mode & 0o7777 == 0o640
