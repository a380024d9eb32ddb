"""A backup looks like a crash at its moment: whatever ran then goes on from it, and it never contradicts itself."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from outlast.backup import __main__ as copier
from outlast.backup import append_only, making, shelf
from outlast.backup import standstill as module_of_standstill
from outlast.backup.append_only import Opened, copy, opened
from outlast.backup.making import Places, make
from outlast.backup.restoring import check, put
from outlast.backup.schedule import RETRY_SECONDS
from outlast.backup.standstill import EXPIRY, standstill
from outlast.errors import BackupError
from outlast.kernel.checkpoints import find_manifest
from outlast.log.records import AttemptClosed, CellFinished, CellStarted, Record, StateSaved, TurnWaiting
from outlast.log.redis_log import RedisLog, connect
from outlast.log.store import BACKUP_KEY
from outlast.log.verify import verify_log
from tests.fleet import Fleet, started_cell
from tests.integration.sessions import GATE, SLOWLY, cell, let_go, outputs, ran, script
from tests.observer import bodies
from tests.redis_server import RedisServer
from tests.unit.cli.sample import play

ROOT = Path(__file__).parents[3]

JOB = script(
    cell(1, "x = [1, 2]"),
    cell(2, "y = x\ny.append(3)\nprint('two')"),
    cell(3, f"print('working', flush=True)\n{GATE}print(x, y is x)"),
    cell(4, "print(sum(y))"),
)


def places(top: Path) -> Places:
    """Below a directory, as a fleet has them, and one for the backups."""
    where = Places(top / "redis", top / "sessions", top / "backups")
    for place in (where.redis, where.workspaces, where.backups):
        place.mkdir(parents=True, exist_ok=True)
    return where


def backup(where: Places, url: str, *words: str) -> dict[str, Any]:
    """The command, as the container runs it."""
    named = [f"--redis={where.redis}", f"--workspaces={where.workspaces}", f"--backups={where.backups}"]
    given = {"BACKUP_KEEP": "2", "REDIS_MEMORY": "it's 1gb", "HF_TOKEN": "secret", "OUTLAST_REDIS_URL": url}
    done = subprocess.run(
        [sys.executable, "-m", "outlast.backup", *named, *words],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "services"), **given},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[tuple[Places, RedisServer]]:
    """Places with a session that is over, and their Redis."""
    where = places(tmp_path)
    (where.workspaces / "job/files").mkdir(parents=True)
    (where.workspaces / "job/files/ran.txt").write_text("1\n")
    server = RedisServer(where.redis)
    with connect(server.url) as connection:
        play(RedisLog(connection, "job"))
    yield where, server
    server.kill()


def test_a_job_that_ran_goes_on_from_a_backup_after_everything_was_lost(tmp_path: Path, kernel_python: Path) -> None:
    where = places(tmp_path)
    with Fleet(tmp_path, JOB, kernel_python, workers=1) as fleet:
        fleet.enqueue("job")
        fleet.wait("job", started_cell(3))
        told = backup(where, fleet.redis.url, "make")
        let_go(fleet, "job")
        fleet.finished("job")
    for place in (where.redis, where.workspaces):
        shutil.rmtree(place)
        place.mkdir()
    assert backup(where, "", "check", told["backup"]) == {"backup": told["backup"], "sessions": 1}
    backup(where, "", "put", told["backup"])
    with Fleet(tmp_path, JOB, kernel_python, workers=1) as fleet:
        let_go(fleet, "job")
        state = fleet.finished("job")
        assert state.closed is not None and state.closed.how == "finished"
        assert ran(fleet, "job") == ["1", "2", "3", "3", "4"]
        assert outputs(fleet.log("job").read()) == ["", "two", "working\n[1, 2, 3] True", "6"]
        assert fleet.verify("job").ok and fleet.job_status("job", "finished")


def test_a_backup_has_the_settings_that_are_ours_shares_what_has_not_changed_and_the_oldest_go(
    quiet: tuple[Places, RedisServer]
) -> None:
    where, server = quiet
    names = [backup(where, server.url, "make")["backup"]]
    settings = (where.backups / names[0] / "settings.env").read_text()
    modes = {path: (where.backups / names[0] / path).stat().st_mode & 0o777 for path in ("", "settings.env", "redis")}
    assert modes == {"": 0o711, "settings.env": 0o644, "redis": 0o755}
    assert settings == "BACKUP_KEEP=2\nREDIS_MEMORY='it\\'s 1gb'\n"
    # What a backup that died has left behind.
    (where.backups / f"{names[0]}.part/workspaces").mkdir(parents=True)
    while True:  # A file is known to be the same once it was unchanged for a second before it was copied.
        told = backup(where, server.url, "make")
        names.append(told["backup"])
        newest, before = (where.backups / name / "workspaces/job/files/ran.txt" for name in (names[-1], names[-2]))
        assert newest.read_text() == before.read_text() == "1\n"
        if newest.samefile(before):
            break
    assert told["sessions"] == 1 and told["left_out"] == []
    assert sorted(path.name for path in where.backups.iterdir() if path.is_dir()) == names[-2:]
    for name in names[-2:]:
        check(where, name)


def test_no_cell_starts_while_a_backup_holds_it_up_and_one_that_died_holds_nobody_up(
    tmp_path: Path, kernel_python: Path
) -> None:
    with Fleet(tmp_path, JOB, kernel_python, workers=1) as fleet:
        _held_up(fleet)


def _held_up(fleet: Fleet) -> None:
    with standstill(fleet.connection, "20261123T041122.250Z") as held:
        fleet.enqueue("job")
        fleet.wait("job", lambda _, record: record.type == "turn.waiting")
        with pytest.raises(BackupError, match="another backup is being copied"), standstill(fleet.connection, "other"):
            raise AssertionError("two at once")
        [waiting] = bodies(fleet.log("job").read(), TurnWaiting)
        assert waiting.why == "the backup 20261123T041122.250Z is being copied"
        assert not bodies(fleet.log("job").read(), CellStarted)
        held.demand()
    assert fleet.connection.get(BACKUP_KEY) is None
    fleet.wait("job", started_cell(3))
    # One that was killed: nobody renews what it has left, and its time runs out.
    fleet.connection.set(BACKUP_KEY, "died", px=60_000)
    let_go(fleet, "job")
    fleet.wait("job", lambda state, record: record.type == "turn.waiting" and state.cell == 4)
    fleet.connection.pexpire(BACKUP_KEY, 1)
    state = fleet.finished("job")
    assert state.closed is not None and state.closed.how == "finished"
    assert ran(fleet, "job") == ["1", "2", "3", "4"]


def test_a_standstill_that_lapsed_is_no_moment_for_a_backup(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module_of_standstill, "RENEWAL", 0.1)
    with connect(redis_server.url) as connection, standstill(connection, "mine") as held:
        assert 0 < int(connection.pttl(BACKUP_KEY)) <= EXPIRY * 1000  # type: ignore[arg-type]  # redis-py's own
        connection.delete(BACKUP_KEY)
        held._thread.join()
        with pytest.raises(BackupError, match="cells may have started"):
            held.demand()


def test_a_standstill_that_lasts_too_long_is_given_up_and_cells_go_on(
    quiet: tuple[Places, RedisServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    where, server = quiet
    monkeypatch.setattr(module_of_standstill, "LONGEST", 0.2)
    monkeypatch.setattr(module_of_standstill, "RENEWAL", 0.1)

    @contextmanager
    def opened_too_late(data: Path) -> Iterator[Opened]:
        for thread in threading.enumerate():
            if thread.name == "standstill":  # It ends when it has lasted too long.
                thread.join()
        with opened(data) as files:
            yield files

    monkeypatch.setattr(append_only, "opened", opened_too_late)
    with connect(server.url) as connection:
        with pytest.raises(BackupError, match="cells wait no longer for it"):
            make(where, connection, {})
        assert connection.get(BACKUP_KEY) is None
    assert shelf.names(where.backups) == [] and not list(where.backups.glob("*Z*"))


@pytest.mark.timeout(600)
def test_whatever_the_moment_log_and_files_of_a_backup_agree(
    tmp_path: Path, kernel_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backups as fast as they come, while two sessions run short cells, some with a save that outlasts them.

    Each is held up at its moment until a session comes to its next cell: that one must wait for the copy of its files.
    The last cell waits until there are a few.
    """
    quick = [cell(n, SLOWLY if n % 4 == 0 else f"v{n} = {n}") for n in range(1, 9)]
    quick.append(cell(9, GATE))
    with Fleet(tmp_path, script(*quick), kernel_python, workers=2) as fleet:
        where = places(tmp_path)

        @contextmanager
        def opened_for_long(data: Path) -> Iterator[Opened]:
            with opened(data) as files:
                then = fleet.log("one").tail().id
                if not any(body.cell == 9 for body in bodies(fleet.log("one").read(), CellStarted)):
                    fleet.wait("one", lambda _, record: record.id >= then and _goes_on(record))
                yield files

        monkeypatch.setattr(append_only, "opened", opened_for_long)
        for session in ("one", "two"):
            fleet.enqueue(session)
        for session in ("one", "two"):
            fleet.wait(session, lambda _, record: record.type == "cell.started")
        made = []
        while any(fleet.state(session).closed is None for session in ("one", "two")):
            made.append(make(where, fleet.connection, {}).manifest.name)
            if len(made) == 4:
                for session in ("one", "two"):
                    let_go(fleet, session)
        assert all(fleet.verify(session).ok for session in ("one", "two"))
    between = 0
    for number, name in enumerate(made):
        target = replace(places(tmp_path / str(number)), backups=where.backups)
        put(target, name)
        server = RedisServer(target.redis)
        try:
            with connect(server.url) as connection:
                for session in ("one", "two"):
                    between += _agree(RedisLog(connection, session), target.workspaces / session)
        finally:
            server.kill()
    assert between


def _goes_on(record: Record) -> bool:
    """Whether the session waits for the backup, or has gone further than it may."""
    body = record.body
    return isinstance(body, (CellFinished, AttemptClosed)) or (isinstance(body, TurnWaiting) and not body.seconds)


def _agree(log: RedisLog, workspace: Path) -> bool:
    """Assert that it looks like after a crash; whether the session was in the middle of its cells."""
    records = log.read()
    if not records:
        return False
    assert verify_log(log).ok
    started, finished = (len(bodies(records, kind)) for kind in (CellStarted, CellFinished))
    noted = workspace / "files/ran.txt"
    cells = noted.read_text().split() if noted.exists() else []
    # A cell that has ended has left its mark, once; one that has not been started has not.
    assert finished <= len(cells) <= started, (finished, cells, started)
    assert cells == [str(number) for number in range(1, len(cells) + 1)]
    named = [body.checkpoint for record in records if isinstance(body := record.body, (CellFinished, StateSaved))]
    for digest in [digest for digest in named if digest][-3:]:
        manifest = find_manifest(workspace / "checkpoints", digest)
        assert manifest is not None
        for name in set(re.findall(r'"([0-9a-f]{64})"', manifest.read_text())) if digest == named[-1] else ():
            assert list((workspace / "checkpoints/objects").rglob(f"*{name[2:]}*")), name
    return 0 < finished < 9


def test_a_backup_that_is_not_what_was_made_is_refused_and_nothing_is_touched(
    quiet: tuple[Places, RedisServer], tmp_path: Path
) -> None:
    where, server = quiet
    name = backup(where, server.url, "make")["backup"]
    where = replace(where, redis=tmp_path / "other/redis", workspaces=tmp_path / "other/sessions")
    for place in (where.redis, where.workspaces):
        place.mkdir(parents=True)
        (place / "kept").write_text("as it was")
    there = where.backups / name
    note, (log,) = there / "workspaces/job/files/ran.txt", there.glob("redis/appendonlydir/*incr*")
    known = note.stat()

    def write(text: str) -> None:
        note.write_text(text)
        os.utime(note, ns=(known.st_atime_ns, known.st_mtime_ns))

    def refused(why: str) -> None:
        for act in (check, put):
            with pytest.raises(BackupError, match=why):
                act(where, name)
        assert {path.name for place in (where.redis, where.workspaces) for path in place.iterdir()} == {"kept"}

    write("2\n")
    refused(r"workspaces/job/files/ran.txt has another content; take another")
    write("1\n")
    check(where, name)
    (there / "workspaces/job/files/more").touch()
    refused("files/more is not in its manifest")
    (there / "workspaces/job/files/more").unlink()
    log.rename(tmp_path / "away")
    refused(r"incr.* is missing")
    (tmp_path / "away").rename(log)
    log.chmod(0o644)
    refused("has another mode")
    log.chmod(0o600)
    put(where, name)
    assert not (where.redis / "kept").exists() and not (where.workspaces / "kept").exists()


class Over(Exception):
    """The end of a clock, and of who runs by it."""


class Clock:
    """Time goes on only while somebody sleeps: each sleep notes its length, and what is in `then` happens in it."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self, now: float, *then: Callable[[Clock], object]) -> None:
        self.now, self.slept, self._then = now, list[float](), iter(then)

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        try:
            next(self._then)(self)
        except StopIteration:
            raise Over from None


def health(where: Places) -> tuple[int, str]:
    """What the container's health check comes to, and says."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    told, *words = services["backup"]["healthcheck"]["test"]
    assert told == "CMD"
    done = subprocess.run(
        [it.replace("/backups", str(where.backups)) for it in words], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_one_is_made_each_hour_also_by_a_clock_that_was_ahead_and_a_failure_is_told_until_the_next(
    quiet: tuple[Places, RedisServer], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    where, server = quiet
    caplog.set_level(logging.INFO, copier.log.name)
    monkeypatch.setattr(copier.log, "handlers", [caplog.handler])
    monkeypatch.setattr(copier.log, "propagate", False)
    right = 1795407082.25  # 20261123T041122.250Z
    ahead = right + 8 * 3600
    seen: dict[str, object] = {}
    with connect(server.url) as connection:

        def note(name: str) -> None:
            seen[name] = ([it[9:13] for it in shelf.names(where.backups)], health(where))

        clock = Clock(
            ahead,
            lambda clock: None,
            lambda clock: setattr(clock, "now", right),
            lambda clock: None,
            lambda clock: None,
            lambda clock: (note("kept"), connection.set(BACKUP_KEY, "another")),
            lambda clock: (note("failed"), connection.delete(BACKUP_KEY)),
        )
        for module in (making, copier):
            monkeypatch.setattr(module, "time", clock)
        given = {"BACKUP_EVERY": "1h", "BACKUP_KEEP": "2", "OUTLAST_REDIS_URL": server.url}
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(Over):
            copier.every(where)
        note("after")
    assert [it.getMessage() for it in caplog.records] == [*["backup.made"] * 4, "backup.failed", "backup.made"]
    assert clock.slept == [0, 3600, 3600, 3600, 3600, RETRY_SECONDS, 3600]
    assert seen == {
        "kept": (["0511", "0611", "1211"], (0, "")),
        "failed": (["0511", "0611", "1211"], (1, "another backup is being copied; try again when it is done\n")),
        "after": (["0611", "0716", "1211"], (0, "")),
    }


def test_files_that_redis_replaces_while_they_are_copied_are_those_of_the_moment(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    try:
        with connect(server.url) as connection:
            for number in range(100):
                connection.set(f"k{number}", number)
            with opened(tmp_path) as files:
                connection.set("later", 1)
                connection.execute_command("BGREWRITEAOF")  # type: ignore[no-untyped-call]  # redis-py's own
                while connection.info("persistence")["aof_rewrite_in_progress"]:
                    pass
                (tmp_path / "copy").mkdir()
                copy(files, tmp_path / "copy")
        copied = RedisServer(tmp_path / "copy")
        try:
            with redis.Redis.from_url(copied.url) as connection:
                assert connection.dbsize() == 100 and connection.get("k99") == b"99"
        finally:
            copied.kill()
    finally:
        server.kill()
