"""Every prefix of a session's log is a place where its worker may have died: the session is resumed from each."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outlast.cli.history import history
from outlast.log.project import project
from outlast.log.records import CellReplayed, CellStarted, Record
from outlast.log.store import head_key, log_key
from tests.fleet import Fleet
from tests.integration.sessions import SLOWLY, cell, outputs, ran
from tests.observer import bodies

WORDS = " ".join(f"word{number}" for number in range(40))
REPLIES = [
    {"text": WORDS + cell(1, SLOWLY + "x = [1]\nprint('one')"), "delay": 0.03},
    cell(2, "y = x\nx.append(2)\nprint('two', flush=True)\ntime.sleep(1)\nprint(x)"),
    cell(3, "print(sum(y), y is x)"),
    "All done.",
]
#: Appended together, so that no log ends between them.
TOGETHER = (("session.opened", "attempt.opened"), ("session.finished", "attempt.closed"))


@pytest.fixture
def fleet(tmp_path: Path, kernel_python: Path) -> Iterator[Fleet]:
    with Fleet(tmp_path, {"replies": REPLIES}, kernel_python, workers=1) as fleet:
        yield fleet


@pytest.mark.timeout(600)
def test_a_session_goes_on_from_every_prefix_of_its_log(fleet: Fleet, tmp_path: Path) -> None:
    fleet.enqueue("job")
    whole = fleet.finished("job")
    fleet.job_status("job", "finished")
    records = fleet.log("job").read()
    kinds = [record.type for record in records]
    assert {"reply.delta", "cell.output", "state.saved"} <= {*kinds}
    entries: Any = fleet.connection.xrange(log_key("job"))
    head: Any = fleet.connection.hgetall(head_key("job"))
    subprocess.run(["cp", "-a", fleet.workspaces / "job", tmp_path / "aside"], check=True)
    for number in range(2, len(records) + 1):
        if (kinds[number - 1], *kinds[number : number + 1]) in TOGETHER:
            continue
        _die_after(fleet, records[:number], entries[:number], head, tmp_path / "aside")
        fleet.enqueue("job")
        fleet.job_status("job", "finished", "failed")
        log = fleet.log("job").read()
        assert log[:number] == records[:number] and fleet.verify("job").ok, f"{number} records"
        assert outputs(log) == outputs(records) and project(log).wire() == whole.wire(), f"{number} records"
        again = Counter(body.cell for body in bodies(log, CellReplayed))
        assert Counter(ran(fleet, "job")) == {str(each): 1 + again[each] for each in (1, 2, 3)}, f"{number} records"
        assert history("job", log).ran_twice == [], f"{number} records"


def _die_after(fleet: Fleet, records: list[Record], entries: Any, head: dict[bytes, bytes], files: Path) -> None:
    """Leave what a death right after these records leaves behind: the log, its head, and the session's directory."""
    connection, place, last = fleet.connection, fleet.workspaces / "job", records[-1]
    connection.delete(log_key("job"), head_key("job"), "rq:job:job")
    for name, fields in entries:
        connection.xadd(log_key("job"), fields, id=name)
    now: dict[Any, Any] = {b"length": len(records), b"last": str(last.id), b"digest": last.digest}
    if last.type != "attempt.closed":
        now |= {b"state": b"running"}
    connection.hset(head_key("job"), mapping=head | now)
    shutil.rmtree(place)
    subprocess.run(["cp", "-a", files, place], check=True)
    # A cell that began may have written its line already.
    begun = [f"{body.cell}\n" for body in bodies(records, CellStarted)]
    (place / "files/ran.txt").write_text("".join(begun), encoding="utf-8")
