"""What the sandbox writes is read as hostile; what it may see is chosen by us."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from outlast.errors import Refused
from outlast.kernel.bounded import MOST_BYTES, within
from outlast.kernel.causes import ANOTHER_WAY, Cause, advice, cause_of_death
from outlast.kernel.cell import CellOutput
from outlast.kernel.channel import Unreadable, read
from outlast.kernel.checkpoints import find_manifest, manifest_digest, names_with_reasons
from outlast.kernel.inside.session import DISPLAY_BYTES, TEXT_CHARS, bounded, bounded_display
from outlast.kernel.launch import kernel_environment
from outlast.kernel.workspace import Workspace
from outlast.settings import Settings

FIRST, SECOND, THIRD = "1-aaaaaaaa.json", "2-bbbbbbbb.json", "3-cccccccc.json"


def manifest(directory: Path, name: str, text: str = "{}") -> str:
    (directory / "manifests").mkdir(exist_ok=True)
    (directory / "manifests" / name).write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_manifest_is_found_by_its_digest(tmp_path: Path) -> None:
    assert find_manifest(tmp_path, "0" * 64) is None
    manifest(tmp_path, FIRST, "{1}")
    digest = manifest(tmp_path, SECOND, "{2}")
    assert find_manifest(tmp_path, digest) == tmp_path / "manifests" / SECOND
    assert manifest_digest(tmp_path, SECOND) == digest
    assert find_manifest(tmp_path, "0" * 64) is None


@pytest.mark.parametrize(
    "name", [None, 7, "", "manifest.json", f"../x/{FIRST}", "/etc/passwd", f"a/{FIRST}", f".{FIRST}", f"{FIRST}\n"]
)
def test_a_manifest_elsewhere_is_refused(tmp_path: Path, name: object) -> None:
    with pytest.raises(ValueError, match="no proper name"):
        manifest_digest(tmp_path, name)


def test_a_manifest_behind_a_link_or_a_pipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    digest = manifest(tmp_path / "there", FIRST)
    place = tmp_path / "checkpoints/manifests"
    place.mkdir(parents=True)
    (place / SECOND).symlink_to(tmp_path / "there/manifests" / FIRST)
    assert find_manifest(place.parent, digest) is None
    os.mkfifo(place / THIRD)
    with pytest.raises(ValueError, match="no manifest"):
        manifest_digest(place.parent, THIRD)


def test_manifests_behind_a_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    digest = manifest(tmp_path / "there", FIRST)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/manifests").symlink_to(tmp_path / "there/manifests")
    assert find_manifest(tmp_path / "checkpoints", digest) is None


def test_names_of_missing_variables_are_bounded_and_printable() -> None:
    names = names_with_reasons({"a\x1b[31m": "b\n" + "c" * 10_000, **{str(number): "" for number in range(5000)}})
    assert len(names) == 1001 and names["…"] == "and 4001 more"
    assert names["a\ufffd[31m"].startswith("b\ufffdc") and len(names["a\ufffd[31m"]) == 500
    assert names_with_reasons(["no", "mapping"]) == {}


def test_names_are_bounded_by_what_they_take_in_a_record() -> None:
    names = names_with_reasons({f"{number}" + "\U0001f600" * 199: "\U0001f600" * 500 for number in range(1000)})
    assert len(json.dumps(names)) < 1.1 * MOST_BYTES and names["…"].startswith("and 9")
    assert list(within(["a" * 10, "b" * 10, "c"], most=26)) == ["a" * 10, "b" * 10]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("stream", {}),
        ("stream", {"text": ["list"]}),
        ("error", {"traceback": "text"}),
        ("error", {"traceback": [1, None]}),
        ("display_data", {"data": []}),
        ("display_data", {"data": {"image/png": "no base64!", "text/plain": 7}}),
        ("execute_result", {"data": {"image/png": {"a": 1}}}),
        ("unknown", {"data": 1}),
    ],
)
def test_a_message_of_the_wrong_shape_hurts_nobody(tmp_path: Path, kind: str, content: dict[str, Any]) -> None:
    settings = Settings(workspaces=str(tmp_path))
    output = CellOutput(Workspace.open(settings, "s"), settings, 1, lambda _: None)
    output.take(kind, content)
    assert output.finish("ok").artifacts == ()


def test_no_more_than_a_hundred_figures_are_kept(tmp_path: Path) -> None:
    settings = Settings(workspaces=str(tmp_path))
    output = CellOutput(Workspace.open(settings, "s"), settings, 1, lambda _: None)
    for _ in range(105):
        output.take("display_data", {"data": {"image/png": "AAAA"}})
    result = output.finish("ok")
    assert len(result.artifacts) == 100 + 1  # The names of the figures are more text than the model sees.
    assert "[5 figures were not kept" in result.output


def test_a_display_that_is_too_large_becomes_a_sentence() -> None:
    assert bounded_display({"text/plain": "small"}) == {"text/plain": "small"}
    shown = bounded_display({"text/html": "x" * (DISPLAY_BYTES + 1), "text/plain": "repr"})
    assert shown == {"text/plain": "repr\n[not shown, larger than 4 MiB: text/html of 4.0 MiB]"}


def test_of_a_display_only_what_somebody_looks_at_is_sent() -> None:
    drawn_by_a_script = {"application/vnd.plotly.v1+json": {"data": [1.0] * 1_000_000}}
    shown = {"text/plain": "a chart", "image/png": b"png", **drawn_by_a_script}
    assert bounded_display(shown) == {"image/png": "cG5n", "text/plain": "a chart"}


@pytest.mark.parametrize("text", ['{"x": [' + "[]," * 100_001 + "1]}", "[" + '"",' * 100_001 + "1]", "[" * 200_000])
def test_a_small_message_that_would_be_large_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable, match="too many values"):
        read(text.encode())


@pytest.mark.parametrize("value", ["[,{" * 500_000, '"[\\' * 500_000, [{"a": "[,", "b": 1}] * 30_000])
def test_a_text_may_be_long_whatever_is_in_it(value: Any) -> None:
    assert read(json.dumps({"text": value}).encode()) == {"text": value}


def test_texts_of_errors_are_cut_and_can_be_sent() -> None:
    short = bounded({"traceback": ["x" * 10_000_000] * 1000, "evalue": "\ud800", "count": 3})
    assert len(short["traceback"]) == 64 and all(len(line) < TEXT_CHARS + 100 for line in short["traceback"])
    assert short["evalue"].encode() and short["count"] == 3


def test_the_kernels_environment_is_an_allow_list() -> None:
    source = {
        "OUTLAST_MODEL_KEY": "s",
        "REDIS_PASSWORD": "s",
        "AWS_SECRET": "s",
        "PATH": "/bin",
        "TZ": "UTC",
        "HOME": "/root",
    }
    environment = kernel_environment(source, "/k/bin/python", "abc", "/w/abc")
    assert "s" not in environment.values()
    assert environment["PATH"] == "/w/abc/home/bin:/k/bin:/bin" and environment["TZ"] == "UTC"
    assert environment["HOME"] == "/w/abc/home" and environment["OUTLAST_KERNEL_OF"] == "abc"


def test_a_cell_finds_no_program_of_the_workers_environment() -> None:
    own = str(Path(sys.executable).parent)
    environment = kernel_environment({"PATH": f"/usr/local/bin:{own}:/bin"}, "/k/bin/python", "abc", "/w/abc")
    assert environment["PATH"] == "/w/abc/home/bin:/k/bin:/usr/local/bin:/bin"


@pytest.mark.parametrize("session", ["", "..", ".hidden", "a/b", "a\0b", "x" * 201, "naïve"])
def test_a_session_id_that_names_no_directory_is_refused(tmp_path: Path, session: str) -> None:
    with pytest.raises(Refused, match="cannot name a directory"):
        Workspace.open(Settings(workspaces=str(tmp_path)), session)


def test_a_workspace_is_private_and_opening_it_again_changes_nothing(tmp_path: Path) -> None:
    settings = Settings(workspaces=str(tmp_path / "sessions"))
    workspace = Workspace.open(settings, "etl_pipeline_20250405")
    (workspace.files / "kept").write_text("kept")
    assert Workspace.open(settings, "etl_pipeline_20250405") == workspace
    assert (workspace.files / "kept").read_text() == "kept"
    for directory in (workspace.files, workspace.artifacts, workspace.checkpoints, workspace.tmp):
        assert directory.stat().st_mode & 0o777 == 0o700


def test_inputs_are_linked_and_a_replaced_input_stays(tmp_path: Path) -> None:
    data = tmp_path / "sales.csv"
    data.write_text("a,b\n")
    workspace = Workspace.open(Settings(workspaces=str(tmp_path / "sessions")), "s")
    workspace.link_inputs([data])
    assert (workspace.files / "sales.csv").read_text() == "a,b\n"
    (workspace.files / "sales.csv").unlink()
    (workspace.files / "sales.csv").write_text("cleaned")
    workspace.link_inputs([data])
    assert (workspace.files / "sales.csv").read_text() == "cleaned" and data.read_text() == "a,b\n"


def test_changed_files_are_those_written_since(tmp_path: Path) -> None:
    workspace = Workspace.open(Settings(workspaces=str(tmp_path)), "s")
    (workspace.files / "sub").mkdir()
    for name, at in [("old", 100), ("new", 200), ("sub/newer", 300)]:
        (workspace.files / name).write_text(name)
        os.utime(workspace.files / name, (at, at))
    (workspace.files / "loop").symlink_to(".")
    os.utime(workspace.files / "loop", (100, 100), follow_symlinks=False)
    assert workspace.changed_since(200) == ("new", "sub/newer")


def test_a_file_written_right_after_a_moment_counts_though_dated_by_the_tick_before(tmp_path: Path) -> None:
    workspace = Workspace.open(Settings(workspaces=str(tmp_path)), "s")
    (workspace.files / "dated by the tick").touch()
    os.utime(workspace.files / "dated by the tick", (99.992, 99.992))
    (workspace.files / "of an earlier cell").touch()
    os.utime(workspace.files / "of an earlier cell", (99.98, 99.98))
    assert workspace.changed_since(100) == ("dated by the tick",)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (
            {"event": "exit", "status": 3, "signal": 0, "memory": False, "words": "last\nwords"},
            "exit status 3 while cell 1 ran. last words",
        ),
        (
            {"event": "exit", "status": 0, "signal": 11, "memory": False, "words": ""},
            "SIGSEGV while cell 1 ran (a crash in native code)",
        ),
        ({"event": "exit", "status": 0, "signal": 9, "memory": True, "words": ""}, "because memory ran out"),
        ({"event": "exit", "status": 0, "signal": 99, "memory": False, "words": ""}, "signal 99"),
        (
            {"event": "exit", "status": 3, "signal": 0, "memory": False, "words": "a\x1b]52;c;YQ\x07b\x08\x0e"},
            "exit status 3 while cell 1 ran. ab",
        ),
        ({"event": "gone"}, "its guardian has ended"),
        ({"event": "lapsed"}, "no"),
        ({"event": "superseded"}, "a newer attempt holds the session"),
    ],
)
def test_a_death_has_a_cause_that_names_the_signal(event: dict[str, Any], words: str) -> None:
    cause = cause_of_death(event, "cell 1 ran")
    assert cause is not None and words in cause.says


def test_what_is_no_death_has_no_cause() -> None:
    assert cause_of_death({"event": "started", "pid": 1}, "cell 1 ran") is None


def death(**facts: Any) -> Cause:
    """How a kernel has ended that was running cell 1."""
    event = {"event": "exit", "status": 0, "signal": 0, "memory": False, "words": ""}
    cause = cause_of_death(event | facts, "cell 1 ran")
    assert cause is not None
    return cause


@pytest.mark.parametrize(
    ("facts", "by"),
    [
        ({"signal": 9, "memory": True}, "memory"),
        ({"signal": 9}, "killed"),
        ({"signal": 6}, "crash"),
        ({"signal": 7}, "crash"),
        ({"signal": 11, "memory": True}, "crash"),
        ({"signal": 15}, "signal"),
        ({"status": 3}, "exit"),
        ({"signal": 9, "over": "its files take 3.0 GiB"}, "disk"),
        ({"event": "gone"}, "guardian"),
    ],
)
def test_a_death_is_by_something_for_which_there_is_an_advice(facts: dict[str, Any], by: str) -> None:
    assert death(**facts).by == by and advice(by) != ANOTHER_WAY


def test_for_what_the_code_cannot_help_there_is_another_way() -> None:
    assert death(event="lapsed").by == "" and advice("") == advice("not known to this version") == ANOTHER_WAY


def test_a_death_for_want_of_memory_says_how_much_there_is() -> None:
    assert death(signal=9, memory=True, share="2.7 GiB").says.endswith("memory ran out: a session may use 2.7 GiB.")


def test_of_a_traceback_at_the_start_only_the_error_itself_is_told() -> None:
    words = "Traceback (most recent call last):\n  File 'boot.py', line 3\n    import z\nImportError: No module 'zmq'\n"
    event = {"event": "exit", "memory": False, "signal": 0, "status": 1, "words": words}
    cause = cause_of_death(event, "it started")
    assert cause and cause.says.endswith("exit status 1 while it started. ImportError: No module 'zmq'")
