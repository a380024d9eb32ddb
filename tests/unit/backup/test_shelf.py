"""Which backups there are, which are too many, and when the next is due."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlast.backup import manifest, shelf
from outlast.backup.manifest import Manifest
from outlast.backup.schedule import RETRY_SECONDS, interval, seconds_until_due
from outlast.errors import BackupError

#: Seconds since 1970, until the year 2100.
TIMES = st.floats(0, 4_102_444_800)


def put(place: Path, name: str) -> None:
    (place / name).mkdir()
    manifest.write(place / name, Manifest(name, 0.0, "v", 0))


@given(TIMES, TIMES)
def test_names_tell_the_time_and_are_in_its_order(one: float, other: float) -> None:
    first, second = shelf.name_of(one), shelf.name_of(other)
    assert shelf.is_name(first) and abs(shelf.seconds_of(first) - one) < 0.0011
    assert (first <= second) or one > other


def test_only_what_was_finished_is_a_backup(tmp_path: Path) -> None:
    put(tmp_path, "20261123T041122.250Z")
    put(tmp_path, "20261123T041122.251Z.part")
    put(tmp_path, "mine")
    (tmp_path / "20261123T041122.252Z").mkdir()
    assert shelf.names(tmp_path) == ["20261123T041122.250Z"]
    with pytest.raises(BackupError, match=r"no backup 20261123T041122.252Z: there are 20261123T041122.250Z"):
        shelf.find(tmp_path, "20261123T041122.252Z")


@given(st.sets(TIMES.map(shelf.name_of)), st.integers(1, 5), TIMES)
def test_the_newest_are_kept_and_those_from_the_future_do_not_count(names: set[str], keep: int, now: float) -> None:
    gone = shelf.too_many(sorted(names), keep, now)
    past = {name for name in names if shelf.seconds_of(name) <= now}
    left = past - set(gone)
    assert past.issuperset(gone) and len(left) == min(keep, len(past)) and (not gone or max(gone) < min(left))


def test_nothing_is_cleared_away_but_what_a_backup_left_behind(tmp_path: Path) -> None:
    put(tmp_path, "mine.part")
    (tmp_path / "x.part").touch()
    (tmp_path / "20261123T041122.251Z.part").touch()
    shelf.remove(*shelf.unfinished(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"mine.part", "x.part"}


def test_one_hand_at_a_time(tmp_path: Path) -> None:
    under_way = pytest.raises(BackupError, match="another backup or restore is under way")
    with shelf.taken(tmp_path), under_way, shelf.taken(tmp_path):
        raise AssertionError("two hands")
    with shelf.taken(tmp_path):
        pass


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("1h", 3600), ("2d", 172800)])
def test_intervals_are_read(text: str, seconds: float) -> None:
    assert interval(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "0h", "1.5h", "h", "-1h", "1w", "1h "])
def test_other_words_are_no_intervals(text: str) -> None:
    with pytest.raises(ValueError, match="a time like 30m, 1h or 1d"):
        interval(text)


@pytest.mark.parametrize(
    ("made", "tried", "seconds"),
    [
        ([], None, 0.0),
        ([-9000.0, 1000.0], None, 3600.0),
        ([-9000.0], None, 0.0),
        ([29800.0], None, 0.0),  # made while the clock was ahead
        ([29800.0, 900.0], None, 3500.0),  # and then one while it was right
        ([], 1000.0, RETRY_SECONDS),
        ([-9000.0], 900.0, RETRY_SECONDS - 100),
        ([900.0], 1000.0, 3500.0),
    ],
)
def test_the_next_is_due_an_interval_after_the_newest_or_a_while_after_a_failure(
    made: list[float], tried: float | None, seconds: float
) -> None:
    assert seconds_until_due(3600.0, made, tried, 1000.0) == seconds
