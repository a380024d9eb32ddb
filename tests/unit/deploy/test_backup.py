"""What `make backup` and `make restore` do on the host, in which order; what the copier does is tested elsewhere."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from outlast.deploy import backup
from outlast.deploy.stack import Stack
from tests.unit.deploy.conftest import Done
from tests.unit.deploy.stand_in import Host, container

Run = Callable[..., Done]

SERVICES = Path(__file__).parents[3] / "services"
NAME, POINT = "20261123T041122.250Z", "20261124T000000.000Z"
COPIER = "docker compose run --rm --no-deps -T"
VERIFY = f"{COPIER} worker outlast verify"
MADE = {"backup": NAME, "sessions": 3, "files": 7, "bytes": 5 << 20, "seconds": 1.5, "held": 0.25, "left_out": []}


def copier(host: Host, service: str, word: str, told: object = None, err: str = "", code: int = 0) -> None:
    """What a command of the copier comes to."""
    start = f"{COPIER} {service} python -m outlast.backup {word}"
    host.answer(start, "" if told is None else f"{json.dumps(told)}\n", err, code)


@pytest.fixture
def up(host: Host) -> Host:
    """A stack that runs, with a copier to which everything succeeds."""
    host.containers = [container(it, host.port) for it in ("redis", "worker", "vllm")]
    host.settle()
    (host.directory / "secrets").mkdir(mode=0o700)
    (host.directory / "secrets/redis_worker").write_text("a-password-of-the-tests")
    copier(host, "backup", "make", MADE)
    copier(host, "restore", "check", MADE)
    copier(host, "restore", "point", {**MADE, "backup": POINT})
    copier(host, "restore", "put", MADE)
    copier(host, "restore", "clear", {"backup": ""})
    host.answer(VERIFY, '{"session": "s", "ok": true, "problems": []}\n')
    return host


def steps(host: Host) -> list[str]:
    """What was stopped, started and copied, in order."""
    told = []
    for call in (" ".join(call) for call in host.calls()):
        for start, short in ((f"{COPIER} restore python -m outlast.backup ", ""), (f"{VERIFY} ", "verify ")):
            if call.startswith(start):
                told.append(short + call.removeprefix(start))
        words = call.removeprefix("docker compose ").removeprefix("--profile backup ").split()
        if words[0] in ("stop", "start", "up"):
            told.append(" ".join(word for word in words if not word.startswith("--")))
    return told


def test_a_backup_is_told_with_its_place_and_what_is_not_in_it(up: Host, run: Run) -> None:
    copier(up, "backup", "make", {**MADE, "left_out": ["s/deep\x1b[31m: it is too deep"]})
    done = run("backup")
    assert done.code == 0 and done.err == ""
    assert done.out.splitlines() == [
        f"{up.directory}/backups/{NAME}: 3 sessions, 7 files, 5 MB, in 1.5 s; cells that were to start waited up to "
        "0.25 s.",
        "Left out: s/deep·[31m: it is too deep",
    ]
    assert (up.directory / "backups").stat().st_mode & 0o777 == 0o700


def test_one_is_told_as_one(up: Host, run: Run) -> None:
    copier(up, "backup", "make", {**MADE, "sessions": 1, "files": 1})
    assert "1 session, 1 file, 5 MB" in run("backup").out


def test_a_backup_that_failed_is_told_in_the_copiers_own_words(up: Host, run: Run) -> None:
    copier(up, "backup", "make", err="another backup is under way; try again when it is done\n", code=1)
    done = run("backup")
    assert (done.code, done.err) == (1, "Another backup is under way; try again when it is done.\n")


def test_a_stack_that_stands_still_is_copied_without_redis(up: Host, run: Run) -> None:
    up.containers = [container(it, up.port, status="exited") for it in ("redis", "worker", "vllm")]
    up.settle()
    copier(up, "backup", "point", {**MADE, "held": 0})
    assert "waited" not in run("backup").out


def test_a_restore_checks_first_keeps_what_is_there_and_verifies(up: Host, run: Run) -> None:
    run("up")
    before = len(steps(up))
    done = run("restore", f"backups/{NAME}")
    assert done.code == 0, done
    assert steps(up)[before:] == [
        f"check {NAME}", "stop worker backup redis", "point", f"put {NAME}", "up redis", "verify --all --json", "up",
    ]  # fmt: skip
    assert f"What was there before is kept: make restore FROM={up.directory}/backups/{POINT}" in done.out


def test_a_damaged_backup_is_refused_before_anything_is_stopped(up: Host, run: Run) -> None:
    copier(up, "restore", "check", err=f"the backup {NAME} is damaged: a is missing; take another\n", code=1)
    done = run("restore", NAME)
    assert (done.code, done.err) == (1, f"The backup {NAME} is damaged: a is missing; take another.\n")
    assert steps(up) == [f"check {NAME}"]


@pytest.mark.parametrize("was_there", [True, False], ids=("something was there", "nothing was there"))
def test_a_backup_with_a_broken_log_is_taken_back(up: Host, run: Run, was_there: bool) -> None:
    copier(up, "restore", "point", {"backup": POINT if was_there else ""})
    broken = '{"session": "s", "ok": true, "problems": []}\n{"session": "t", "ok": false, "problems": ["No."]}\n'
    up.answer(VERIFY, broken, code=1)
    done = run("restore", NAME)
    back = f"put {POINT}" if was_there else "clear"
    assert steps(up)[-4:] == ["verify --all --json", "stop redis", back, "start redis worker"]
    assert done.code == 1 and done.err == (
        f"{NAME} was not restored. The log of session t is broken in it: No.\nWhat was there before is there again.\n"
    )


def test_what_is_not_in_the_restore_point_is_told(up: Host, run: Run) -> None:
    copier(up, "restore", "point", {**MADE, "backup": POINT, "left_out": ["s/deep: it is too deep"]})
    assert "Left out: s/deep: it is too deep" in run("restore", NAME).out
    up.answer(VERIFY, '{"session": "t", "ok": false, "problems": ["No."]}\n', code=1)
    told = run("restore", NAME).err
    assert told.endswith("What was there before is there again.\nLeft out: s/deep: it is too deep\n")


def test_a_copier_that_refuses_has_changed_nothing_that_would_have_to_be_put_back(up: Host, run: Run) -> None:
    copier(up, "restore", "put", err="the disk is full\n", code=1)
    done = run("restore", NAME)
    assert steps(up)[-2:] == [f"put {NAME}", "start redis worker"]
    assert done.code == 1 and "What was there before is there again." in done.err


def test_a_copier_that_was_killed_is_told_with_the_setting_and_taken_back(up: Host, run: Run) -> None:
    copier(up, "restore", f"put {NAME}", code=137)
    done = run("restore", NAME)
    assert steps(up)[-4:] == [f"put {NAME}", "stop redis", f"put {POINT}", "start redis worker"]
    assert done.code == 1 and "The copier (outlast.backup put) was killed" in done.err
    assert "set BACKUP_MEMORY higher in .env" in done.err and "What was there before is there again." in done.err


def test_whatever_goes_wrong_after_the_exchange_it_is_taken_back(up: Host, run: Run) -> None:
    up.answer(VERIFY, "no JSON\n", code=1)
    done = run("restore", NAME)
    assert steps(up)[-3:] == ["stop redis", f"put {POINT}", "start redis worker"]
    assert done.code == 1 and "Something unforeseen was in the way: JSONDecodeError" in done.err


def test_nobody_ends_a_restore_in_the_middle(up: Host, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    verify = backup._verify

    def interrupted(stack: Stack) -> None:
        for number in numbers:
            signal.raise_signal(number)
        verify(stack)

    monkeypatch.setattr(backup, "_verify", interrupted)
    done = run("restore", NAME)
    assert done.code == 0 and steps(up)[-2:] == ["verify --all --json", "up"]
    assert done.err.count("This cannot be left half-done: it ends by itself in a moment.") == 2
    assert [signal.getsignal(number) for number in numbers] == before


def test_a_terminal_that_goes_takes_nothing_with_it(tmp_path: Path) -> None:
    """What is printed to it from then on is no error in the middle of what must be done."""
    code = (
        "import os, pathlib, time\nfrom outlast.deploy.interrupts import uninterrupted\n"
        "with uninterrupted('wait'):\n"
        " print('here', flush=True)\n"
        " while os.readlink('/proc/self/fd/1') != os.devnull: time.sleep(0.01)\n"
        " print('gone', flush=True)\n"
        f"pathlib.Path({str(tmp_path / 'done')!r}).touch()\n"
    )
    child, terminal = pty.fork()
    if not child:
        os.execve(sys.executable, [sys.executable, "-c", code], {**os.environ, "PYTHONPATH": str(SERVICES)})
    assert b"here" in os.read(terminal, 100)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 and (tmp_path / "done").exists()


def test_where_nothing_was_ever_started_make_up_comes_first(up: Host, run: Run) -> None:
    (up.directory / "secrets/redis_worker").unlink()
    done = run("backup")
    assert done.code == 1 and "redis_worker is not there" in done.err and "make up makes it" in done.err
    assert steps(up) == []


def test_what_cannot_be_put_back_is_told_with_the_way(up: Host, run: Run) -> None:
    copier(up, "restore", "put", code=137)
    done = run("restore", NAME)
    assert done.code == 1 and "could not be put back by itself" in done.err
    assert f"then make restore FROM={POINT}" in done.err


def test_where_nothing_could_be_kept_nothing_is_put_back_and_what_ran_runs_again(up: Host, run: Run) -> None:
    copier(up, "restore", "point", err="a file cannot be used: Input/output error\n", code=1)
    done = run("restore", NAME)
    assert done.code == 1 and "What was there before is there again." in done.err
    assert steps(up)[-3:] == ["stop worker backup redis", "point", "start redis worker"]


def test_a_backup_that_is_not_among_the_others_is_refused_with_what_to_do(up: Host, run: Run) -> None:
    done = run("restore", f"/elsewhere/{NAME}")
    assert done.code == 1 and f"/elsewhere/{NAME} is not in {up.directory}/backups: put it there" in done.err
    (up.directory / "backups" / NAME).mkdir(parents=True)
    done = run("restore", "")
    assert done.code == 1 and f"make restore FROM={up.directory}/backups/{NAME}." in done.err
    assert steps(up) == []


def test_a_host_that_fails_a_check_restores_nothing(up: Host, run: Run) -> None:
    up.env("REDIS_PROT=1")
    assert run("restore", NAME).code == 2
    assert steps(up) == []


def test_the_service_is_one_of_the_stacks_where_an_interval_is_set(host: Host) -> None:
    stack = Stack(host.directory, {})
    assert backup.with_service(stack) == stack
    host.env("BACKUP_EVERY=1h")
    assert backup.with_service(stack).environ == {"COMPOSE_PROFILES": "backup"}
    host.env("BACKUP_EVERY=1h", "COMPOSE_PROFILES=mine")
    assert backup.with_service(stack).environ == {"COMPOSE_PROFILES": "mine,backup"}


def test_a_service_that_is_no_longer_asked_for_goes(up: Host, run: Run) -> None:
    up.containers.append(container("backup"))
    up.settle()
    up.answer("docker compose --profile backup rm")
    assert run("up").code == 0
    assert ["docker", "compose", "--profile", "backup", "rm", "--stop", "--force", "backup"] in up.calls()
