"""The `outlast` command against a real Redis."""

from __future__ import annotations

import base64
import json
import os
import pty
import re
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import redis

from outlast.cli.main import main
from outlast.log.records import AttemptClosed, AttemptOpened, CellInterrupted, CellOutput, SessionOpened
from outlast.log.redis_log import RedisLog
from outlast.log.store import EMPTY
from tests.redis_server import RedisServer
from tests.unit.cli.sample import PROMPT, play

#: Where child processes find the package.
SERVICES = str(Path(__file__).parents[3] / "services")

Lines = list[dict[str, Any]]


@pytest.fixture(autouse=True)
def _address(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTLAST_REDIS_URL", redis_url)


@pytest.fixture
def sales(connection: redis.Redis) -> RedisLog:
    log = RedisLog(connection, "sales")
    play(log)
    return log


def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    return [json.loads(text) for text in capsys.readouterr().out.splitlines()]


def on_a_terminal(*arguments: str, columns: int = 120) -> str:
    """What the command prints to a terminal that wide."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns), "PYTHONPATH": SERVICES}
    process = subprocess.Popen([sys.executable, "-m", "outlast", *arguments], stdout=theirs, env=environment)
    os.close(theirs)
    printed = b""
    try:
        while part := os.read(ours, 65536):
            printed += part
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(ours)
    assert process.wait() == 0
    return printed.decode()


def test_list_shows_sessions_as_json_when_piped(sales: RedisLog, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    (row,) = lines(capsys)
    assert (row["session"], row["state"], row["attempts"], row["turns"], row["cells"]) == ("sales", "finished", 2, 3, 2)
    assert (row["worker"], row["prompt"]) == ("worker-2", PROMPT)


def test_list_shows_the_place_of_a_waiting_job_and_only_our_jobs(
    connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    for job, call in (("other", "os.system('ls')"), ("mine", "outlast.run(prompt='x')")):
        connection.sadd("rq:queues", "rq:queue:default")
        connection.rpush("rq:queue:default", job)
        connection.hset(f"rq:job:{job}", mapping={"description": call, "created_at": "2026-11-20T08:00:00Z"})
    assert main(["list"]) == 0
    assert [(row["session"], row["state"], row["place"]) for row in lines(capsys)] == [("mine", "queued", 2)]
    assert main(["show", "mine"]) == 1
    assert "session mine has not begun: its job is number 2 of 2 in queue default" in capsys.readouterr().err


def test_a_session_that_waits_for_its_next_attempt_is_listed_once(
    sales: RedisLog, connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    connection.sadd("rq:queues", "rq:queue:default")
    connection.rpush("rq:queue:default", "sales")
    connection.hset("rq:job:sales", mapping={"description": "outlast.run(prompt='x')", "created_at": "x"})
    assert main(["list"]) == 0
    assert [(row["session"], row["state"], row["place"]) for row in lines(capsys)] == [("sales", "queued", 1)]


def test_show_names_each_strike_by_its_cause_and_says_which_of_how_many_it_was(connection: redis.Redis) -> None:
    log = RedisLog(connection, "struck")
    play(log, finish=False)
    writer = log.open_attempt(AttemptOpened("worker-2", "crash"), holder="b", expected=log.tail())
    writer.append(CellInterrupted(2, "death", "the worker that ran it died"))
    writer.append(CellInterrupted(2, "strike", "it was ended by SIGSEGV", "crash"))
    shown = on_a_terminal("show", "struck")
    assert "cell 2 was interrupted, death: the worker that ran it died" in shown
    assert "cell 2 was interrupted, strike 1 of 2 (crash): it was ended by SIGSEGV" in shown


def refuse(connection: redis.Redis, job: str, reason: str) -> None:
    """A job that failed, as RQ keeps it."""
    connection.sadd("rq:queues", "rq:queue:default")
    connection.zadd("rq:failed:default", {job: time.time() + 1000})
    hash_ = {"description": "outlast.run(prompt='')", "status": "failed", "created_at": "2026-11-20T08:00:00Z"}
    connection.hset(f"rq:job:{job}", mapping=hash_)
    packed = base64.b64encode(zlib.compress(reason.encode()))
    connection.xadd(f"rq:results:{job}", {"type": 2, "exc_string": packed})


def test_a_job_that_opened_no_session_is_listed_and_shown_with_the_reason(
    sales: RedisLog, connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse(connection, "empty", "The prompt is empty.\x1b[31m")
    assert main(["list"]) == 0
    assert [(row["session"], row["state"]) for row in lines(capsys)] == [("sales", "finished"), ("empty", "refused")]
    assert "The prompt is empty." in on_a_terminal("list")
    for command in ("show", "logs", "verify"):
        assert main([command, "empty"]) == 1
        assert capsys.readouterr().err == "outlast: job empty failed and opened no session: The prompt is empty.\n"


def test_an_error_that_is_no_text_of_rq_is_shown_as_none(
    connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    refuse(connection, "odd", "x")
    connection.xadd("rq:results:odd", {"exc_string": base64.b64encode(zlib.compress(bytes(9_000_000)))})
    assert main(["show", "odd"]) == 1
    assert capsys.readouterr().err == "outlast: job odd failed and opened no session: RQ keeps no reason\n"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_long_texts_never_push_a_session_out_of_its_table(
    connection: redis.Redis, columns: int
) -> None:
    play(RedisLog(connection, "quarterly_sales_2025"))
    refuse(connection, "empty", "a long reason " * 30)
    listed = on_a_terminal("list", columns=columns)
    assert "quarterly_sales_2025" in listed and "finished" in listed and "refused" in listed
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", listed).splitlines())) <= columns


def test_list_says_how_to_start_when_there_is_nothing(redis_url: str) -> None:
    assert "rq enqueue outlast.run" in on_a_terminal("list")


def test_tables_are_for_terminals_and_hold_what_json_holds(sales: RedisLog) -> None:
    assert "worker-2" in on_a_terminal("list")
    shown = on_a_terminal("show", "sales")
    parts = ("total = 6", "ran 2 times", "chart.png", "1 cell not run again", "cannot be pickled", "The total is 6.")
    assert [part for part in parts if part not in shown] == []
    assert json.loads(on_a_terminal("show", "--json", "sales"))["cells"][1]["runs"] == 2


def test_nothing_that_a_cell_printed_reaches_the_terminal_as_a_command(sales: RedisLog) -> None:
    assert "half of it" in on_a_terminal("logs", "-f", "sales")
    assert "\x1b[31m it" not in on_a_terminal("logs", "-f", "sales")


def test_show_as_json_holds_the_whole_story(sales: RedisLog, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "sales"]) == 0
    (shown,) = lines(capsys)
    assert shown["answer"] == "The total is 6." and shown["attempts"][1]["ran_again"] == [2]
    assert shown["attempts"][1]["restored"]["restored"] == ["rows"]


def test_show_as_json_tells_whether_anybody_has_the_session_and_shows_that_it_lives(
    connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    log = RedisLog(connection, "held")
    log.open_attempt(AttemptOpened("w", "first"), holder="w.1", expected=EMPTY, session=SessionOpened("go"))
    told = []
    for renewals in (3, 4):
        connection.hset("outlast:leases", "w.1", renewals)
        assert main(["show", "held"]) == 0
        told += [(row["state"], row["renewals"], row["suspended"]) for row in lines(capsys)]
    connection.set("rq:suspended", 1)
    play(RedisLog(connection, "sales"))
    assert main(["show", "sales"]) == 0
    told += [(row["state"], row["renewals"], row["suspended"]) for row in lines(capsys)]
    assert told == [("running", 3, False), ("running", 4, False), ("finished", 0, True)]


def test_sessions_can_be_looked_at_while_redis_takes_no_writes(
    private_redis: Callable[[], RedisServer], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = private_redis()
    monkeypatch.setenv("OUTLAST_REDIS_URL", server.url)
    with redis.Redis.from_url(server.url) as client:
        play(RedisLog(client, "sales"))
        (server.directory / "dump.rdb").mkdir()
        client.config_set("save", "1000000 1")
        client.bgsave()
        while client.info("persistence")["rdb_bgsave_in_progress"]:
            pass
        with pytest.raises(redis.ResponseError, match="MISCONF"):
            client.ping()
    assert main(["show", "sales"]) == 0
    assert [row["state"] for row in lines(capsys)] == ["finished"]


def test_a_saved_log_is_verified_offline_and_a_changed_one_is_not(
    sales: RedisLog, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["logs", "sales"]) == 0
    saved = tmp_path / "sales.jsonl"
    saved.write_text(capsys.readouterr().out, encoding="utf-8")
    monkeypatch.setenv("OUTLAST_REDIS_URL", "redis://127.0.0.1:1/0")
    assert main(["verify", "--file", str(saved)]) == 0
    saved.write_text(saved.read_text(encoding="utf-8").replace("The total is 6.", "The total is 7."), encoding="utf-8")
    assert main(["verify", "--file", str(saved)]) == 1
    assert [row["ok"] for row in lines(capsys)] == [True, False]


def test_verify_passes_an_intact_log_and_fails_a_shortened_one(
    sales: RedisLog, connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", "--all"]) == 0
    assert main(["verify", "sales"]) == 0
    connection.xtrim("outlast:{sales}:log", maxlen=4, approximate=False)
    assert main(["verify", "sales"]) == 1
    assert [row["ok"] for row in lines(capsys)] == [True, True, False]


def test_logs_f_follows_until_the_session_closes(connection: redis.Redis, capsys: pytest.CaptureFixture[str]) -> None:
    log = RedisLog(connection, "sales")
    play(log, finish=False)
    follower = threading.Thread(target=main, args=(["logs", "-f", "sales"],))
    follower.start()
    writer = log.open_attempt(AttemptOpened("worker-2", "crash", "sales"), holder="b", expected=log.tail())
    writer.append(CellOutput(2, "on we go\n"))
    writer.close(AttemptClosed("finished"), state="finished")
    follower.join(30)
    assert not follower.is_alive()
    assert [row["id"] for row in lines(capsys)] == [str(record.id) for record in log.read()]


@pytest.mark.parametrize("command", ["show", "logs", "state", "verify"])
def test_an_unknown_session_is_one_sentence_and_exit_code_1(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "nobody"]) == 1
    assert capsys.readouterr().err == (
        "outlast: there is no session nobody; `outlast list` shows those that there are.\n"
    )


def test_an_unreachable_redis_is_one_sentence_without_the_password_and_exit_code_3(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--redis-url", "redis://me:secret@127.0.0.1:1/0", "list"]) == 3
    said = capsys.readouterr().err
    assert said.startswith("outlast: Redis at redis://127.0.0.1:1/0 cannot be reached") and said.count("\n") == 1
    assert "secret" not in said


@pytest.mark.parametrize("url", ["http://127.0.0.1", "nonsense"])
def test_a_wrong_address_is_one_sentence_and_exit_code_2(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--redis-url", url]) == 2
    assert capsys.readouterr().err.startswith(f"outlast: {url} is no address of a Redis")


def test_an_unknown_setting_is_named_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OUTLAST_REDIS_ULR", "redis://127.0.0.1")
    assert main(["list"]) == 2
    assert "did you mean OUTLAST_REDIS_URL?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["verify"], ["verify", "--all", "x"], ["list", "--limit", "0"], ["show"]])
def test_wrong_usage_exits_with_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


@pytest.mark.parametrize("command", ["list", "show", "logs", "state", "verify"])
def test_every_command_has_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    said = capsys.readouterr().out
    assert f"  outlast {command}" in said and "exit codes" in said


def test_a_reader_who_has_seen_enough_is_no_error(sales: RedisLog) -> None:
    command = f"{sys.executable} -m outlast logs sales | head -n 1"
    environment = {**os.environ, "PYTHONPATH": SERVICES}
    done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=True)
    assert done.stderr == "" and json.loads(done.stdout)["id"] == "0-1"


def test_a_file_that_is_cut_short_or_missing_is_said_in_plain_words(
    sales: RedisLog, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["logs", "sales"]) == 0
    cut = tmp_path / "cut.jsonl"
    cut.write_text(capsys.readouterr().out[:-20], encoding="utf-8")
    assert main(["verify", "--file", str(cut)]) == 1
    assert "it is no JSON, or was cut short." in capsys.readouterr().out
    assert main(["verify", "--file", "/nowhere"]) == 2
    assert capsys.readouterr().err == "outlast: /nowhere cannot be read: No such file or directory.\n"
