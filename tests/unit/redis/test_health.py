"""What an answer of Redis means for those who write."""

from __future__ import annotations

import pytest

from keeper.health import judge

FINE = {"loading": "0", "role": "master", "used_memory": str(512 << 20), "maxmemory": str(2 << 30)} | {
    "aof_last_write_status": "ok",
    "rdb_last_bgsave_status": "ok",
}


def test_a_redis_that_takes_writes_is_healthy_and_says_how_full_it_is() -> None:
    assert judge(FINE) == ("Redis takes writes: 512 of 2048 MB (25 %).", True)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"loading": "1", "loading_loaded_perc": "43.2", "loading_eta_seconds": "9"}, "loading its data: 43 %, about"),
        ({"role": "slave"}, "read-only: it is a replica"),
        ({"aof_last_write_status": "err"}, "read-only: its last append-only file could not be written"),
        ({"rdb_last_bgsave_status": "err"}, "read-only: its last snapshot could not be written"),
        ({"used_memory": str(2 << 30)}, "full: 2048 of 2048 MB"),
    ],
)
def test_a_redis_that_takes_none_is_told_apart_in_one_sentence(state: dict[str, str], says: str) -> None:
    sentence, healthy = judge(FINE | state)
    assert not healthy and says in sentence and sentence.count("\n") == 0


def test_output_buffers_do_not_make_it_full() -> None:
    assert judge(FINE | {"used_memory": str(2 << 30), "mem_not_counted_for_evict": "4096"})[1]
