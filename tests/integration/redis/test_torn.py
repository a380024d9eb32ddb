"""What a power cut leaves at the end of the append-only file is cut off at the start, kept, and told."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from keeper.aof.scan import Sound, Torn, scan
from tests.integration.redis.damage import KEYS, fill, increment, kept_keys
from tests.kept_redis import KeptRedis
from tests.unit.redis.aof import FILE

TEARS: dict[str, Callable[[bytes], bytes]] = {
    "a command cut short": lambda data: data[:-5],
    "a transaction without its end": lambda data: data[: data.rindex(b"*1\r\n$4\r\nEXEC")],
    "zeros after the end": lambda data: data + bytes(4096),
    "zeros in place of the last bytes": lambda data: data[:-9] + bytes(4096),
    "garbage after the end": lambda data: data + b"\xfe\x00$3\r\nse\xff" * 9,
    "half a command after the end, then zeros": lambda data: data + b"*3\r\n$3\r\nset\r\n$9\r\nrq:" + bytes(100),
}


@pytest.mark.parametrize("tear", TEARS)
def test_a_torn_end_is_cut_off_kept_and_told_in_one_line(private: KeptRedis, tear: str) -> None:
    fill(private)
    private.kill()
    file = increment(private)
    torn = TEARS[tear](file.read_bytes())
    file.write_bytes(torn)
    private.restart()
    after = file.read_bytes()
    assert torn.startswith(after)
    (kept,) = (private.data / "cut").iterdir()
    assert kept.read_bytes() == torn[len(after) :] and kept.stat().st_mode & 0o777 == 0o600
    (line,) = re.findall(r"keeper: .*", private.log_text())
    assert f"{len(torn) - len(after)} torn bytes" in line and f"at byte {len(after)}" in line and str(kept) in line
    assert kept_keys(private) == list(KEYS if "after the end" in tear else KEYS[:2])


def test_a_sound_file_is_left_alone_and_nothing_is_said(private: KeptRedis) -> None:
    fill(private)
    private.kill()
    before = increment(private).read_bytes()
    private.restart()
    assert increment(private).read_bytes() == before
    assert not (private.data / "cut").exists() and "keeper:" not in private.log_text()


def test_a_second_tear_is_kept_beside_the_first(private: KeptRedis) -> None:
    for junk in (bytes(10), b"\xff" * 20):
        private.kill()
        with increment(private).open("ab") as file:
            file.write(junk)
        private.restart()
    assert sorted(path.stat().st_size for path in (private.data / "cut").iterdir()) == [10, 20]


def checker_objects(path: Path) -> bool:
    """What Redis's own checker says of a single file."""
    return subprocess.run(["redis-check-aof", str(path)], capture_output=True, check=False).returncode != 0


def test_the_verdict_agrees_with_redis_on_truncations(private: KeptRedis, tmp_path: Path) -> None:
    path = tmp_path / "one.aof"
    for end in range(1, len(FILE) + 1, 23):
        path.write_bytes(FILE[:end])
        with path.open("rb") as file:
            verdict = scan(file)
        assert isinstance(verdict, Sound) == (not checker_objects(path)), end
        if isinstance(verdict, Torn) and verdict.keep:
            path.write_bytes(FILE[: verdict.keep])
            assert not checker_objects(path), end
