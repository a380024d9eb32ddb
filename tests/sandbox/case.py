"""What a case of the sandbox's suite is, and how its verdict is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from tests.sandbox.cells import Outcome

#: What an attack prints when it got what it wanted, with the evidence on the same line; and when it did not.
BREACH, HELD = "BREACH", "HELD"
#: What an allowed case prints at its end.
WORKS = "WORKS"


class Group(StrEnum):
    """What an attack is after."""

    SECRETS = "secrets"
    NETWORK = "network"
    SIGNALS = "signals"
    SESSIONS = "other sessions"
    FILES = "files"
    PERSISTENCE = "persistence"
    RESOURCES = "resources"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack, as a cell.

    `tries` says what it is after, in a few words. `code` prints BREACH with the evidence if it got it and HELD if not,
    and decides by what it got, never by how it was refused. `then` is a second cell in the next kernel of the same
    session, for what is to outlive the first; the verdict is its. `may_end` is for attacks that nothing can answer but
    the end of their own cell or kernel: then the machine around them is the verdict. `breaches` looks at how the first
    cell's run came back, for what no cell can see of itself: True is a breach. `terminals`: see `Allowed`.
    """

    group: Group
    tries: str
    code: str
    language: str = "python"
    then: str = ""
    may_end: bool = False
    timeout: float = 60.0
    breaches: Callable[[Outcome], bool] | None = None
    terminals: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    """What must work all the same: `code` prints WORKS as its last line. `group` pairs it with attacks of that kind.

    `terminals`: it opens pseudo-terminals, of which all containers of a machine have one number.
    """

    what: str
    code: str
    group: Group | None = None
    language: str = "python"
    timeout: float = 120.0
    terminals: bool = False
