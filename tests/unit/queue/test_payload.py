"""What the worker reads of a job's pickle: plain values, and no other byte of it has an effect."""

from __future__ import annotations

import contextlib
import pickle
import struct
import sys
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rq.serializers import DefaultSerializer

from outlast.attempt.payload import LARGEST_PAYLOAD, Unreadable, dump_plain, inflate, load_plain
from outlast.queue.serializer import PlainSerializer

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5) | st.tuples(inner, inner),
    max_leaves=30,
)


@given(plain)
def test_whatever_plain_value_the_stock_client_pickles_is_read_back(value: object) -> None:
    assert PlainSerializer.loads(DefaultSerializer.dumps(value)) == value


@given(plain)
def test_whatever_is_written_the_stock_client_reads(value: object) -> None:
    assert DefaultSerializer.loads(PlainSerializer.dumps(value)) == value


@given(st.binary(max_size=300))
def test_random_bytes_are_read_or_refused_and_never_raise_anything_else(data: bytes) -> None:
    for prefix in (b"", b"\x80\x05"):
        with contextlib.suppress(Unreadable):
            load_plain(prefix + data)


class Evil:
    def __init__(self, how: object) -> None:
        self._how = how

    def __reduce__(self) -> object:
        return self._how


@pytest.fixture
def sentinel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that could be imported; its name in `sys.modules` afterwards says that it was."""
    (tmp_path / "planted_module.py").write_text("def call(*a): open(__file__ + '.called', 'w').close()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "planted_module"


def global_pickles(module: str) -> dict[str, bytes]:
    name = module.encode()
    short = b"\x8c" + bytes([len(name)]) + name
    return {
        "GLOBAL": b"c" + name + b"\ncall\n)R.",
        "STACK_GLOBAL": b"\x80\x04" + short + b"\x8c\x04call\x93)R.",
        "INST": b"(i" + name + b"\ncall\n.",
        "OBJ": b"(c" + name + b"\ncall\no.",
        "PERSID": b"Pfile\n.",
        "BINPERSID": b"\x80\x04K\x01Q.",
        "EXT1": b"\x80\x04\x82\x01.",
        "EXT4": b"\x80\x04\x84\x01\x00\x00\x00.",
        "NEWOBJ": b"\x80\x04" + short + b"\x8c\x04call\x93)\x81.",
        "NEXT_BUFFER": b"\x80\x05\x97.",
        "BUILD": b"\x80\x04}}b.",
        "after STOP": b"\x80\x04N." + b"c" + name + b"\ncall\n)R.",
    }


@pytest.mark.parametrize("which", sorted(set(global_pickles("m")) - {"after STOP"}))
def test_a_pickle_that_names_code_is_refused_and_nothing_is_imported(which: str, sentinel: str) -> None:
    with pytest.raises(Unreadable):
        load_plain(global_pickles(sentinel)[which])
    assert sentinel not in sys.modules


def test_what_follows_the_end_of_a_pickle_has_no_effect(sentinel: str) -> None:
    assert load_plain(global_pickles(sentinel)["after STOP"]) is None
    assert sentinel not in sys.modules


@pytest.mark.parametrize("how", [(print, ("x",)), (eval, ("1",)), (complex, (1, 2)), (bytearray, (b"x",))])
def test_an_object_is_refused_whatever_makes_it(how: object) -> None:
    with pytest.raises(Unreadable):
        load_plain(pickle.dumps(("outlast.run", None, [Evil(how)], {}), protocol=5))


def doublings(count: int) -> bytes:
    """Lists of two times the same list, nested: a few bytes that stand for 2**count values."""
    value: list[object] = []
    for _ in range(count):
        value = [value, value]
    return pickle.dumps(value, protocol=5)


BOMBS = {
    "a memo index of two thousand million": b"\x80\x04Nr\xff\xff\xff\x7f.",
    "a text that says it is huge": b"\x80\x04X\xff\xff\xff\x7fabc.",
    "bytes that say they are huge": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 62) + b".",
    "a frame that says it is huge": b"\x80\x04\x95" + struct.pack("<Q", 1 << 62) + b"N.",
    "a number that says it is huge": b"\x80\x04\x8b\xff\xff\xff\x7f\x01.",
    "nested too deep": b"\x80\x04" + b"]" * 5000 + b"a" * 4999 + b".",
    "shared lists that double thirty times": doublings(30),
    "shared lists in a shallow pyramid": pickle.dumps([[[[["x"] * 99] * 99] * 99] * 99], protocol=5),
    "more values than a request has": pickle.dumps(list(range(60_000)), protocol=5),
    "a list that holds itself": b"\x80\x04]\x94h\x00a.",
    "larger than allowed": pickle.dumps("x" * (LARGEST_PAYLOAD + 1), protocol=5),
}


@pytest.mark.parametrize("which", sorted(BOMBS))
def test_a_bomb_is_refused_without_being_built(which: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable):
            load_plain(BOMBS[which])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 64 * LARGEST_PAYLOAD


def test_a_compressed_bomb_is_not_unpacked() -> None:
    bomb = zlib.compress(b"\0" * (200 * LARGEST_PAYLOAD), 9)
    assert len(bomb) < LARGEST_PAYLOAD
    tracemalloc.start()
    try:
        with pytest.raises(Unreadable, match="unpacks to more"):
            inflate(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * LARGEST_PAYLOAD


def test_compressed_and_plain_data_are_both_read_as_rq_does() -> None:
    data = dump_plain(["a", {"b": 1}])
    assert inflate(zlib.compress(data)) == data
    assert inflate(data) == data


def test_compressed_data_that_is_cut_short_is_refused() -> None:
    with pytest.raises(Unreadable, match="cut short"):
        inflate(zlib.compress(b"x" * 1000)[:-3])


def test_what_could_not_be_read_back_is_not_written() -> None:
    with pytest.raises(Unreadable):
        dump_plain({"when": complex(1, 2)})
