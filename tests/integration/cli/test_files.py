"""`outlast files` and `outlast cp` against a real Redis and workspaces as hostile code leaves them."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis

from outlast.cli import beneath, saving
from outlast.cli.main import main
from outlast.log.records import Artifact, AttemptOpened, CellFinished, CellStarted, ReplyFinished
from outlast.log.records import Cell as Code
from outlast.log.redis_log import RedisLog
from outlast.log.store import EMPTY
from tests.integration.cli.test_commands import SERVICES, on_a_terminal
from tests.unit.cli.sample import opening

HOSTILE = "new\nline\x1b[31m"
REPLY = "```python\nx\n```"


@pytest.fixture
def workspaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> Path:
    """Where sessions are on this machine; the test stands in an empty directory beside it."""
    path = tmp_path / "sessions"
    path.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("OUTLAST_WORKSPACES", str(path))
    monkeypatch.setenv("OUTLAST_REDIS_URL", redis_url)
    return path


@pytest.fixture
def sales(workspaces: Path, connection: redis.Redis) -> Path:
    """A session with a log and a workspace: its `files` directory."""
    log(connection, "sales")
    return workspace(workspaces, "sales")


def log(connection: redis.Redis, session: str) -> None:
    """A log whose first cell made an artifact."""
    writer = RedisLog(connection, session).open_attempt(
        AttemptOpened("worker-1", "first", session), holder="a", expected=EMPTY, session=opening()
    )
    writer.append(ReplyFinished(REPLY, Code("python", 10, 12), "fence"))
    writer.append(CellStarted(1, "python"))
    chart = Artifact("artifacts/cell-1.png", 3, "ab" * 32, "image/png")
    writer.append(CellFinished(1, "ok", "", artifacts=(chart,), checkpoint="c1", seconds=0.1))


def workspace(workspaces: Path, session: str) -> Path:
    files = workspaces / session / "files"
    (files / "plots" / "empty").mkdir(parents=True)
    (files / "report.txt").write_text("report", encoding="utf-8")
    (files / "plots" / "z.txt").write_text("z", encoding="utf-8")
    (files / HOSTILE).write_text("h", encoding="utf-8")
    (workspaces / session / "artifacts").mkdir()
    (workspaces / session / "artifacts" / "cell-1.png").write_text("png", encoding="utf-8")
    (workspaces / session / "artifacts" / ".0011223344556677.part").write_text("half", encoding="utf-8")
    (workspaces / session / "lock").touch()
    return files


def hostile(files: Path) -> None:
    """Everything that is no file and no directory."""
    (files / "passwd").symlink_to("/etc/passwd")
    (files / "plots" / "etc").symlink_to("/etc")
    os.mkfifo(files / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(files / "sock"))


def listed(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    return {row["path"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}


def tree(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*")}


def without_a_reader_of_everything(*arguments: str, script: str = 'exec "$@"') -> subprocess.CompletedProcess[str]:
    """The command as a user who may not read every file, also where the tests run as root."""
    command = [sys.executable, "-m", "outlast", *arguments]
    if os.geteuid() == 0:
        command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command]
    environment = {**os.environ, "PYTHONPATH": SERVICES}
    return subprocess.run(
        ["bash", "-c", script, "bash", *command],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


# -------------------------------------------------------------------------------------------------- outlast files


def test_files_lists_what_the_session_made_and_which_cell_an_artifact_is_from(
    sales: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile(sales)
    assert main(["files", "sales"]) == 0
    rows = listed(capsys)
    assert {path: row["kind"] for path, row in rows.items()} == {
        HOSTILE: "file", "report.txt": "file", "plots/z.txt": "file", "artifacts/cell-1.png": "file", "fifo": "fifo",
        "sock": "socket", "passwd": "link", "plots/etc": "link",
    }  # fmt: skip
    assert rows["passwd"]["link"] == "/etc/passwd" and rows["passwd"]["size"] == 0
    assert rows["artifacts/cell-1.png"]["cell"] == 1 and "cell" not in rows["report.txt"]
    assert rows["report.txt"]["size"] == 6 and rows["report.txt"]["changed"] == (sales / "report.txt").stat().st_mtime


def test_a_name_reaches_a_terminal_only_in_a_form_that_a_shell_reads_back(sales: Path) -> None:
    (sales / "to").symlink_to("/tmp/\x1b]0;title\x07")
    (sales / os.fsdecode(b"\xff")).touch()
    shown = on_a_terminal("files", "sales")
    assert "\x1b]0" not in shown and "\x1b[31m" not in shown.replace("$'new", "")
    quoted = next(word for line in shown.splitlines() if "$'new" in line for word in [line[: line.index("'", 3) + 1]])
    said = subprocess.run(["bash", "-c", f"printf %s {quoted}"], capture_output=True, text=True, check=True)
    assert said.stdout == HOSTILE
    assert r"$'\xff'" in shown


def test_a_huge_directory_is_listed_as_far_as_asked_for_and_says_so(
    sales: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(30):
        (sales / f"{number}").touch()
    assert main(["files", "--limit", "10", "sales"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 10
    assert said.err == "outlast: session sales has more than 10 files; --limit N lists more.\n"


def test_a_directory_that_cannot_be_read_is_told_as_such(sales: Path) -> None:
    (sales / "plots").chmod(0)
    done = without_a_reader_of_everything("files", "sales")
    rows = {row["path"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0 and "report.txt" in rows
    assert rows["plots"]["kind"] == "directory" and rows["plots"]["error"] == "Permission denied"


def test_files_are_listed_while_redis_is_away_and_what_is_not_known_is_said(
    sales: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--redis-url", "redis://127.0.0.1:1/0", "files", "sales"]) == 0
    said = capsys.readouterr()
    assert "report.txt" in said.out and "which artifact is from which cell is not known" in said.err


def test_a_session_that_has_made_nothing_says_so(workspaces: Path, connection: redis.Redis) -> None:
    log(connection, "fresh")
    (workspaces / "fresh" / "files").mkdir(parents=True)
    assert "No files yet." in on_a_terminal("files", "fresh")


@pytest.mark.parametrize("arguments", [["files", "nobody"], ["cp", "nobody:x", "."], ["cp", "../../etc:passwd", "."]])
def test_an_unknown_session_is_one_sentence_and_exit_code_1(
    workspaces: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("outlast: there is no session ") and said.count("\n") == 1
    assert os.listdir(".") == []


@pytest.mark.parametrize("arguments", [["files", "far"], ["cp", "far:x", "."]])
def test_a_session_without_a_workspace_here_says_where_to_look(
    workspaces: Path, connection: redis.Redis, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    log(connection, "far")
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert "session far has no workspace below" in said and "docker compose exec worker outlast files far" in said


def test_a_workspace_that_was_replaced_by_a_link_is_not_read(
    workspaces: Path, sales: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sales.rename(workspaces / "moved")
    sales.symlink_to("/etc")
    assert main(["cp", "sales:passwd", "."]) == 1
    assert "files/ of session sales cannot be read" in capsys.readouterr().err
    assert main(["files", "sales"]) == 0
    assert set(listed(capsys)) == {"artifacts/cell-1.png"} and os.listdir(".") == []


# ----------------------------------------------------------------------------------------------------- outlast cp


def test_cp_copies_a_file_as_a_plain_file_of_the_user(sales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (sales / "report.txt").chmod(0o6777)
    assert main(["cp", "sales:report.txt", "sales:artifacts/cell-1.png", "."]) == 0
    assert Path("report.txt").read_text() == "report" and Path("cell-1.png").read_text() == "png"
    assert stat.S_IMODE(Path("report.txt").stat().st_mode) & 0o7111 == 0
    assert [json.loads(line)["copied"] for line in capsys.readouterr().out.splitlines()] == ["report.txt", "cell-1.png"]


def test_cp_replaces_an_older_file_and_takes_a_new_name(sales: Path) -> None:
    Path("mine").write_text("an older and longer one")
    assert main(["cp", "sales:report.txt", "mine"]) == 0
    assert Path("mine").read_text() == "report" and os.listdir(".") == ["mine"]


def test_cp_r_copies_a_whole_session_but_nothing_that_is_no_file(
    sales: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile(sales)
    assert main(["cp", "-r", "sales:", "sales:artifacts/cell-1.png", "."]) == 0
    assert tree(Path(".")) == {
        "sales", "sales/report.txt", "sales/plots", "sales/plots/z.txt", "sales/plots/empty", f"sales/{HOSTILE}",
        "cell-1.png",
    }  # fmt: skip
    said = capsys.readouterr().err
    assert "passwd is a link to /etc/passwd and was not copied" in said and "fifo is a fifo" in said
    assert said.count("\n") == 4


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("passwd", "is a link to /etc/passwd"),
        ("plots/etc/passwd", "leads through a link"),
        ("fifo", "is a fifo"),
        ("sock", "is a socket"),
        ("plots", "is a directory; -r copies it"),
        ("nothing", "is not there"),
    ],
)
def test_what_is_no_file_is_refused_by_name(
    sales: Path, path: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile(sales)
    assert main(["cp", f"sales:{path}", "."]) == 1
    assert why in capsys.readouterr().err and os.listdir(".") == []


@pytest.mark.parametrize("path", ["../lock", "../../other/files/x", "/etc/passwd", "artifacts/../lock"])
def test_no_path_leads_out_of_the_workspace(sales: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cp", f"sales:{path}", "."]) == 2
    assert os.listdir(".") == []


def test_a_hundred_links_are_counted_and_not_all_named(sales: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(100):
        (sales / "plots" / f"{number}").symlink_to("/etc/passwd")
    assert main(["cp", "-r", "sales:plots", "."]) == 0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 21 and said[-1] == "outlast: … and 80 more files not copied, or changed meanwhile."


def test_a_file_that_cannot_be_read_is_named_and_the_rest_is_copied(sales: Path) -> None:
    (sales / "plots" / "closed").write_text("x")
    (sales / "plots" / "closed").chmod(0)
    done = without_a_reader_of_everything("cp", "-r", "sales:plots", ".")
    assert done.returncode == 1 and done.stderr == "outlast: plots/closed cannot be read: Permission denied.\n"
    assert tree(Path(".")) == {"plots", "plots/z.txt", "plots/empty"}


def test_a_file_that_vanishes_is_named_and_the_rest_is_copied(
    sales: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_file = beneath.open_file

    def gone(directory: int, name: str) -> Any:
        if name == "z.txt":
            os.unlink(name, dir_fd=directory)
        return open_file(directory, name)

    monkeypatch.setattr(beneath, "open_file", gone)
    assert main(["cp", "-r", "sales:", "."]) == 0
    assert "plots/z.txt vanished before it was copied" in capsys.readouterr().err
    assert Path("sales/report.txt").exists() and not Path("sales/plots/z.txt").exists()


@pytest.fixture
def while_copying(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Has a function called once a chunk was copied."""

    def install(what: Callable[[], object]) -> None:
        @contextmanager
        def progress(_: saving.Item) -> Iterator[Callable[[int], None]]:
            yield lambda count: (what(), None)[1]

        monkeypatch.setattr(saving, "_progress", progress)

    return install


def test_a_file_that_grows_is_copied_as_far_as_it_was_and_that_is_said(
    sales: Path, while_copying: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def grow() -> None:
        with (sales / "report.txt").open("a") as report:
            report.write("er")

    while_copying(grow)
    assert main(["cp", "sales:report.txt", "."]) == 0
    assert Path("report.txt").read_text() == "report"
    assert "report.txt had 6 bytes, which were copied, and has 8 now" in capsys.readouterr().err


def test_a_file_that_shrinks_is_not_copied(
    sales: Path, while_copying: Callable[[Callable[[], object]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    (sales / "big").write_bytes(bytes(3 * 1024 * 1024))
    while_copying(lambda: os.truncate(sales / "big", 5))
    assert main(["cp", "sales:big", "sales:report.txt", "."]) == 1
    assert os.listdir(".") == ["report.txt"]
    assert capsys.readouterr().err == "outlast: big was not copied: it shrank meanwhile.\n"


def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_done(sales: Path) -> None:
    (sales / "big").write_bytes(bytes(300_000))
    Path("big").write_text("old")
    done = without_a_reader_of_everything("cp", "sales:big", ".", script='ulimit -f 100; exec "$@"')
    assert (done.returncode, done.stderr) == (1, "outlast: big cannot be written: File too large.\n")
    assert os.listdir(".") == ["big"] and Path("big").read_text() == "old"


def test_a_destination_that_cannot_be_written_is_one_sentence(sales: Path) -> None:
    Path("closed").mkdir(mode=0o500)
    done = without_a_reader_of_everything("cp", "sales:report.txt", "closed")
    assert done.stderr == "outlast: closed/report.txt cannot be written: Permission denied.\n" and done.returncode == 1


def test_a_file_goes_to_standard_output_as_it_is_and_several_as_an_archive(
    sales: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["cp", "sales:report.txt", "-"]) == 0
    assert capfdbinary.readouterr().out == b"report"
    assert main(["cp", "-r", "--tar", "sales:plots", "sales:report.txt", "-"]) == 0
    Path("made.tar").write_bytes(capfdbinary.readouterr().out)
    with tarfile.open("made.tar") as archive:
        assert sorted(archive.getnames()) == ["plots", "plots/empty", "plots/z.txt", "report.txt"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["sales:", "sales:report.txt", "-"], ["-r", "sales:plots", "-"], ["--tar", "sales:report.txt", "."],
        ["sales:report.txt", "sales:plots/report.txt", "."], ["report.txt", "."],
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_wrong_usage(sales: Path, arguments: list[str]) -> None:
    assert main(["cp", *arguments]) == 2
    assert os.listdir(".") == []


def test_a_terminal_gets_no_file_to_obey(sales: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert main(["cp", f"sales:{HOSTILE}", "-"]) == 2


def test_cp_sums_up_on_a_terminal(sales: Path) -> None:
    assert "1 file, 6 B, copied to mine" in on_a_terminal("cp", "sales:report.txt", "mine")


@pytest.mark.parametrize("command", ["files", "cp"])
def test_both_have_help_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    said = capsys.readouterr().out
    assert f"  outlast {command}" in said and "exit codes" in said
