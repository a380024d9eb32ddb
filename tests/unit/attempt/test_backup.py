"""A cell waits for a backup wherever that begins: before `cell.started`, or just before it without being seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outlast.attempt.cell import Cells
from outlast.attempt.hold import Hold
from outlast.errors import Stopped
from outlast.kernel.client import Kernel
from outlast.kernel.workspace import Workspace
from outlast.log.memory_log import MemoryLog, MemoryStore
from outlast.log.plan import Policy
from outlast.log.records import AttemptOpened, Record, SessionOpened, TurnWaiting
from outlast.log.store import EMPTY
from outlast.settings import Settings
from outlast.stop import StopSignal
from tests.unit.log.story import reply


class Store(MemoryStore):
    """Has a backup begin when the record `begins` is appended, and end once the session says that it waits."""

    def __init__(self, begins: str) -> None:
        super().__init__()
        self.begins, self.happened = begins, list[str]()

    def note(self, record: Record) -> None:
        waits = isinstance(record.body, TurnWaiting)
        self.happened.append(f"{record.type} {'over' if record.body.seconds else 'begun'}" if waits else record.type)
        if record.type == self.begins:
            self.backup = "b"
        elif waits:
            self.backup = ""


class Recorder:
    """A kernel that only notes that a cell got as far as to run."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ready(self, *_: object) -> None: ...

    def close(self) -> None: ...

    def run(self, *_: object, **__: object) -> Any:
        self._store.happened.append("the code runs")
        raise Stopped("drain")


@pytest.mark.parametrize(
    ("begins", "then"),
    [
        ("", ["cell.started", "the code runs"]),
        ("reply.finished", ["turn.waiting begun", "turn.waiting over", "cell.started", "the code runs"]),
        ("cell.started", ["cell.started", "turn.waiting begun", "turn.waiting over", "the code runs"]),
    ],
)
def test_no_code_runs_before_the_backup_is_over(
    begins: str, then: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(begins)
    log = MemoryLog(store, "s")
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=EMPTY, session=SessionOpened("go"))
    hold = Hold("s", writer, log.read(), "w")
    hold.on_record = store.note
    hold.append(reply("x"))
    monkeypatch.setattr(Kernel, "launch", lambda *_, **__: Recorder(store))
    settings = Settings(workspaces=str(tmp_path))
    cells = Cells(hold, Workspace.open(settings, "s"), settings, Policy(), StopSignal())
    with pytest.raises(Stopped):
        cells.run("python", hold.state.code[1])
    assert store.happened[1 : 1 + len(then)] == then


def test_a_session_that_is_asked_to_stop_does_not_wait_for_the_backup(tmp_path: Path) -> None:
    store = MemoryStore()
    store.backup = "b"
    log = MemoryLog(store, "s")
    writer = log.open_attempt(AttemptOpened("w", "first"), holder="l", expected=EMPTY, session=SessionOpened("go"))
    stop = StopSignal()
    stop.set("drain")
    with pytest.raises(Stopped):
        Hold("s", writer, log.read(), "w").await_backup(stop)
    assert [record.type for record in log.read()] == ["session.opened", "attempt.opened"]
