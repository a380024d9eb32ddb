"""RQ's serializer interface over plain values; what the worker reads every job and writes every result with."""

from __future__ import annotations

from typing import Any

from outlast.attempt.payload import dump_plain, load_plain


class PlainSerializer:
    """Reads what the stock `rq enqueue` pickles; writes what a stock client unpickles."""

    @staticmethod
    def dumps(value: Any, /) -> bytes:
        """A pickle of plain values; `payload.Unreadable` (a ValueError) for any other value."""
        return dump_plain(value)

    @staticmethod
    def loads(data: bytes, /) -> Any:
        """The value; `payload.Unreadable` (a ValueError) for anything but a pickle of plain values."""
        return load_plain(data)
