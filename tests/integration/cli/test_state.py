"""`outlast state`, and what `outlast show` says of variables, with a real Redis and manifests as kernels write them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

from outlast.cli.main import main
from outlast.log.records import AttemptOpened, Body, CellFinished, CellStarted, ReplyFinished, StateSaved
from outlast.log.records import Cell as Code
from outlast.log.redis_log import RedisLog
from outlast.log.store import EMPTY
from tests.integration.cli.test_commands import SERVICES, on_a_terminal
from tests.integration.cli.test_elsewhere import STAND_IN, docker, sends
from tests.unit.cli.sample import opening

REPLY = "```python\nx\n```"
GENERATOR = {"rows": "generator"}


@pytest.fixture
def workspaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Path:
    path = tmp_path / "sessions"
    path.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("OUTLAST_WORKSPACES", str(path))
    monkeypatch.setenv("OUTLAST_REDIS_URL", redis_url)
    return path


def keep(workspaces: Path, session: str, cell: int, saved: dict[str, dict[str, Any]], /, **changed: Any) -> str:
    """Write the manifest of a cell; its digest."""
    manifest = {
        "format": 2, "cell": cell, "python": "3.11.7", "libraries": {"pandas": "3.1.1"},
        "components": [{"entries": [["name", name] for name in saved], "stream": {}, "buffers": []}],
        "bytes": sum(each["bytes"] for each in saved.values()), "saved": saved, "missing": {}, **changed,
    }  # fmt: skip
    place = workspaces / session / "checkpoints" / "manifests"
    place.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest).encode()
    (place / f"{cell}-0011aabb.json").write_bytes(text)
    return hashlib.sha256(text).hexdigest()


def log(connection: redis.Redis, session: str, *ends: tuple[Body, ...]) -> None:
    """A session with one cell for each of `ends`: what is logged after its start."""
    writer = RedisLog(connection, session).open_attempt(
        AttemptOpened("worker-1", "first", session), holder="a", expected=EMPTY, session=opening()
    )
    for number, end in enumerate(ends, 1):
        writer.append(ReplyFinished(REPLY, Code("python", 10, 12), "fence"))
        writer.append(CellStarted(number, "python"))
        for body in end:
            writer.append(body)


FRAME = {"df": {"type": "pandas.DataFrame", "bytes": 2_100_000_000}, "view": {"type": "numpy.ndarray", "bytes": 700}}


@pytest.fixture
def sales(workspaces: Path, connection: redis.Redis) -> Path:
    """Three cells: saved at once, saved later with something missing, and not saved yet."""
    first = keep(workspaces, "sales", 1, {"x": {"type": "int", "bytes": 5}})
    second = keep(workspaces, "sales", 2, {"x": {"type": "int", "bytes": 5}, **FRAME}, missing=GENERATOR)
    log(
        connection,
        "sales",
        (CellFinished(1, "ok", "", checkpoint=first, seconds=0.1),),
        (CellFinished(2, "ok", "", seconds=0.1), StateSaved(2, second, GENERATOR)),
        (CellFinished(3, "ok", "", seconds=0.1),),
    )
    return workspaces / "sales" / "checkpoints" / "manifests"


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = capsys.readouterr().out.splitlines()
    told: dict[str, Any] = json.loads(line)
    return told


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one sentence with which the command ends, exit code 1."""
    assert main(["state", *arguments]) == 1
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1
    return said.err


# -------------------------------------------------------------------------------------------------- outlast state


def test_state_lists_the_variables_of_the_newest_cell_that_was_saved(
    sales: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["state", "sales"]) == 0
    told = listed(capsys)
    assert (told["session"], told["cell"], told["bytes"], told["python"]) == ("sales", 2, 2_100_000_705, "3.11.7")
    assert [(each["name"], each["type"], each["bytes"]) for each in told["variables"]] == [
        ("df", "pandas.DataFrame", 2_100_000_000), ("view", "numpy.ndarray", 700), ("x", "int", 5),
    ]  # fmt: skip
    assert (told["missing"], told["shared"]) == (GENERATOR, [["df", "view"]])
    assert (told["libraries"], len(told["checkpoint"])) == ({"pandas": "3.1.1"}, 64)


def test_state_lists_those_of_an_earlier_cell(sales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["state", "sales", "--cell", "1"]) == 0
    told = listed(capsys)
    assert told["cell"] == 1 and [each["name"] for each in told["variables"]] == ["x"]


def test_on_a_terminal_it_is_a_table_that_says_what_is_missing_and_what_comes_later(sales: Path) -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal("state", "sales"))
    parts = (
        "as of cell 2 of 3", "3 variables", "2.1 GB", "Python 3.11.7, pandas 3.1.1", "pandas.DataFrame",
        "share objects: df, view", "missing: rows (generator)", "the variables of cell 3 are still being saved",
    )  # fmt: skip
    assert [part for part in parts if part not in shown] == []


def test_nothing_that_a_name_holds_reaches_the_terminal_as_a_command(workspaces: Path, connection: redis.Redis) -> None:
    hostile = "\x1b[31mred\x07"
    digest = keep(workspaces, "s", 1, {hostile: {"type": hostile, "bytes": 1}}, missing={hostile: hostile})
    log(connection, "s", (CellFinished(1, "ok", "", checkpoint=digest),))
    shown = on_a_terminal("state", "s") + on_a_terminal("show", "s")
    assert "red" in shown and "\x1b[31mred" not in shown and "\x07" not in shown


def test_a_session_without_any_variable_is_listed_as_such(
    workspaces: Path, connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    log(connection, "s", (CellFinished(1, "ok", "", checkpoint=keep(workspaces, "s", 1, {})),))
    assert main(["state", "s"]) == 0
    assert listed(capsys)["variables"] == []
    assert "0 variables" in on_a_terminal("state", "s")


def test_a_cell_that_there_is_not_is_told_with_how_many_there_are(
    sales: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(capsys, "sales", "--cell", "4") == "outlast: session sales has no cell 4; it has 3 cells so far.\n"


def test_a_session_without_a_checkpoint_says_why(
    workspaces: Path, connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    log(connection, "empty")
    assert "session empty has no checkpoint yet, for no cell has run." in refused(capsys, "empty")
    log(connection, "busy", ())
    assert "has no checkpoint yet: cell 1 has not completed (running)." in refused(capsys, "busy")


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ((CellFinished(2, "ok", ""),), "the variables of cell 2 are still being saved"),
        ((CellFinished(2, "ok", "", state_error="the disk is full."),), "cell 2 left no checkpoint (the disk is full)"),
        ((CellFinished(2, "ok", ""), StateSaved(2, "", error="too slow")), "cell 2 left no checkpoint (too slow)"),
        ((CellFinished(2, "killed", ""),), "cell 2 was killed and left the variables as they were before it"),
        ((), "cell 2 has not completed (running)"),
    ],
)
def test_a_cell_without_a_checkpoint_says_why_and_which_cell_has_one(
    workspaces: Path, connection: redis.Redis, end: tuple[Body, ...], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first = keep(workspaces, "s", 1, {})
    log(connection, "s", (CellFinished(1, "ok", "", checkpoint=first),), end)
    assert refused(capsys, "s", "--cell", "2") == (
        f"outlast: {why}; `outlast state s --cell 1` lists those of the newest cell before it that has one.\n"
    )


def test_a_manifest_that_was_changed_is_not_listed(sales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [manifest] = sales.glob("2-*.json")
    manifest.write_bytes(manifest.read_bytes().replace(b"pandas", b"polars"))
    assert "the checkpoint of cell 2 cannot be listed: its manifest was changed since" in refused(capsys, "sales")


def test_a_manifest_that_is_gone_is_said_to_be(sales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next(sales.glob("1-*.json")).unlink()
    assert "not kept any more: those of the newest 50 cells are." in refused(capsys, "sales", "--cell", "1")


@pytest.mark.parametrize("changed", [{"format": 3}, {"cell": 7}, {"saved": {"x": 1}}, {"bytes": "many"}], ids=str)
def test_a_manifest_that_the_sandbox_made_up_is_refused(
    workspaces: Path, connection: redis.Redis, changed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    digest = keep(workspaces, "s", 1, {}, **changed)
    log(connection, "s", (CellFinished(1, "ok", "", checkpoint=digest),))
    assert "the checkpoint of cell 1 cannot be listed: its " in refused(capsys, "s")
    assert main(["show", "s"]) == 0
    assert listed(capsys)["variables"] is None


def test_a_session_without_a_workspace_here_says_where_to_look(
    workspaces: Path, connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    log(connection, "far", (CellFinished(1, "ok", "", checkpoint="ab" * 32),))
    said = refused(capsys, "far")
    assert "session far has no workspace below" in said and "docker compose exec worker outlast state far" in said


# --------------------------------------------------------------------------------------------------- in the stack


@pytest.fixture
def stack(tmp_path: Path, sales: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The workspaces are on the volume of a stack, in whose directory the test stands; `docker` is a stand-in."""
    (tmp_path / "sessions").rename(tmp_path / "volume")
    (tmp_path / "here" / "compose.yaml").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    docker(tmp_path, STAND_IN.format(directory=tmp_path, services=SERVICES, python=sys.executable))
    return tmp_path


def test_the_worker_container_is_asked_for_the_very_cell(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["state", "sales"]) == 0
    assert [each["name"] for each in listed(capsys)["variables"]] == ["df", "view", "x"]
    called = (stack / "called").read_text().splitlines()
    assert called[1:] == ["compose", "exec", "-T", "worker", "outlast", "state", "--json", "--cell", "2", "--", "sales"]


def test_what_the_container_cannot_list_is_said_in_its_words(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    next((stack / "volume/sales/checkpoints/manifests").glob("2-*.json")).unlink()
    assert "the checkpoint of cell 2 cannot be listed: its manifest is not kept any more" in refused(capsys, "sales")


@pytest.mark.parametrize("change", [{"cell": 1}, {"checkpoint": "0" * 64}, {"variables": 7}, {"python": "\n"}], ids=str)
def test_an_answer_about_something_else_is_refused(
    stack: Path, change: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["state", "sales"]) == 0
    sends(stack, json.dumps(listed(capsys) | change).encode())
    assert "sent was cut off, or is of another version of Outlast." in refused(capsys, "sales")


def test_only_what_a_listing_holds_is_taken_from_an_answer(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["state", "sales"]) == 0
    told = listed(capsys)
    sends(stack, json.dumps(told | {"session": "other", "more": "x"}).encode())
    assert main(["state", "sales"]) == 0
    assert listed(capsys) == told


# --------------------------------------------------------------------------------------------------- outlast show


def test_show_tells_each_cells_state_and_its_size(sales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "sales"]) == 0
    shown = listed(capsys)
    assert [(cell.get("state_bytes"), cell["pending"]) for cell in shown["cells"]] == [
        (5, False), (2_100_000_705, False), (None, True),
    ]  # fmt: skip
    assert shown["variables"] == {
        "cell": 2, "bytes": 2_100_000_705, "saved": {"df": 2_100_000_000, "view": 700, "x": 5}, "missing": GENERATOR,
    }  # fmt: skip
    lines = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal("show", "sales")).splitlines()
    states = [" 5 B ", "2.1 GB, 1 missing", "pending"]
    assert all(any(state in line for line in lines) for state in states)
    assert any(
        line.startswith("variables as of cell 2: df (2.1 GB), view (700 B), x (5 B); `outlast") for line in lines
    )


def test_show_tells_once_what_many_cells_lack(workspaces: Path, connection: redis.Redis) -> None:
    ends = [(CellFinished(number, "ok", "", checkpoint="c", missing=GENERATOR),) for number in range(1, 6)]
    log(connection, "s", *ends)
    shown = on_a_terminal("show", "s")
    assert shown.count("is not in the checkpoint") == 1 and "5 cells, 1 to 5: rows" in shown


def test_show_reads_no_more_of_the_manifests_than_takes_no_time(
    sales: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("outlast.cli.variables._GLANCE_BYTES", 1)
    assert main(["show", "sales"]) == 0
    assert ["state_bytes" in cell for cell in listed(capsys)["cells"]] == [False, True, False]


def test_show_does_without_the_manifests(
    workspaces: Path, connection: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    log(connection, "far", (CellFinished(1, "ok", "", checkpoint="ab" * 32),))
    assert main(["show", "far"]) == 0
    assert listed(capsys)["variables"] is None
    assert "saved" in on_a_terminal("show", "far")
