"""Backups of a stack that works, and restores of it, as an operator types them."""

from __future__ import annotations

import json
import time
from pathlib import Path

from outlast.log.records import CellFinished
from tests.observer import PATIENCE, NeverHappened, bodies
from tests.stack.stack import Done, Stack, cell_speaks


def backups(stack: Stack) -> list[Path]:
    """The finished ones, oldest first."""
    return sorted((stack.directory / "backups").glob("*Z"))


def a_backup(stack: Stack, *words: str) -> Path:
    """Make one; its directory, as `make backup` tells it."""
    told = stack.make("backup", *words).stdout
    newest = backups(stack)[-1]
    assert told.startswith(f"{newest}: ")
    return newest


def restore(stack: Stack, backup: Path, *, check: bool = True) -> Done:
    """`make restore FROM=…`, with the path as an operator types it."""
    return stack.make("restore", f"FROM={backup.relative_to(stack.directory)}", check=check)


def admin(stack: Stack, *words: str) -> None:
    """A command of Redis's administrator."""
    script = 'REDISCLI_AUTH=$(cat /run/secrets/redis_admin) exec redis-cli --user admin "$@"'
    stack.compose("exec", "-T", "redis", "sh", "-c", script, "sh", *words)


def test_a_job_goes_on_after_a_restore_that_was_taken_back_and_after_its_volumes_were_wiped(stack: Stack) -> None:
    session = stack.enqueue("backed-up", "gated")
    stack.wait(session, cell_speaks(3))
    stack.finished(stack.enqueue("tampered", "hello"))
    backup = a_backup(stack)
    known = "".join((backup / name).read_text() for name in ("manifest.jsonl", "settings.env"))
    secrets = [path.read_text().strip() for path in (stack.directory / "secrets").iterdir()]
    assert "MODELS_DIR=" in known and not [secret for secret in secrets if secret in known]

    admin(stack, "XDEL", "outlast:{tampered}:log", str(stack.log("tampered").read()[2].id))
    broken = a_backup(stack)
    done = restore(stack, broken, check=False)
    assert done.returncode and "What was there before is there again." in done.stderr
    assert f"{broken.name} was not restored. The log of session tampered is broken in it" in done.stderr
    assert len(backups(stack)) >= 3, "the restore point is one too"
    stack.wait_healthy()
    stack.connect()
    stack.wait(session, lambda state, record: cell_speaks(3)(state, record) and state.attempt == 2)
    stack.let_go(session)
    assert stack.finished(session).closed is not None and stack.ran(session) == ["1", "2", "3", "3", "4"]

    stack.compose("down", "--volumes", "--timeout", "5")
    there = backups(stack)
    restore(stack, backup)
    stack.connect()
    assert backups(stack) == there, "there was nothing that a restore point could be made of"
    stack.wait(session, lambda state, record: cell_speaks(3)(state, record) and state.attempt == 2)
    stack.let_go(session)
    state = stack.finished(session)
    assert state.closed is not None and state.closed.how == "finished"
    assert stack.ran(session) == ["1", "2", "3", "3", "4"]
    finished = bodies(stack.log(session).read(), CellFinished)
    assert [body.output.strip() for body in finished] == ["", "two", "working\n[1, 2, 3] True", "6"]
    assert stack.job_status(session, "finished")
    assert all(stack.verify(it).ok for it in (session, "tampered"))


def test_a_fourth_container_makes_them_where_an_interval_is_set_and_goes_with_it(stack: Stack) -> None:
    stack.finished(stack.enqueue("by-itself", "hello"))
    place = stack.directory / "backups"
    for name in backups(stack):
        (name / "manifest.jsonl").unlink()  # So it is no backup any more, and the next is due.
    stack.make("up", "BACKUP_EVERY=1h")
    deadline = time.monotonic() + PATIENCE
    logs = ("--profile", "backup", "logs", "--no-log-prefix", "backup")
    while "backup.made" not in (said := stack.compose(*logs).stdout):
        if time.monotonic() > deadline:
            raise NeverHappened(said)
        time.sleep(0.1)
    assert list(place.glob("*Z/manifest.jsonl"))
    [container] = stack.compose("--profile", "backup", "ps", "--quiet", "backup").stdout.split()
    assert stack.inspect(container)["State"]["Health"]["Status"] == "healthy"
    assert [json.loads(line)["event"] for line in said.splitlines()] == ["backup.made"]
    stack.make("up")
    assert not stack.compose("--profile", "backup", "ps", "--all", "--quiet", "backup").stdout
