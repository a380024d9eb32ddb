"""Scripts for the tests of whole sessions: each cell appends its number to a file, so that a second run shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from outlast.log.records import CellFinished, Record
from tests.fleet import Fleet
from tests.observer import bodies

#: Holds a cell until the test lets it go on, whatever the speed of the machine.
GATE = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\n"

#: Leaves a variable whose save takes until the test lets it go on; a save that comes later takes no time.
SLOW = (
    "import os, time\n"
    "class Slow:\n"
    "    def __reduce__(self):\n"
    "        while not os.path.exists('saved'): time.sleep(0.01)\n"
    "        return Slow, ()\n"
    "slow = Slow()\n"
)


#: Leaves a variable that is saved while the model thinks, so that the cell's state gets a record of its own.
SLOWLY = (
    "import time\n"
    "class Slowly:\n"
    "    def __reduce__(self):\n"
    "        time.sleep(0.3)\n"
    "        return Slowly, ()\n"
    "slowly = Slowly()\n"
)


def cell(number: int, code: str = "", language: str = "python") -> str:
    """A reply whose cell notes that it ran, then runs `code`."""
    mark = f"open('ran.txt', 'a').write('{number}\\n')\n" if language == "python" else ""
    return f"Step {number}.\n```{language}\n{mark}{code}\n```"


def script(*cells: str, answer: str = "All done.") -> Sequence[str]:
    """A session of these replies and a final answer."""
    return [*cells, answer]


def ran(fleet: Fleet, session: str) -> list[str]:
    """The numbers of the cells in the order in which they ran."""
    path = fleet.workspaces / session / "files" / "ran.txt"
    return path.read_text().split() if path.exists() else []


def files(fleet: Fleet, session: str) -> Path:
    """The directory that the session's cells run in."""
    return fleet.workspaces / session / "files"


def let_go(fleet: Fleet, session: str) -> None:
    """Open the gate of a waiting cell."""
    (files(fleet, session) / "go").touch()


def let_save(fleet: Fleet, session: str) -> None:
    """Let the saves of `SLOW` variables go on."""
    (files(fleet, session) / "saved").touch()


def outputs(records: Sequence[Record]) -> list[str]:
    """What each finished cell said to the model, without the last line's end."""
    return [body.output.rstrip("\n") for body in bodies(records, CellFinished)]


def types(records: Sequence[Record]) -> list[str]:
    """The records' types."""
    return [record.type for record in records]
