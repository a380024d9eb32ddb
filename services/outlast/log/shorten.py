"""How a conversation is made to fit the model's window. Pure, and in large steps.

Each step changes the prefix of every later request and so throws the server's prefix cache away; hence a step
frees a good part of the window, not just what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .project import Projection, render
from .records import ContextShortened

#: Part of the room that a shortened conversation may fill.
TARGET = 0.5


def steps(state: Projection) -> Iterator[ContextShortened]:
    """Ever shorter forms of the conversation, starting behind the one in force; the last turn is never dropped."""
    current = state.shortened
    dropped = current.dropped_turns if current else 0
    if state.cell > 2:
        yield ContextShortened(outputs_through=state.cell - 2, output_chars=400, dropped_turns=dropped)
    yield ContextShortened(outputs_through=state.cell, output_chars=200, dropped_turns=dropped)
    left = state.total_turns - dropped
    while left > 1:
        dropped += max(1, left // 2)
        left = state.total_turns - dropped
        yield ContextShortened(outputs_through=state.cell, output_chars=200, dropped_turns=dropped)


def shorten(
    state: Projection, count: Callable[[list[dict[str, str]]], int], room: int, *, at_least: bool = False
) -> ContextShortened | None:
    """The first step that brings the conversation to `TARGET` of `room` tokens; else the shortest that fits at all.

    `at_least` asks for a step that is really shorter than what is in force, because the server refused that.
    None: nothing helps, the user's own messages are too long.
    """
    assert state.opened is not None
    now = count(state.wire())
    fitting: ContextShortened | None = None
    for step in steps(state):
        tokens = count(render(state.opened, state.said, step))
        if at_least and tokens >= now:
            continue
        if tokens <= room * TARGET:
            return step
        if tokens <= room:
            fitting = step
    return fitting
