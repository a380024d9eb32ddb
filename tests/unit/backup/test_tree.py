"""Copies are true, what has not changed is shared, and nothing outside of a tree gets into its copy."""

from __future__ import annotations

import mmap
import os
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from outlast.backup import tree
from outlast.backup.manifest import Entry
from outlast.backup.tree import DEEPEST, Before, copy, look, sync


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A session's files, of every kind that there is."""
    top = tmp_path / "source"
    (top / "sub").mkdir(parents=True)
    (top / "a.txt").write_text("one")
    (top / "sub" / "b.bin").write_bytes(bytes(range(256)) * 5000)
    (top / "sub" / "again").hardlink_to(top / "a.txt")
    (top / "link").symlink_to("../../elsewhere")
    (top / "empty").touch(0o640)
    os.mkfifo(top / "fifo", 0o620)
    os.chmod(top / "sub", 0o2750)
    os.utime(top / "a.txt", ns=(1, 1_600_000_000_123_456_789))
    return top


def contents(entries: list[Entry]) -> list[Entry]:
    return [entry.content() for entry in entries]


def settled(entry: Entry, path: Path) -> Entry:
    """As if the file had been changed long ago; else a copy never trusts its time."""
    return Entry(**{**{name: getattr(entry, name) for name in entry.__slots__}, "changed": path.lstat().st_ctime_ns})


def before(place: Path, entries: list[Entry], source: Path) -> Before:
    return Before(place, {it.path: settled(it, source / it.path) if it.kind == "file" else it for it in entries})


def until_times_differ(path: Path, scratch: Path) -> None:
    """Wait until a change of the file would change its time: before Linux 6.13 that has a grain of up to 4 ms."""
    scratch.touch()
    while scratch.stat().st_ctime_ns <= path.stat().st_ctime_ns:
        scratch.touch()


def test_a_copy_has_everything_that_the_source_has(source: Path, tmp_path: Path) -> None:
    made = copy(source, tmp_path / "copy")
    assert contents(made.entries) == contents(look(tmp_path / "copy").entries) == contents(look(source).entries)
    assert {entry.path for entry in made.entries} == {
        "", "a.txt", "empty", "fifo", "link", "sub", "sub/again", "sub/b.bin",
    }  # fmt: skip
    assert made.left_out == []
    assert os.readlink(tmp_path / "copy/link") == "../../elsewhere"
    assert (tmp_path / "copy/a.txt").stat().st_mtime_ns == 1_600_000_000_123_456_789
    assert stat.S_IMODE((tmp_path / "copy/sub").stat().st_mode) == 0o2750


def test_two_names_of_one_file_are_two_names_of_its_copy(source: Path, tmp_path: Path) -> None:
    copy(source, tmp_path / "copy")
    assert (tmp_path / "copy/a.txt").samefile(tmp_path / "copy/sub/again")


def test_what_has_not_changed_is_shared_with_the_copy_before(source: Path, tmp_path: Path) -> None:
    first = copy(source, tmp_path / "first")
    (source / "empty").write_text("no more")
    second = copy(source, tmp_path / "second", before(tmp_path / "first", first.entries, source))
    assert (tmp_path / "first/sub/b.bin").samefile(tmp_path / "second/sub/b.bin")
    assert contents(second.entries) == contents(look(tmp_path / "second").entries)
    assert (tmp_path / "first/empty").read_text() == "" and (tmp_path / "second/empty").read_text() == "no more"


def test_a_change_that_keeps_size_and_time_is_seen(source: Path, tmp_path: Path) -> None:
    first = copy(source, tmp_path / "first")
    known = before(tmp_path / "first", first.entries, source)
    was = (source / "a.txt").stat()
    until_times_differ(source / "a.txt", tmp_path / "scratch")
    (source / "a.txt").write_text("two")
    os.utime(source / "a.txt", ns=(was.st_atime_ns, was.st_mtime_ns))
    copy(source, tmp_path / "second", known)
    assert (tmp_path / "second/a.txt").read_text() == "two" and (tmp_path / "first/a.txt").read_text() == "one"


def test_the_time_of_a_file_that_was_changed_just_now_is_not_trusted(source: Path, tmp_path: Path) -> None:
    (source / "a.txt").write_text("new")
    synced = (source / "a.txt").stat().st_ctime_ns + tree._TICK
    [entry] = [it for it in copy(source, tmp_path / "copy", synced=synced).entries if it.path == "a.txt"]
    assert entry.changed == 0


def test_a_write_to_memory_that_was_written_to_before_is_seen(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Linux notes only the first until the page is on the disk."""
    if subprocess.check_output(["/usr/bin/stat", "-f", "-c", "%T", tmp_path], text=True).strip() == "tmpfs":
        pytest.skip("files in memory are on no disk, and no deployment has its sessions there")
    monkeypatch.setattr(tree, "_TICK", 0)
    with (source / "sub/b.bin").open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[:3] = b"one"
        first = copy(source, tmp_path / "first", synced=sync())
        [known] = [entry for entry in first.entries if entry.path == "sub/b.bin"]
        assert known.changed, "it counts as settled"
        until_times_differ(source / "sub/b.bin", tmp_path / "scratch")
        memory[:3] = b"two"
        copy(source, tmp_path / "second", Before(tmp_path / "first", {"sub/b.bin": known}))
    assert (tmp_path / "second/sub/b.bin").read_bytes()[:3] == b"two"


def test_a_copy_of_a_copy_is_as_deep_as_it_is_asked_for(tmp_path: Path) -> None:
    """A backup holds a session two levels below itself, and as deep as the session is."""
    bottom = tmp_path / "top/sessions/one" / "/".join("d" * (DEEPEST + 1))
    bottom.mkdir(parents=True)
    (tmp_path / "backup/sessions").mkdir(parents=True)
    made = copy(tmp_path / "top/sessions/one", tmp_path / "backup/sessions/one")
    assert len(made.left_out) == 1
    found = look(tmp_path / "backup", deepest=DEEPEST + 2)
    assert found.left_out == [] and len(found.entries) == len(made.entries) + 2
    again = copy(tmp_path / "backup/sessions", tmp_path / "again", deepest=DEEPEST + 1)
    assert again.left_out == [] and len(again.entries) == len(made.entries) + 1


def test_a_copy_may_be_given_the_times_of_what_it_is_a_copy_of(source: Path, tmp_path: Path) -> None:
    copy(source, tmp_path / "copy", times={"a.txt": 1_500_000_000_987_654_321})
    assert (tmp_path / "copy/a.txt").stat().st_mtime_ns == 1_500_000_000_987_654_321


def test_what_was_shared_is_copied_where_it_cannot_be_shared(source: Path, tmp_path: Path) -> None:
    first = copy(source, tmp_path / "first")
    known = before(tmp_path / "first", first.entries, source)
    (tmp_path / "first/a.txt").unlink()
    copy(source, tmp_path / "second", known)
    assert (tmp_path / "second/a.txt").read_text() == "one"


def test_holes_stay_holes_and_count_in_the_digest(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with (tmp_path / "source/sparse").open("wb") as file:
        file.seek(64 << 20)
        file.write(b"end")
        file.truncate(128 << 20)
    made = copy(tmp_path / "source", tmp_path / "copy")
    info = (tmp_path / "copy/sparse").stat()
    assert (info.st_size, info.st_blocks * 512 < 8 << 20) == (128 << 20, True)
    assert contents(made.entries) == contents(look(tmp_path / "copy").entries)


def test_sockets_are_left_out_in_silence(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        made = copy(source, tmp_path / "copy")
    assert "socket" not in {entry.path for entry in made.entries} and made.left_out == []


def test_names_that_are_no_text_are_copied(tmp_path: Path) -> None:
    name = b"\xff\n\x1b[31m"
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / os.fsdecode(name)).write_text("x")
    copy(tmp_path / "source", tmp_path / "copy")
    assert os.listdir(os.fsencode(tmp_path / "copy")) == [name]


def test_what_is_too_deep_is_named_and_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "source/1/2/3").mkdir(parents=True)
    (tmp_path / "source/1/2/kept").touch()
    made = copy(tmp_path / "source", tmp_path / "copy", deepest=2)
    assert made.left_out == ["1/2/3: it is more than 2 directories deep"]
    assert [entry.path for entry in made.entries] == ["", "1", "1/2", "1/2/kept"]


def test_a_tree_that_changes_under_the_copier_never_leads_it_outside(tmp_path: Path) -> None:
    """A directory that is a link at times, as a hostile cell makes it: what it points to must not be copied."""
    source, outside = tmp_path / "source", tmp_path / "outside"
    (source / "real").mkdir(parents=True)
    (source / "real/mine").write_text("mine")
    outside.mkdir()
    (outside / "mine").write_text("secret")
    (source / "trap").symlink_to(outside)
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for first, second in (("real", "kept"), ("trap", "real"), ("real", "trap"), ("kept", "real")):
                os.rename(source / first, source / second)

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        until = time.monotonic() + 0.5
        rounds = 0
        while time.monotonic() < until or rounds < 20:
            rounds += 1
            copy(source, tmp_path / f"copy-{rounds}")
    finally:
        over.set()
        swapper.join()
    copied = [path for path in tmp_path.glob("copy-*/*/*") if not path.parent.is_symlink()]
    assert copied and {path.read_text() for path in copied} == {"mine"}


def test_a_full_disk_ends_the_copy(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        copy(source, tmp_path / "copy")
