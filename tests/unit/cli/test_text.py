"""What is printed from a log cannot drive the terminal."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.cli.text import ago, duration, last_line, one_line, printable, rest_of, size

HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("\x1b[]0;\x07\x9b\x9d\\m\r\n\u202e\ud800")))


@given(HOSTILE)
def test_no_control_but_tab_and_newline_is_ever_printed(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", printable(text))


@given(HOSTILE, st.integers(2, 200))
def test_a_line_is_one_line_and_no_longer_than_asked(text: str, width: int) -> None:
    assert "\n" not in one_line(text, width) and len(one_line(text, width)) <= width


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])))
def test_plain_text_is_printed_unchanged(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("hostile", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("\x9b2Jgone", "gone"),
        ("over\rwritten", "over·written"),
        ("\x1b\x1b[31m[31mtwice", "[31mtwice"),
    ],
)
def test_a_terminal_sequence_leaves_only_its_text(hostile: str, left: str) -> None:
    assert printable(hostile) == left


def test_a_long_hostile_output_is_cleaned_within_the_time_of_a_test() -> None:
    # Work that grows with the square of the length would take hours here.
    assert printable("\x1b]" * 1_000_000) == ""


def test_durations_sizes_and_ages_read_as_people_write_them() -> None:
    assert [duration(value) for value in (0.417, 12, 200, 7500, 97_200)] == [
        "0.42 s", "12 s", "3 min 20 s", "2 h 5 min", "1 d 3 h",
    ]  # fmt: skip
    assert [size(value) for value in (812, 14_200, 1_500_000_000)] == ["812 B", "14.2 kB", "1.5 GB"]
    assert [ago(0, now) for now in (0.4, 40, 190, 7300)] == ["just now", "40 s ago", "3 min ago", "2 h ago"]


def test_the_last_line_is_the_last_that_is_not_blank() -> None:
    assert last_line("one\ntwo  \n\n") == "two"
    assert last_line("\n") == ""


@pytest.mark.parametrize(
    ("output", "live", "rest"),
    [
        ("one\ntwo\n", "one\n", "two\n"),
        ("one\n", "", "one\n"),
        ("one", "one\n", ""),
        ("begin … five\nsix", "begin two three four five\n", ""),
        ("be … " + "x" * 200 + "six", "begin two three" + "x" * 200, "six"),
    ],
)
def test_what_was_shown_live_is_not_shown_again(output: str, live: str, rest: str) -> None:
    assert rest_of(output, live) == rest
