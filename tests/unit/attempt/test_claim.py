"""Opening attempts while others do: what is alive is never fenced, and no race looks like damage."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlast.attempt.claim import claim
from outlast.attempt.hold import Hold
from outlast.attempt.request import Request
from outlast.errors import Fenced
from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.records import AttemptClosed, AttemptOpened, Record, RecordId, SessionFinished
from outlast.settings import Settings

RUN = Request("run", "s", "s", "go")
CHAT = Request("chat", "c", "s", "and now?")


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(MemoryStore(), "s")


def claimed(log: MemoryLog, request: Request, newest: int, tmp_path: Path) -> Hold:
    settings = Settings(data=str(tmp_path))
    return claim(log, request, newest=newest, holder=f"lease-{request.job}", worker="w", settings=settings)


def finish(hold: Hold) -> None:
    assert hold.close(SessionFinished(1, 0, 0.0), AttemptClosed("finished"), state="finished")


def test_of_two_jobs_that_found_a_session_free_only_the_first_opens_an_attempt(log: MemoryLog, tmp_path: Path) -> None:
    finish(claimed(log, RUN, 0, tmp_path))
    first = claimed(log, CHAT, 1, tmp_path)
    with pytest.raises(Fenced, match="another worker"):
        claimed(log, Request("chat", "d", "s", "and what else?"), 1, tmp_path)
    finish(first)


def test_an_attempt_that_is_over_is_taken_over(log: MemoryLog, tmp_path: Path) -> None:
    dead = claimed(log, RUN, 0, tmp_path)
    assert claimed(log, RUN, 1, tmp_path).number == 2
    with pytest.raises(Fenced):
        finish(dead)


def test_a_log_that_grows_while_it_is_claimed_is_not_taken_for_damaged(log: MemoryLog, tmp_path: Path) -> None:
    stalled = claimed(log, RUN, 0, tmp_path)

    class Late(MemoryLog):
        """The old attempt closes just after the log was read."""

        def read(self, after: RecordId | None = None) -> list[Record]:
            records = super().read(after)
            if records[-1].body.TYPE == AttemptOpened.TYPE and records[-1].id.attempt == 1:
                finish(stalled)
            return records

    late = Late(MemoryStore(), "s")
    late._store, late._inbox = log._store, log._inbox
    hold = claimed(late, CHAT, 1, tmp_path)
    assert hold.number == 2
    assert log.tail().id == RecordId(2, 0)
