"""Whatever a cell prints ends as bounded, printable text."""

from __future__ import annotations

import hashlib
import itertools
import os
import tracemalloc
import unicodedata
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.kernel.artifacts import CellArtifacts
from outlast.kernel.output import LIVE_CHARS, LIVE_SECONDS, Live, Printable, Transcript

#: Text made of what is hard: escapes whole and torn, carriage returns, controls, surrogates, and plain letters.
HARD = st.text(alphabet="\x1b\x9b[]P0;mK\x07\\\r\n\x08\x00 ab\x7f\x85é\ud800\U0001f600", max_size=40)


def printed(*chunks: str) -> str:
    printable = Printable()
    return "".join(map(printable.feed, chunks)) + printable.rest()


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain\n", "plain\n"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b1mbold", "bold"),
        ("\x1bcreset\x1b(Bascii", "resetascii"),
        ("bell\x07 null\x00 delete\x7f", "bell null delete"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("10%\r50%\r100%\n", "100%\n"),
        ("50%\r", "50%"),
        ("tab\tstays", "tab\tstays"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("\x1bP never ended\nnext", "P never ended\nnext"),
    ],
)
def test_escapes_and_controls_are_taken_out(raw: str, shown: str) -> None:
    assert printed(raw) == shown


@given(HARD)
def test_nothing_but_printable_text_comes_out(text: str) -> None:
    for character in printed(text):
        assert character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs"), repr(character)


@given(HARD, st.lists(st.integers(0, 40), max_size=5))
def test_how_the_text_is_cut_into_messages_makes_no_difference(text: str, cuts: list[int]) -> None:
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    chunks = [text[begin:end] for begin, end in itertools.pairwise(edges)]
    assert printed(*chunks) == printed(text)


def test_a_million_carriage_returns_cost_no_more_than_other_characters() -> None:
    printable = Printable()  # pytest's own limit ends this test if each is compared with all that follow.
    assert printable.feed("lost" + "\r" * 1_000_000 + "kept\n") == "kept\n"


def test_an_escape_that_never_ends_is_not_waited_for() -> None:
    printable = Printable()
    shown = printable.feed("\x1b]" + "x" * 100) + printable.feed("y" * 20_000) + printable.rest()
    assert shown.endswith("y" * 20_000)


def transcript(directory: Path, *, chars: int = 400, most_bytes: int = 1 << 20) -> Transcript:
    artifacts = CellArtifacts(directory, 7)
    return Transcript(chars, most_bytes, lambda: artifacts.open(".txt", "text/plain"))


def test_a_run_whose_end_was_never_logged_leaves_its_names_to_the_next(tmp_path: Path) -> None:
    for earlier in (None, {}):
        artifacts = CellArtifacts(tmp_path, 7, earlier=earlier)
        cell = Transcript(400, 1 << 20, partial(artifacts.open, ".txt", "text/plain"))
        cell.write("x" * 1000)
        view, artifact = cell.finish()
        assert f"../{tmp_path.name}/cell-7.txt" in view and artifact is not None
        assert [path.name for path in tmp_path.iterdir()] == ["cell-7.txt"]


@pytest.mark.parametrize(("again", "name"), [("x" * 1000, "cell-7.txt"), ("y" * 1000, "cell-7-2.txt")])
def test_a_run_after_one_that_was_logged_has_its_artifact_or_another_beside_it(
    tmp_path: Path, again: str, name: str
) -> None:
    first = transcript(tmp_path)
    first.write("x" * 1000)
    said, kept = first.finish()
    assert kept is not None
    (tmp_path / "cell-7-2.txt").write_text("of a run that was cut off after it")
    artifacts = CellArtifacts(tmp_path, 7, earlier={"cell-7.txt": kept.sha256})
    last = Transcript(400, 1 << 20, lambda: artifacts.open(".txt", "text/plain"))
    last.write(again)
    view, artifact = last.finish()
    assert artifact is not None and artifact.path == f"{tmp_path.name}/{name}" and artifact.path in view
    assert (tmp_path / name).read_text() == again and (tmp_path / "cell-7.txt").read_text() == "x" * 1000
    assert (view == said) is (name == "cell-7.txt") is (len(list(tmp_path.iterdir())) == 1)


def test_a_short_output_is_whole_and_needs_no_file(tmp_path: Path) -> None:
    cell = transcript(tmp_path)
    cell.write("one\ntwo")
    assert cell.finish() == ("one\ntwo", None)
    assert list(tmp_path.iterdir()) == []


def test_a_long_output_keeps_its_beginning_and_end_and_names_the_file_with_all_of_it(tmp_path: Path) -> None:
    whole = "".join(f"line {number}\n" for number in range(1000))
    cell = transcript(tmp_path)
    for start in range(0, len(whole), 37):
        cell.write(whole[start : start + 37])
    view, artifact = cell.finish()
    assert len(view) <= 400
    head, sentence, tail = view.partition("[… ")[0], view.partition("[… ")[2].partition("…]")[0], view[-20:]
    assert whole.startswith(head.rstrip("\n")) and whole.endswith(tail)
    left_out = int(sentence.split(" ")[0].replace(",", ""))
    assert left_out == len(whole) - (len(view) - len(f"\n[… {sentence}…]\n"))
    assert "../artifacts" not in sentence and f"../{tmp_path.name}/cell-7.txt" in sentence
    assert artifact is not None and (tmp_path / "cell-7.txt").read_text() == whole
    assert artifact.sha256 == hashlib.sha256(whole.encode()).hexdigest()
    assert (artifact.path, artifact.size, artifact.kind) == (f"{tmp_path.name}/cell-7.txt", len(whole), "text/plain")


@given(st.integers(0, 1200), st.text(alphabet="ab\n", max_size=60))
def test_the_view_never_exceeds_its_limit_and_ends_with_the_note(
    tmp_path_factory: pytest.TempPathFactory, length: int, note: str
) -> None:
    cell = transcript(tmp_path_factory.mktemp("view"))
    cell.write("x" * length)
    view, artifact = cell.finish(note)
    assert len(view) <= 400 and view.endswith(note)
    assert (artifact is not None) == (length + len(note) + bool(length and note) > 400)


def test_the_file_is_bounded_and_the_view_says_what_is_lost(tmp_path: Path) -> None:
    cell = transcript(tmp_path, most_bytes=65536)
    for _ in range(100):
        cell.write("é" * 1001)
    view, artifact = cell.finish()
    assert artifact is not None and 65534 <= artifact.size <= 65536
    assert (tmp_path / "cell-7.txt").read_text(encoding="utf-8") == "é" * (artifact.size // 2)
    assert "the first 64 KiB of the output are in" in view and "the rest is lost" in view


def test_one_line_of_fifty_megabytes_costs_little_memory(tmp_path: Path) -> None:
    cell, chunk = transcript(tmp_path), "x" * 65536
    tracemalloc.start()
    for _ in range(50 * 16):
        cell.write(chunk)
    view, _ = cell.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(view) <= 400
    assert peak < 4 << 20


def test_a_full_disk_costs_the_file_and_not_the_cell(tmp_path: Path) -> None:
    def no_space() -> tuple[None, str]:
        raise OSError(28, "No space left on device")

    cell = Transcript(400, 1 << 20, no_space)  # type: ignore[arg-type]  # it raises, so what it would return does not matter
    for _ in range(10):
        cell.write("x" * 300)
    view, artifact = cell.finish()
    assert artifact is None and len(view) <= 400
    assert "they could not be kept (No space left on device)" in view


def test_an_artifact_replaces_no_file_and_follows_no_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    directory = tmp_path / "artifacts"
    directory.mkdir()
    (directory / "cell-7.txt").symlink_to(outside)
    (directory / "cell-7-2.txt").write_text("mine")
    cell = transcript(directory)
    cell.write("x" * 500)
    _, artifact = cell.finish()
    assert artifact is not None and artifact.path == "artifacts/cell-7-3.txt"
    assert not outside.exists() and (directory / "cell-7-2.txt").read_text() == "mine"


def test_a_cell_that_was_cut_off_leaves_its_name_free(tmp_path: Path) -> None:
    first = transcript(tmp_path)
    first.write("x" * 500)
    first.discard()
    second = transcript(tmp_path)
    second.write("y" * 500)
    _, artifact = second.finish()
    assert artifact is not None and os.listdir(tmp_path) == ["cell-7.txt"]


def test_live_output_comes_in_batches() -> None:
    given_out: list[str] = []
    live = Live(given_out.append)
    live.add("one\n", 10.0)
    live.add("two\n", 10.1)
    assert live.wait(10.1) == pytest.approx(LIVE_SECONDS - 0.1)
    assert live.wait(10.0 + LIVE_SECONDS) == 0
    live.flush("")
    assert given_out == ["one\ntwo\n"]
    assert live.wait(20.0) is None


def test_live_output_shows_an_unfinished_line_once_and_a_progress_bar_as_lines() -> None:
    given_out: list[str] = []
    live = Live(given_out.append)
    for final, line in [("", "10%"), ("", "20%"), ("", "20% of"), ("20% of all\n", ""), ("next\n", "")]:
        live.add(final, 0.0)
        live.flush(line)
    assert "".join(given_out) == "10%\n20% of all\nnext\n"


def test_live_output_ends_at_its_limit_and_says_so() -> None:
    given_out: list[str] = []
    live = Live(given_out.append)
    for number in range(100):
        live.add("x" * 5000, float(number))
        if live.wait(float(number)) is not None:
            live.flush("")
    text = "".join(given_out)
    assert text.startswith("x" * LIVE_CHARS + "\n[… no more live output")
    assert len(text) < LIVE_CHARS + 100
