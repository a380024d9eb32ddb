"""A restore that is cut off, by a power cut say, leaves what was there before or what was restored, never a half."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from keeper import directory
from keeper.errors import PlaceError
from outlast.backup.making import ASIDE, Places, make
from outlast.backup.restoring import check, is_empty, put, undo
from outlast.errors import BackupError

#: What changes names, and what ends a process that was killed just before one of them.
CALLS, KILLED = ("rename", "mkdir", "rmdir", "chmod"), 9

Files = dict[str, tuple[int, str]]


@pytest.fixture
def where(tmp_path: Path) -> Places:
    """Volumes, and room for backups."""
    places = Places(tmp_path / "redis", tmp_path / "workspaces", tmp_path / "backups")
    for place in (places.redis, places.workspaces, places.backups):
        place.mkdir()
    return places


def fill(places: Places, word: str, mode: int) -> None:
    """Some names that are always there, and one that is not."""
    for volume in (places.redis, places.workspaces):
        volume.chmod(mode)
        for name in ("always", word):
            (volume / name).mkdir()
            (volume / name / "file").write_text(word)
    (places.redis / ".lock").touch()


def files(places: Places) -> Files:
    """All that is on the volumes, but for what a restore has beside it, and the lock."""
    volumes = (places.redis, places.workspaces)
    found = {f"{volume.name}": (volume.stat().st_mode, "") for volume in volumes}
    for volume in volumes:
        for path in volume.rglob("*"):
            below = path.relative_to(volume)
            if below.parts[0] not in {*ASIDE, ".lock"}:
                found[f"{volume.name}/{below}"] = (path.stat().st_mode, path.read_text() if path.is_file() else "")
    return found


def cut_off(at: int, act: Callable[[], object]) -> bool:
    """Whether `act`, in a process that is killed before its change number `at`, came that far."""
    child = os.fork()
    if not child:
        _die_at(at, act)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def _die_at(at: int, act: Callable[[], object]) -> NoReturn:
    count = 0

    def dying(call: Callable[..., object]) -> Callable[..., object]:
        def change(*given: object, **named: object) -> object:
            nonlocal count
            count += 1
            if count == at:
                os._exit(KILLED)
            return call(*given, **named)

        return change

    try:
        for name in CALLS:
            setattr(os, name, dying(getattr(os, name)))
        act()
    finally:
        os._exit(0)


def everywhere(act: Callable[[], object]) -> Iterator[int]:
    """Each change at which `act` was cut off, once it was."""
    at = 1
    while cut_off(at, act):
        yield at
        at += 1


def redis_starts(places: Places) -> bool:
    try:
        os.close(directory.take(places.redis))
    except PlaceError as error:
        assert "a restore was cut off before its end; make restore" in str(error)
        return False
    return True


def test_wherever_a_restore_is_cut_off_redis_starts_only_from_what_belongs_together_and_all_can_be_taken_back(
    where: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sync", lambda: None)  # A kill takes nothing from the disk's cache.
    fill(where, "new", 0o711)
    new, backup = files(where), make(where, None, {}).manifest.name
    for volume in (where.redis, where.workspaces):
        shutil.rmtree(volume)
        volume.mkdir()
    fill(where, "old", 0o750)
    old = files(where)
    refused = 0
    for _ in everywhere(lambda: put(where, backup)):
        if redis_starts(where):
            assert files(where) in (old, new)
        else:
            refused += 1
            with pytest.raises(PlaceError):
                directory.take(where.redis)
            for _ in everywhere(lambda: undo(where)):
                assert not redis_starts(where) or files(where) == old
        undo(where)
        assert redis_starts(where) and files(where) in (old, new)
        assert not [name for volume in (where.redis, where.workspaces) for name in ASIDE if (volume / name).exists()]
        if files(where) == new:
            break
    assert refused > 10 and files(where) == new


def test_what_fails_in_the_middle_of_a_restore_changes_nothing(where: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(where, "new", 0o711)
    backup = make(where, None, {}).manifest.name
    shutil.rmtree(where.workspaces / "new")
    (where.workspaces / "old").mkdir()
    old = files(where)
    chown = os.chown

    def fails_once(path: Path, uid: int, gid: int, **named: int) -> None:
        if path == where.workspaces:
            monkeypatch.undo()
            raise OSError(5, "Input/output error")
        chown(path, uid, gid, **named)  # type: ignore[arg-type]  # passed on as they are

    monkeypatch.setattr(os, "chown", fails_once)
    with pytest.raises(OSError, match="Input/output error"):
        put(where, backup)
    assert files(where) == old


def test_whatever_state_redis_files_are_in_they_are_kept_and_come_back_to_the_byte(where: Places) -> None:
    fill(where, "good", 0o711)
    good = make(where, None, {}).manifest.name
    (where.redis / "appendonlydir").mkdir()
    (where.redis / "appendonlydir/appendonly.aof.manifest").write_text("file gone.aof seq 1 type b\n\0\0")
    (where.redis / "dump.rdb").write_text("the snapshot")
    (where.redis / "cut").mkdir()
    (where.redis / "cut/torn").write_text("what was cut off")
    damaged = files(where)
    point = make(where, None, {}).manifest.name
    put(where, good)
    assert not (where.redis / "dump.rdb").exists()
    put(where, point)
    assert files(where) == damaged


def test_only_what_has_nothing_but_the_lock_of_redis_is_empty(where: Places) -> None:
    (where.redis / ".lock").touch()
    assert is_empty(where)
    (where.redis / "appendonlydir").mkdir()
    assert not is_empty(where)
    (where.redis / "appendonlydir").rmdir()
    (where.workspaces / "job").mkdir()
    assert not is_empty(where)


def test_a_backup_that_went_through_an_archive_is_what_it_was_unless_its_settings_differ(
    where: Places, tmp_path: Path
) -> None:
    fill(where, "good", 0o711)
    file = where.workspaces / "good/file"
    os.utime(file, ns=(1, 1_600_000_000_123_456_789))
    backup = where.backups / make(where, None, {"REDIS_MEMORY": "1gb"}).manifest.name
    tar = ["/bin/tar", "--format=gnu", "-C", str(where.backups)]
    subprocess.run([*tar, "-cf", str(tmp_path / "archive"), backup.name], check=True)
    shutil.rmtree(backup)
    subprocess.run([*tar, "-xpf", str(tmp_path / "archive")], check=True)
    assert (backup / "workspaces/good/file").stat().st_mtime_ns == 1_600_000_000_000_000_000
    check(where, backup.name)
    put(where, backup.name)
    assert file.stat().st_mtime_ns == 1_600_000_000_123_456_789
    (backup / "settings.env").write_text("REDIS_MEMORY=9gb\n")
    with pytest.raises(BackupError, match=r"settings\.env has another content"):
        check(where, backup.name)
