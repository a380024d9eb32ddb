"""Cells that count: what each leaves behind differs in every name from what the one before did."""

from __future__ import annotations

import ast
from typing import Any

#: The cell numbered `k`. Small values, shared ones, large ones of their own; only `keep` never changes.
CELL = """
import numpy as np
k = {k}
small = [k] * 100
shared = {{"k": k, "small": small}}
array = np.full(20_000, k)
text = str(k) * 100_000
keep = globals().get("keep") or bytearray(100_000)
"""
LOOK = """
looks = {
    "k": int, "small": lambda v: sorted(set(v)), "shared": lambda v: (v["k"], v["small"] is globals().get("small")),
    "array": lambda v: (v.size, set(v.tolist())), "text": lambda v: (len(v), set(v)), "keep": lambda v: any(v),
}
print({name: look(globals()[name]) for name, look in looks.items() if name in globals()})
"""


def whole(k: int) -> dict[str, Any]:
    """What `LOOK` finds after that cell."""
    return {
        "k": k, "small": [k], "shared": (k, True), "array": (20_000, {k}), "text": (100_000 * len(str(k)), set(str(k))),
        "keep": False,
    }  # fmt: skip


def found(look: dict[str, Any]) -> dict[str, Any]:
    """What `LOOK` has printed."""
    names: dict[str, Any] = ast.literal_eval(look["printed"])
    return names
