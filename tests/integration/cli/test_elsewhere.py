"""Files of sessions whose workspaces are in the stack, not on this machine.

`docker` is a stand-in here that runs the same command on another directory; tests/stack does it with the real one.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from pathlib import Path

import pytest
import redis

from outlast.cli.main import main
from tests.integration.cli.test_commands import SERVICES
from tests.integration.cli.test_files import HOSTILE, hostile, listed, log, tree, workspace

STAND_IN = """#!/bin/bash
printf '%s\\n' "$PWD" "$@" > {directory}/called
[ "$1 $2 $3 $4 $5" = "compose exec -T worker outlast" ] || exit 9
shift 5
OUTLAST_WORKSPACES={directory}/volume PYTHONPATH={services} exec {python} -m outlast "$@"
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connection: redis.Redis, redis_url: str) -> Path:
    """A stack's directory, with a session whose workspace is on its volume; the test stands two levels below it."""
    log(connection, "sales")
    workspace(tmp_path / "volume", "sales")
    below = tmp_path / "project" / "some" / "where"
    below.mkdir(parents=True)
    (tmp_path / "project" / "compose.yaml").touch()
    monkeypatch.chdir(below)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("OUTLAST_REDIS_URL", redis_url)
    monkeypatch.setenv("OUTLAST_WORKSPACES", str(tmp_path / "nowhere"))
    docker(tmp_path, STAND_IN.format(directory=tmp_path, services=SERVICES, python=sys.executable))
    return tmp_path


def docker(directory: Path, script: str) -> None:
    """What the command `docker` is."""
    (directory / "bin").mkdir(exist_ok=True)
    (directory / "bin" / "docker").write_text(script, encoding="utf-8")
    (directory / "bin" / "docker").chmod(0o755)


def sends(directory: Path, data: bytes, code: int = 0, says: str = "") -> None:
    """The container answers with that."""
    (directory / "data").write_bytes(data)
    (directory / "says").write_text(says)
    docker(directory, f"#!/bin/bash\ncat {directory}/says >&2\ncat {directory}/data\nexit {code}\n")


def archive(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w|") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return made.getvalue()


def test_the_worker_container_is_asked_from_the_directory_of_the_stack(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["files", "sales"]) == 0
    rows = listed(capsys)
    assert set(rows) == {HOSTILE, "report.txt", "plots/z.txt", "artifacts/cell-1.png"}
    assert rows["artifacts/cell-1.png"]["cell"] == 1
    called = (stack / "called").read_text().splitlines()
    assert called[0] == str(stack / "project") and called[1:6] == ["compose", "exec", "-T", "worker", "outlast"]


def test_what_the_container_left_out_is_said_here(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["files", "--limit", "2", "sales"]) == 0
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2 and "has more than 2 files" in said.err


def test_files_and_directories_come_out_of_the_container(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hostile(stack / "volume" / "sales" / "files")
    assert main(["cp", "-r", "sales:", "sales:artifacts/cell-1.png", "."]) == 0
    assert tree(Path(".")) == {
        "sales", "sales/report.txt", "sales/plots", "sales/plots/z.txt", "sales/plots/empty", f"sales/{HOSTILE}",
        "cell-1.png",
    }  # fmt: skip
    assert Path("sales/report.txt").read_text() == "report"
    assert "passwd is a link to /etc/passwd and was not copied" in capsys.readouterr().err


def test_a_file_takes_a_new_name_or_goes_to_standard_output(
    stack: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["cp", "sales:report.txt", "mine"]) == 0
    assert Path("mine").read_text() == "report"
    capfdbinary.readouterr()
    assert main(["cp", "sales:report.txt", "-"]) == 0
    assert capfdbinary.readouterr().out == b"report"


def test_what_the_container_refuses_is_refused_in_its_words(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cp", "sales:plots", "."]) == 1
    assert "sales:plots is a directory; -r copies it.\n" in capsys.readouterr().err
    assert os.listdir(".") == []


def test_an_unknown_session_is_refused_before_docker_is_asked(stack: Path) -> None:
    assert main(["cp", "nobody:x", "."]) == 1
    assert not (stack / "called").exists()


def test_a_stack_that_is_not_up_is_said_in_one_sentence(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sends(stack, b"", code=1, says='service "worker" is not running\x1b[31m')
    for arguments in (["files", "sales"], ["cp", "sales:report.txt", "."]):
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert f'`docker compose exec worker` in {stack}/project failed: service "worker" is not running.\n' in said
        assert "\x1b" not in said and said.count("\n") == 1


def test_a_machine_without_docker_is_said_in_one_sentence(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(stack / "empty"))
    assert main(["files", "sales"]) == 1
    assert capsys.readouterr().err == (
        "outlast: `docker compose exec worker` cannot be started: No such file or directory.\n"
    )


@pytest.mark.parametrize("name", [".bashrc", "../evil", "/etc/evil", "report.txt/../../evil"])
def test_a_container_can_send_nothing_that_was_not_asked_for(stack: Path, name: str) -> None:
    sends(stack, archive((name, b"evil")))
    assert main(["cp", "sales:report.txt", "."]) == 1
    assert tree(stack / "project") == {"compose.yaml", "some", "some/where"}


@pytest.mark.parametrize("end", [0, 100, 800])
def test_a_stream_that_ends_early_leaves_nothing_half_done(stack: Path, end: int) -> None:
    sends(stack, archive(("report.txt", b"x" * 1000))[:end], code=1)
    assert main(["cp", "sales:report.txt", "."]) == 1
    assert os.listdir(".") == []


def test_a_stream_that_ends_between_two_files_is_no_success(stack: Path) -> None:
    sends(stack, archive(("sales/a", b"a"), ("sales/b", b"b"))[:1024], code=137)
    assert main(["cp", "-r", "sales:", "."]) == 1


def test_an_endless_stream_is_ended_when_it_is_refused(stack: Path) -> None:
    docker(stack, "#!/bin/bash\nexec yes\n")
    assert main(["cp", "sales:report.txt", "."]) == 1
    assert main(["files", "sales"]) == 1


@pytest.mark.parametrize(
    "row",
    [
        b"[]", b"no", b'{"path": "x"}', b'{"path": "x", "kind": "file", "size": "many", "changed": 1}',
        b'{"path": "\\ud800", "kind": "file", "size": 1, "changed": 1}',
    ],
)  # fmt: skip
def test_a_list_that_is_none_is_refused(stack: Path, row: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    sends(stack, row + b"\n")
    assert main(["files", "sales"]) == 1
    assert "sent was cut off, or is of another version of Outlast.\n" in capsys.readouterr().err


def test_only_what_a_list_holds_is_taken_from_it(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"session": "other", "path": "x", "kind": "file", "size": 1, "changed": 2, "more": "y"}
    sends(stack, json.dumps(row).encode())
    assert main(["files", "sales"]) == 0
    assert listed(capsys) == {"x": {"session": "sales", "path": "x", "kind": "file", "size": 1, "changed": 2.0}}
