"""A save that takes longer than its cell: who waits for it, and that nothing of it is left when its attempt is over."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from outlast.attempt.cell import Cells
from outlast.attempt.hold import Hold
from outlast.errors import Fenced, RedisAway, Stopped
from outlast.kernel.workspace import Workspace
from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.plan import Policy
from outlast.log.records import AttemptOpened, Body, ReplyDelta, SessionOpened, StateSaved
from outlast.settings import Settings
from outlast.stop import StopSignal
from tests.integration.kernel.conftest import NewSession
from tests.integration.sessions import SLOW
from tests.unit.log.story import reply

_numbers = itertools.count()


class Slow:
    """An attempt whose first cell has run, and whose variables take until `let_go` to be saved."""

    def __init__(self, settings: Settings, session: str) -> None:
        self.log = MemoryLog(MemoryStore(), session)
        opening, opened = AttemptOpened("w", "first"), SessionOpened("go")
        writer = self.log.open_attempt(opening, holder="l", expected=self.log.tail(), session=opened)
        self.hold = Hold(session, writer, self.log.read(), "w")
        self.stop = StopSignal()
        self.workspace = Workspace.open(settings, session)
        others = set(psutil.Process().children(recursive=True))
        self.cells = Cells(self.hold, self.workspace, settings, Policy(), self.stop)
        self.hold.append(reply(SLOW))
        # As Open Interpreter's loop does it.
        self.output = self.cells.run(*self.hold.state.code)
        self.processes = set(psutil.Process().children(recursive=True)) - others

    def let_go(self) -> None:
        (self.workspace.files / "saved").touch()

    def types(self) -> list[str]:
        return [record.type for record in self.log.read()][3:]

    @property
    def is_saving(self) -> bool:
        return any(thread.name == "state-saving" for thread in threading.enumerate())

    def close(self) -> None:
        self.let_go()
        self.cells.close()


@pytest.fixture
def slow(settings: Settings) -> Iterator[Callable[..., Slow]]:
    """Makes a slow attempt; settings as keywords."""
    made: list[Slow] = []

    def make(**changed: Any) -> Slow:
        made.append(Slow(Settings(**{**vars_of(settings), **changed}), f"slow-{os.getpid()}-{next(_numbers)}"))
        return made[-1]

    yield make
    for attempt in made:
        attempt.close()
        attempt.stop.close()


def vars_of(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}


def assert_nothing_is_left(attempt: Slow) -> None:
    """Neither the thread, nor the kernel, nor the process that saves."""
    assert not attempt.is_saving
    _gone, alive = psutil.wait_procs(attempt.processes, timeout=60)
    assert not alive


def test_a_cell_returns_before_its_variables_are_saved_and_the_next_waits_for_them(slow: Callable[..., Slow]) -> None:
    attempt = slow()
    assert attempt.types() == ["cell.started", "cell.finished"] and attempt.is_saving
    attempt.hold.append(reply("print('two')"))
    attempt.let_go()
    assert attempt.cells.run(*attempt.hold.state.code) == "two\n"
    assert attempt.types()[2:5] == ["reply.finished", "state.saved", "cell.started"]


def test_a_fenced_attempt_leaves_no_thread_and_no_process(slow: Callable[..., Slow]) -> None:
    attempt = slow()
    attempt.log.open_attempt(AttemptOpened("other", "crash"), holder="m", expected=attempt.log.tail())
    with pytest.raises(Fenced):
        attempt.hold.append(ReplyDelta("Let"))
    attempt.cells.close()
    assert_nothing_is_left(attempt)
    assert "state.saved" not in attempt.types()


def test_a_save_that_ends_after_the_fence_is_not_logged_and_the_attempt_learns_of_the_fence(
    slow: Callable[..., Slow],
) -> None:
    attempt = slow()
    attempt.log.open_attempt(AttemptOpened("other", "crash"), holder="m", expected=attempt.log.tail())
    attempt.let_go()
    with pytest.raises(Fenced):
        attempt.cells.settle()
    attempt.cells.close()
    assert_nothing_is_left(attempt)
    assert "state.saved" not in attempt.types()


@pytest.mark.parametrize("error", [RedisAway("Redis is away"), RuntimeError("a mistake of our own")], ids=repr)
def test_what_goes_wrong_while_the_save_is_logged_is_raised_where_the_attempt_waits_for_it(
    slow: Callable[..., Slow], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    append = Hold.append

    def fail(self: Hold, body: Body) -> Any:
        if isinstance(body, StateSaved):
            raise error
        return append(self, body)

    monkeypatch.setattr(Hold, "append", fail)
    attempt = slow()
    attempt.let_go()
    with pytest.raises(type(error), match=str(error)):
        attempt.cells.leave()
    attempt.cells.close()
    assert_nothing_is_left(attempt)


@pytest.mark.parametrize("reason", ["drain", "cancel", "max_seconds"])
def test_a_stop_gives_the_save_its_grace(slow: Callable[..., Slow], reason: str) -> None:
    attempt = slow(drain_grace=60.0)
    attempt.stop.set(reason)
    attempt.let_go()
    attempt.cells.leave()
    assert attempt.types()[-1] == "state.saved"


def test_a_save_that_outlasts_its_grace_is_in_the_log_as_cut_off(slow: Callable[..., Slow]) -> None:
    attempt = slow(drain_grace=0.0)
    attempt.stop.set("cancel")
    attempt.cells.leave()
    assert attempt.types()[-1] == "cell.interrupted"
    assert attempt.hold.state.variables.pending is not None and not attempt.hold.state.variables.pending.saving
    attempt.cells.close()
    assert_nothing_is_left(attempt)


def test_no_cell_starts_once_a_stop_has_been_asked_for(slow: Callable[..., Slow]) -> None:
    attempt = slow(drain_grace=60.0)
    attempt.hold.append(reply("print('two')"))
    attempt.stop.set("drain")
    attempt.let_go()
    with pytest.raises(Stopped):
        attempt.cells.run(*attempt.hold.state.code)
    assert attempt.types()[-1] == "state.saved"


def test_a_save_may_be_waited_for_by_one_thread_after_the_other(new_session: NewSession) -> None:
    session = new_session("handed-over").ready()
    session.run(SLOW)
    save = session.kernel.begin_save(1, session.stop)
    assert save.wait(0.01) is None
    saved: list[Any] = []
    waiting = threading.Thread(target=lambda: saved.append(save.wait()))
    waiting.start()
    (Path(session.workspace.files) / "saved").touch()
    waiting.join()
    assert saved[0].checkpoint and not saved[0].error
    assert session.run("print('alive')").output == "alive\n"


def test_a_save_that_is_stopped_ends_at_once_if_the_session_is_somebody_elses(new_session: NewSession) -> None:
    session = new_session("fenced-save", drain_grace=600.0).ready()
    session.run(SLOW)
    save = session.kernel.begin_save(1, session.stop)
    session.stop.set("fenced")
    with pytest.raises(Stopped):
        save.wait()
