"""Reading a directory that somebody hostile writes to."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from outlast.cli import beneath
from outlast.cli.output import Trouble


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A directory outside, with a file in it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "key").write_text("secret", encoding="utf-8")
    return outside


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    inside = tmp_path / "files"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "b" / "c.txt").write_text("c", encoding="utf-8")
    return inside


@pytest.fixture
def top(tree: Path) -> Iterator[int]:
    descriptor = os.open(tree, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def kinds(top: int) -> dict[str, str]:
    return {"/".join(entry.parts): entry.kind for entry in beneath.walk(top)}


def test_everything_is_told_as_what_it_is_and_no_link_is_followed(tree: Path, top: int, secret: Path) -> None:
    (tree / "key").symlink_to(secret / "key")
    (tree / "a" / "out").symlink_to(secret)
    os.mkfifo(tree / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tree / "sock"))
    assert kinds(top) == {
        "a": "directory", "a/b": "directory", "a/b/c.txt": "file", "a/out": "link", "key": "link", "fifo": "fifo",
        "sock": "socket",
    }  # fmt: skip
    assert next(entry.link for entry in beneath.walk(top) if entry.parts == ("key",)) == str(secret / "key")


@pytest.mark.parametrize("parts", [("a", "out", "key"), ("key", "x"), ("a", "b", "c.txt", "d")])
def test_a_way_through_a_link_or_a_file_leads_nowhere(
    tree: Path, top: int, secret: Path, parts: tuple[str, ...]
) -> None:
    (tree / "key").symlink_to(secret / "key")
    (tree / "a" / "out").symlink_to(secret)
    with pytest.raises(Trouble, match="link"), beneath.found(top, parts, "s:x"):
        pass


def test_a_file_in_a_directory_is_found(top: int) -> None:
    with (
        beneath.found(top, ("a", "b", "c.txt"), "s:x") as entry,
        beneath.open_file(entry.directory, entry.parts[-1]) as content,
    ):
        assert content.read() == b"c"


def test_what_is_not_there_is_said(top: int) -> None:
    with pytest.raises(Trouble, match="s:a/nothing is not there"), beneath.found(top, ("a", "nothing"), "s:a/nothing"):
        pass


def test_a_directory_that_is_swapped_for_a_link_before_it_is_entered_is_not_entered(
    tree: Path, top: int, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter = beneath.enter

    def swapped(directory: int, name: str) -> int:
        if name == "b":
            (tree / "a" / "b").rename(tree / "moved")
            (tree / "a" / "b").symlink_to(secret)
        return enter(directory, name)

    monkeypatch.setattr(beneath, "enter", swapped)
    told = {entry.parts: entry.error for entry in beneath.walk(top) if entry.parts[0] == "a"}
    assert set(told) == {("a",), ("a", "b")} and told["a", "b"]


def test_a_directory_that_is_swapped_for_a_link_while_it_is_read_stays_the_one_that_was_entered(
    tree: Path, top: int, secret: Path
) -> None:
    seen = []
    for entry in beneath.walk(top):
        seen.append("/".join(entry.parts))
        if entry.parts == ("a", "b"):
            (tree / "a").rename(tree.parent / "gone")
            (tree / "a").symlink_to(secret)
    assert "a/b/c.txt" in seen and not any(path.endswith("key") for path in seen)


@pytest.mark.parametrize("what", ["fifo", "link", "directory", "device"])
def test_only_a_regular_file_is_opened(tree: Path, top: int, secret: Path, what: str) -> None:
    path = tree / "thing"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "link":
        path.symlink_to(secret / "key")
    elif what == "directory":
        path.mkdir()
    directory, name = (os.open("/dev", os.O_RDONLY), "null") if what == "device" else (os.dup(top), "thing")
    try:
        with pytest.raises(OSError, match="no regular file"):
            beneath.open_file(directory, name)
    finally:
        os.close(directory)


@pytest.mark.parametrize("what", ["fifo", "link"])
def test_a_file_that_is_swapped_before_it_is_opened_is_not_read(
    tree: Path, top: int, secret: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, path = beneath.look, tree / "thing"
    path.write_text("mine", encoding="utf-8")

    def swapped(directory: int, name: str) -> beneath.Entry:
        entry = look(directory, name)
        path.unlink()
        if what == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to(secret / "key")
        return entry

    monkeypatch.setattr(beneath, "look", swapped)
    with pytest.raises(OSError):
        beneath.open_file(top, "thing")


def test_a_pit_of_directories_has_a_bottom_and_leaves_no_descriptor_open(tree: Path, top: int) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(tree)
        for _ in range(beneath.DEEPEST + 50):
            os.mkdir("pit")
            os.chdir("pit")
    finally:
        os.fchdir(here)
        os.close(here)
    before = len(os.listdir("/proc/self/fd"))
    deepest = [entry for entry in beneath.walk(top) if entry.error]
    assert [entry.error for entry in deepest] == [f"more than {beneath.DEEPEST} directories deep"]
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("session", ["", "..", ".hidden", "a/b", "../outside"])
def test_no_id_names_a_directory_outside_the_workspaces(tmp_path: Path, secret: Path, session: str) -> None:
    workspaces = tmp_path / "sessions"
    (workspaces / "a" / "b").mkdir(parents=True)
    assert beneath.enter_workspace(str(workspaces), session) is None


def test_a_workspace_that_is_a_link_is_refused(tmp_path: Path, secret: Path) -> None:
    (tmp_path / "s").symlink_to(secret)
    with pytest.raises(Trouble, match="cannot be read"):
        beneath.enter_workspace(str(tmp_path), "s")
