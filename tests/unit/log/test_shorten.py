"""`shorten`: 200 turns in a small window."""

from __future__ import annotations

from outlast.log import records as r
from outlast.log.project import Projection, project
from outlast.log.shorten import TARGET, shorten
from tests.unit.log.story import build, cell, opened, reply


def count(wire: list[dict[str, str]]) -> int:
    return sum(len(message["content"]) // 4 + 4 for message in wire)


def long_log(turns: int, output: str = "o" * 2_000) -> list[r.Body]:
    bodies: list[r.Body] = [opened("go"), r.AttemptOpened("w", "first")]
    for number in range(1, turns + 1):
        bodies += [reply(f"step({number})"), *cell(number, output)]
    return bodies


def test_two_hundred_turns_never_exceed_the_room_and_are_shortened_seldom() -> None:
    room, steps = 4_000, 0
    state = Projection()
    bodies: list[r.Body] = long_log(200)
    log: list[r.Body] = []
    for body in bodies:
        log.append(body)
        if isinstance(body, r.CellFinished):
            state = project(build(log))
            if count(state.wire()) > room:
                step = shorten(state, count, room)
                assert step is not None
                log.append(step)
                steps += 1
                assert count(project(build(log)).wire()) <= room * TARGET
    assert 2 <= steps <= 40


def test_the_newest_turn_is_never_dropped() -> None:
    state = project(build(long_log(50)))
    step = shorten(state, count, 700)
    assert step is not None
    assert step.dropped_turns < 50
    assert any("step(50)" in message["content"] for message in project(build([*long_log(50), step])).wire())


def test_a_refused_conversation_gets_a_really_shorter_form() -> None:
    bodies = long_log(20)
    before = project(build(bodies))
    step = shorten(before, count, 1_000_000, at_least=True)
    assert step is not None
    assert count(project(build([*bodies, step])).wire()) < count(before.wire())


def test_a_prompt_longer_than_the_window_cannot_be_helped() -> None:
    state = project(build([opened("x" * 40_000), r.AttemptOpened("w", "first")]))
    assert shorten(state, count, 4_000) is None
