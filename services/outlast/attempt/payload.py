"""Reads the plain values that `rq enqueue` pickles, and nothing else.

A pickle is a program. This one is read twice: first its opcodes are held against a list of those that can only build
plain values (nothing is built yet), then it is loaded by an unpickler that cannot look up a name. Size, nesting and
the number of values, shared ones counted every time they are met, are bounded, so that a small payload cannot become
a large object. Nothing is imported or called at any point.

Protocols 4 and 5 only: RQ always takes the highest one, and the older ones need memo indexes chosen by the sender.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import zlib
from typing import Any, Never

#: Bytes that a payload may have, compressed or not.
LARGEST_PAYLOAD = 1024 * 1024
#: Values that a payload may hold, each counted as often as it is reached.
MOST_VALUES = 50_000
#: Containers inside containers.
DEEPEST_NESTING = 50

#: The opcodes that build None, booleans, numbers, text, bytes and containers of these.
PLAIN_OPCODES = frozenset(
    {
        "PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINGET", "LONG_BINGET",
        "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
        "SHORT_BINUNICODE", "BINUNICODE", "SHORT_BINBYTES", "BINBYTES",
        "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_SET", "ADDITEMS", "FROZENSET",
        "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
    }
)  # fmt: skip

_SCALARS = (type(None), bool, int, float, str, bytes)


class Unreadable(ValueError):
    """The payload is no pickle of plain values; the message says in what."""


class _PlainUnpickler(pickle.Unpickler):
    """The second lock: even an opcode that the scan let pass can look nothing up."""

    def find_class(self, module_name: str, global_name: str) -> Never:
        raise Unreadable("it names code")

    def persistent_load(self, pid: object) -> Never:
        raise Unreadable("it names something outside itself")


def inflate(data: bytes, limit: int = LARGEST_PAYLOAD) -> bytes:
    """Undo zlib, making at most `limit` bytes; what is not compressed comes back as it is, as RQ has it.

    Unreadable if the result would be larger, or is cut short.
    """
    if len(data) > limit:
        raise Unreadable(f"it is larger than {limit} bytes")
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data, limit + 1)
    except zlib.error:
        return data
    if len(plain) > limit:
        raise Unreadable(f"it unpacks to more than {limit} bytes")
    if not stream.eof:
        raise Unreadable("it is cut short")
    return plain


def load_plain(data: bytes) -> Any:
    """The value of a pickle of plain values; Unreadable for every other input."""
    if len(data) > LARGEST_PAYLOAD:
        raise Unreadable(f"it is larger than {LARGEST_PAYLOAD} bytes")
    try:
        for opcode, _argument, _position in pickletools.genops(data):
            if opcode.name not in PLAIN_OPCODES:
                raise Unreadable(f"it holds more than plain values ({opcode.name})")
        value = _PlainUnpickler(io.BytesIO(data)).load()
    except Unreadable:
        raise
    except Exception as error:  # a hostile pickle may raise nearly anything; none of it matters to the caller
        raise Unreadable(f"it is not a pickle ({type(error).__name__})") from None
    _check_bounds(value)
    return value


def dump_plain(value: Any) -> bytes:
    """The pickle of plain values, as the stock client reads it; Unreadable if `load_plain` would not take it back."""
    data = pickle.dumps(value, protocol=5)
    load_plain(data)
    return data


def _check_bounds(value: Any) -> None:
    """Unreadable if `value`, written out in full, would be too deep or too large."""
    left = MOST_VALUES
    level = [value]
    for _depth in range(DEEPEST_NESTING + 1):
        below: list[Any] = []
        for item in level:
            left -= 1
            if left < 0:
                raise Unreadable(f"it holds more than {MOST_VALUES} values")
            if isinstance(item, dict):
                below.extend(item.keys())
                below.extend(item.values())
            elif isinstance(item, (list, tuple, set, frozenset)):
                below.extend(item)
            elif not isinstance(item, _SCALARS):
                raise Unreadable(f"it holds a {type(item).__name__}")
            if len(below) > left:
                raise Unreadable(f"it holds more than {MOST_VALUES} values")
        if not below:
            return
        level = below
    raise Unreadable(f"it is nested deeper than {DEEPEST_NESTING}")
