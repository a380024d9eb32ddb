"""What the model is told stands in the log until it may be told, and is told once."""

from __future__ import annotations

from outlast.attempt.hold import Hold
from outlast.attempt.notes import tell
from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.records import AttemptOpened, Body, NoteAdded, ReplyDelta, SessionOpened, StateRestored, StateSaved
from outlast.log.store import EMPTY
from tests.unit.log.story import again, cell, pending, reply


def held(*bodies: Body) -> Hold:
    log = MemoryLog(MemoryStore(), "s")
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=EMPTY, session=SessionOpened("go"))
    for body in bodies:
        writer.append(body)
    return Hold("s", writer, log.read(), "w")


MISSING = StateRestored(1, "sum1", ("a",), {"f": "open file"})
OTHER = [*again(1), StateSaved(1, "sum1", output="two")]


def notes(hold: Hold) -> list[str]:
    return [said.text for said in hold.state.said if said.kind == "note"]


def test_what_is_missing_and_what_is_different_are_two_notes_each_told_once() -> None:
    hold = held(reply("x"), *pending(1, "one"), *OTHER, MISSING)
    for _ in range(2):
        tell(hold)
    assert len(notes(hold)) == 2
    assert "f (open file)" in notes(hold)[0] and notes(hold)[1].endswith(":\ntwo")


def test_nothing_is_told_in_a_half_finished_reply_before_a_cell_or_after_an_answer() -> None:
    for goes_on in (ReplyDelta("Let"), reply("y"), reply(None)):
        hold = held(reply("x"), *pending(1, "one"), goes_on, *OTHER, MISSING)
        tell(hold)
        assert notes(hold) == []


def test_what_could_not_be_told_is_told_after_the_cell_that_came_between() -> None:
    hold = held(reply("x"), *pending(1, "one"), reply("y"), *OTHER, *cell(2, "2"))
    tell(hold)
    assert [said.kind for said in hold.state.said][-2:] == ["output", "note"]


def test_a_note_about_something_else_takes_nothing_away() -> None:
    hold = held(reply("x"), *pending(1, "one"), *OTHER, MISSING, NoteAdded("cut off at the limit"))
    tell(hold)
    assert len(notes(hold)) == 3
