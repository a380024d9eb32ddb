"""Torn or damaged: decided by the bytes alone."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keeper.aof import scan as scanning
from keeper.aof.scan import Damaged, Sound, Torn, Verdict, scan
from tests.unit.redis.aof import FILE, STEPS, WHOLE, command

#: What a disk leaves where bytes never came: none of it can be the beginning of a command.
GARBAGE = st.binary(min_size=1, max_size=300).filter(lambda junk: b"*" not in junk and not junk.startswith(b"#"))


def verdict(data: bytes) -> Verdict:
    return scan(io.BytesIO(data))


def whole_before(offset: int) -> int:
    """The last place at or before `offset` where the file is whole."""
    return max(end for end in WHOLE if end <= offset)


@pytest.mark.parametrize("end", WHOLE)
def test_a_file_that_ends_with_a_step_is_sound(end: int) -> None:
    assert verdict(FILE[:end]) == Sound(end)


def test_a_file_cut_anywhere_is_torn_and_keeps_every_step_before_the_cut() -> None:
    for end in range(len(FILE)):
        if end not in WHOLE:
            assert verdict(FILE[:end]) == Torn(whole_before(end), end), end


@given(st.integers(0, len(FILE)), st.integers(1, 5000))
def test_zeros_where_the_file_grew_before_its_bytes_came_are_torn(end: int, zeros: int) -> None:
    assert verdict(FILE[:end] + bytes(zeros)) == Torn(whole_before(end), end + zeros)


@given(st.integers(0, len(FILE)), GARBAGE)
@example(end=22, junk=b"\n\x00")
def test_garbage_at_the_end_is_torn_and_no_step_before_it_is_lost(end: int, junk: bytes) -> None:
    data = FILE[:end] + junk
    found = verdict(data)
    assert not isinstance(found, Damaged)
    kept = found.keep if isinstance(found, Torn) else found.size
    # Garbage may happen to end the step that was cut; no step ends without a newline.
    assert kept == whole_before(end) or (b"\n" in junk and kept > end > whole_before(end))


def check_that_nothing_whole_is_cut_off(at: int, change: int) -> None:
    data = bytearray(FILE)
    data[at] ^= change
    found = verdict(bytes(data))
    # Inside a value it cannot be seen; anywhere else, what follows is whole and must not be given up. (A changed length
    # may make a value of the next command and part of the one after: then nothing whole is behind it.)
    assert not isinstance(found, Torn) or found.keep > WHOLE[-2], (at, change)


def test_no_single_bit_that_flips_before_the_last_step_costs_anything() -> None:
    for at in range(WHOLE[-2]):
        for bit in range(8):
            check_that_nothing_whole_is_cut_off(at, 1 << bit)


@given(st.integers(0, WHOLE[-2] - 1), st.integers(1, 255))
def test_no_byte_that_changes_before_the_last_step_costs_anything(at: int, change: int) -> None:
    check_that_nothing_whole_is_cut_off(at, change)


@given(st.integers(0, WHOLE[-2] - 1), st.integers(1, 40))
def test_a_hole_of_zeros_before_the_last_step_costs_nothing(at: int, size: int) -> None:
    size = min(size, WHOLE[-2] - at)
    found = verdict(FILE[:at] + bytes(size) + FILE[at + size :])
    assert not isinstance(found, Torn) or found.keep > WHOLE[-2]


def test_a_transaction_without_its_end_goes_as_a_whole() -> None:
    before, opening = b"".join(STEPS[:2]), STEPS[2].removesuffix(command("EXEC"))
    assert verdict(before + opening) == Torn(len(before), len(before + opening))


@pytest.mark.parametrize("words", [("EXEC",), ("MULTI", "MULTI")])
def test_a_transaction_that_does_not_begin_or_begins_twice_is_damage_before_anything(words: tuple[str, ...]) -> None:
    data = FILE + b"".join(command(word) for word in words)
    assert isinstance(verdict(data), Torn)
    assert isinstance(verdict(data + STEPS[-1]), Damaged)


def test_time_stamps_are_no_damage() -> None:
    stamp = b"#TS:1795346717\r\n"
    assert verdict(stamp + FILE + stamp) == Sound(len(FILE) + 2 * len(stamp))
    assert verdict(FILE + stamp[:-1]) == Torn(len(FILE), len(FILE) + len(stamp) - 1)


def test_a_command_far_behind_the_damage_is_found_across_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "WINDOW", 64)
    for gap in range(200, 280):
        data = FILE + bytes(gap) + STEPS[-1]
        assert verdict(data) == Damaged(len(FILE), len(FILE), len(FILE) + gap, len(data))


class Meter(io.BytesIO):
    """A file that notes the largest piece that was read of it."""

    largest = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.largest = max(self.largest, len(data))
        return data


@pytest.mark.parametrize("end", [b"", b"\0" * 5_000_000, b"*2\r\n$9"])
def test_no_more_than_a_window_of_a_file_is_read_at_once(end: bytes) -> None:
    file = Meter(FILE + command("set", "large", bytes(5_000_000)) + end)
    scan(file)
    assert file.largest <= scanning.WINDOW
