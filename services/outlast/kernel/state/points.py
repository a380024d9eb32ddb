"""Named moments of a save, where tests kill it. Each costs one comparison as long as nobody has set `hook`."""

from __future__ import annotations

from collections.abc import Callable

#: All of them, in their order. The last one is reached by the kernel, the others by its child.
POINTS = (
    "forked",
    "object written",
    "object synced",
    "object renamed",
    "manifest written",
    "manifest synced",
    "manifest renamed",
    "saved",
)

hook: Callable[[str], None] | None = None


def reach(point: str) -> None:
    """Say that the save has come so far."""
    if hook is not None:
        hook(point)
