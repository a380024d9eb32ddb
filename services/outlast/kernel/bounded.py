"""Names that a session made up, bounded by what the log needs for them. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

#: Bytes of all names of one record: a session ends a hundred kernels if it likes, and each has it logged what is lost.
MOST_BYTES = 128 * 1024


def within(names: Iterable[str], most: int = MOST_BYTES) -> Iterator[str]:
    """As many from the beginning as take `most` bytes in a record; a character may take twelve."""
    for name in names:
        most -= len(json.dumps(name)) + 1
        if most < 0:
            return
        yield name
