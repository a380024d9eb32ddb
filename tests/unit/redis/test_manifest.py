"""Which files make up the append-only file."""

from __future__ import annotations

import pytest

from keeper.aof.manifest import BadManifest, Files, parse

GOOD = """\
file appendonly.aof.3.base.rdb seq 3 type b
file appendonly.aof.2.incr.aof seq 2 type h
file appendonly.aof.7.incr.aof seq 7 type i
file appendonly.aof.8.incr.aof seq 8 type i
"""


def test_the_base_comes_first_and_history_is_left_out() -> None:
    files = parse(GOOD)
    assert files == Files("appendonly.aof.3.base.rdb", ("appendonly.aof.7.incr.aof", "appendonly.aof.8.incr.aof"))
    assert files.all[0] == "appendonly.aof.3.base.rdb"


def test_a_data_set_that_began_empty_may_have_no_base() -> None:
    assert parse("file appendonly.aof.1.incr.aof seq 1 type i\n").all == ("appendonly.aof.1.incr.aof",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0" * 100,
        GOOD[:-4],
        GOOD.replace("seq 8", "seq 7"),
        GOOD.replace("type h", "type b"),
        GOOD.replace("appendonly.aof.7", "../appendonly.aof.7"),
        GOOD + "\n",
    ],
)
def test_what_redis_would_not_take_is_no_manifest(text: str) -> None:
    with pytest.raises(BadManifest):
        parse(text)
