"""Damage that no power cut explains stops the start, changes nothing, and names the ways out; the ways work."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import redis

from tests.integration.redis.damage import KEYS, contents, fill, increment, kept_keys
from tests.kept_redis import KeptRedis


def middle(server: KeptRedis) -> None:
    data = bytearray(increment(server).read_bytes())
    data[data.index(b"rq:two") - 4] = 0xFF
    increment(server).write_bytes(data)


def base(server: KeptRedis) -> None:
    (path,) = (server.data / "appendonlydir").glob("*.base.rdb")
    path.write_bytes(path.read_bytes()[:-9] + b"123456789")


def missing(server: KeptRedis) -> None:
    increment(server).unlink()


def manifest(server: KeptRedis) -> None:
    (server.data / "appendonlydir/appendonly.aof.manifest").write_bytes(bytes(88))


def no_manifest(server: KeptRedis) -> None:
    (server.data / "appendonlydir/appendonly.aof.manifest").unlink()


def only_a_snapshot(server: KeptRedis) -> None:
    (server.data / "appendonlydir").rename(server.data / "elsewhere")


DAMAGES: list[tuple[Callable[[KeptRedis], None], str]] = [
    (middle, r"appendonly\.aof\.1\.incr\.aof is damaged at byte \d+ of \d+, and whole commands follow from byte \d+"),
    (base, r"the base appendonly\.aof\.1\.base\.rdb is damaged"),
    (missing, r"appendonly\.aof\.manifest names appendonly\.aof\.1\.incr\.aof, which is not there"),
    (manifest, r"appendonly\.aof\.manifest is damaged: its line 1 names no file"),
    (no_manifest, r"appendonlydir has files but no appendonly\.aof\.manifest"),
    (only_a_snapshot, r"there is a dump\.rdb but no append-only file"),
]


@pytest.fixture
def filled(private: KeptRedis) -> KeptRedis:
    """A Redis that is down, with a snapshot older than its last two values."""
    with redis.Redis.from_url(private.url) as worker, redis.Redis.from_url(private.admin_url) as admin:
        worker.set(KEYS[0], "old")
        admin.save()
    fill(private)
    private.kill()
    return private


@pytest.mark.parametrize(("spoil", "told"), DAMAGES, ids=lambda value: getattr(value, "__name__", ""))
def test_damage_stops_the_start_with_the_runbook_and_changes_nothing(
    filled: KeptRedis, spoil: Callable[[KeptRedis], None], told: str
) -> None:
    spoil(filled)
    before = contents(filled.data)
    done = filled.keeper()
    assert (done.returncode, done.stdout) == (4, "")
    assert re.match(rf"keeper: {told}.*; Redis was not started, and nothing was changed\.\n", done.stderr)
    assert "docker compose cp redis:" in done.stderr and "keeper.mend snapshot" in done.stderr
    assert ("keeper.mend cut" in done.stderr) == (spoil is middle)
    assert contents(filled.data) == before


@pytest.mark.parametrize("spoil", [spoil for spoil, _ in DAMAGES])
def test_going_back_to_the_snapshot_mends_all_of_it_and_keeps_what_was_there(
    filled: KeptRedis, spoil: Callable[[KeptRedis], None]
) -> None:
    spoil(filled)
    before = {name: data for name, data in contents(filled.data).items() if name.startswith("appendonlydir/")}
    done = filled.keeper("snapshot", module="keeper.mend")
    assert done.returncode == 0 and "Redis will start from dump.rdb" in done.stdout
    aside = {re.sub(r"^cut/[^/]*-", "", name): data for name, data in contents(filled.data).items() if "cut/" in name}
    assert aside == before
    filled.restart()
    assert kept_keys(filled) == [KEYS[0]]
    filled.restart()
    with redis.Redis.from_url(filled.url) as worker:
        assert worker.get(KEYS[0]) == b"old"
        worker.set(KEYS[1], "new")
    filled.restart()
    assert kept_keys(filled) == list(KEYS[:2])


def test_a_cut_keeps_what_was_written_before_the_damage(filled: KeptRedis) -> None:
    middle(filled)
    before = increment(filled).read_bytes()
    done = filled.keeper("cut", module="keeper.mend")
    assert done.returncode == 0
    (kept,) = (filled.data / "cut").iterdir()
    assert increment(filled).read_bytes() + kept.read_bytes() == before and str(kept) in done.stdout
    filled.restart()
    assert kept_keys(filled) == [KEYS[0]]


def test_a_cut_in_an_earlier_file_sets_the_later_ones_aside(filled: KeptRedis) -> None:
    middle(filled)
    place = filled.data / "appendonlydir"
    later = place / "appendonly.aof.2.incr.aof"
    later.write_bytes(b"*3\r\n$3\r\nset\r\n$8\r\nrq:three\r\n$1\r\n3\r\n")
    with (place / "appendonly.aof.manifest").open("a") as file:
        file.write(f"file {later.name} seq 2 type i\n")
    assert "appendonly.aof.1.incr.aof is damaged" in filled.keeper().stderr
    done = filled.keeper("cut", module="keeper.mend")
    assert done.returncode == 0 and "1 later files were set aside" in done.stdout
    assert not later.exists() and len(list((filled.data / "cut").iterdir())) == 2
    filled.restart()
    assert kept_keys(filled) == [KEYS[0]]


def test_a_sound_file_is_not_cut(filled: KeptRedis) -> None:
    before = contents(filled.data)
    done = filled.keeper("cut", module="keeper.mend")
    assert (done.returncode, done.stdout) == (0, "The append-only file is sound; nothing was done.\n")
    assert contents(filled.data) == before


@pytest.mark.parametrize("spoilt", [None, b"REDIS0010 but no more"])
def test_there_is_no_going_back_to_a_snapshot_that_is_not_there_or_not_sound(
    filled: KeptRedis, spoilt: bytes | None
) -> None:
    (filled.data / "dump.rdb").unlink()
    if spoilt:
        (filled.data / "dump.rdb").write_bytes(spoilt)
    before = contents(filled.data)
    done = filled.keeper("snapshot", module="keeper.mend")
    assert done.returncode == 4 and "there is no sound dump.rdb" in done.stderr
    assert contents(filled.data) == before


def test_nothing_is_mended_under_a_running_redis(private: KeptRedis) -> None:
    for way in ("cut", "snapshot"):
        done = private.keeper(way, module="keeper.mend")
        assert done.returncode == 3 and "another Redis uses" in done.stderr


def test_a_first_start_that_was_interrupted_is_no_damage(private: KeptRedis) -> None:
    private.kill()
    (private.data / "appendonlydir/appendonly.aof.manifest").unlink()
    private.restart()
    fill(private)
    private.restart()
    assert kept_keys(private) == list(KEYS)
