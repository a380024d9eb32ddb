"""Asking for a reply: what is kept of a half-finished one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from outlast.attempt.hold import Hold
from outlast.attempt.reply import Asking
from outlast.errors import ContextTooLong
from outlast.interpreter.model import Delta, Finish
from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.records import AttemptOpened, ReplyDelta, SessionOpened
from outlast.log.store import EMPTY
from outlast.settings import Settings
from outlast.stop import StopSignal


class Narrow:
    """A model whose window has room for a whole reply, but not for a beginning and as much again."""

    def continues(self, partial: str, *, stop: StopSignal) -> bool:
        return True

    def count_tokens(self, wire: object, *, stop: StopSignal) -> int:
        return 1

    def stream(self, wire: object, *, partial: str | None, **_: object) -> Iterator[Delta | Finish]:
        if partial:
            raise ContextTooLong("too long")
        yield Delta("All done.")
        yield Finish("stop", 10, 3)


def test_a_half_finished_reply_that_there_is_no_room_to_continue_is_asked_for_again() -> None:
    log = MemoryLog(MemoryStore(), "s")
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=EMPTY, session=SessionOpened("go"))
    writer.append(ReplyDelta("All"))
    hold = Hold("s", writer, log.read(), "w")
    model: Any = Narrow()
    Asking(hold, model, Settings(), StopSignal()).reply()
    assert hold.state.answer == "All done."
    assert [record.type for record in log.read()][-2:] == ["reply.discarded", "reply.finished"]
