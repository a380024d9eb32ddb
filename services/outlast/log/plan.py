"""What to do next, as a pure function of the log. It decides; `attempt` does.

The one table of the recovery rules of DESIGN §2, invariants 5 and 8:

| the log ends            | and                                        | next                     |
| ----------------------- | ------------------------------------------ | ------------------------ |
| in a turn               | replies < limit                            | ask the model            |
| in a turn               | replies = limit                            | fail                     |
| in a half-finished reply|                                            | continue it              |
| before a cell           |                                            | run it                   |
| in a cell               | no strike yet, or one (`rerun`)            | run it again             |
| in a cell               | cut off by a death or drain, and `ask`     | report it to the model   |
| in a cell               | two strikes                                | report it to the model   |
| in a cell               | the session was over, and a message came   | report it to the model   |
| in a cell               | three strikes and nothing ever completed   | fail                     |
| after a cell, not saved |                                            | run it again, keep output|
| after an answer         |                                            | nothing                  |

Five deaths of the worker in a row on one cell count as one strike: the cell may be what kills it (out of
memory, say), but nobody saw it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .project import At, Projection

#: Deaths of the worker in a row, on one cell, that count as a strike.
DEATHS_PER_STRIKE = 5


class Do(StrEnum):
    """The kinds of next step."""

    ASK = "ask the model"
    CONTINUE = "continue a half-finished reply"
    RUN = "run a cell"
    RERUN = "run a cell again"
    RESAVE = "run a cell again for its state"
    REPORT = "report an interrupted cell"
    FAIL = "fail"
    NOTHING = "nothing left to do"


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings that the plan depends on."""

    on_interrupt: str = "rerun"
    max_turns: int = 100


@dataclass(frozen=True, slots=True)
class Next:
    """What to do, and for REPORT and FAIL the cause in a sentence."""

    do: Do
    cause: str = ""


def plan(state: Projection, policy: Policy) -> Next:
    """The next step of a session whose log projects to `state`."""
    match state.at:
        case At.TURN if state.turns >= policy.max_turns:
            return Next(
                Do.FAIL,
                f"the model did not come to an end within {policy.max_turns} turns (OUTLAST_MAX_TURNS); "
                "continue the session with outlast.chat if it was on a good way",
            )
        case At.TURN:
            return Next(Do.ASK)
        case At.PARTIAL:
            return Next(Do.CONTINUE)
        case At.CELL:
            return Next(Do.RUN)
        case At.RUNNING:
            return _interrupted(state, policy)
        case At.PENDING:
            return Next(Do.RESAVE)
        case _:
            return Next(Do.NOTHING)


def strikes(state: Projection) -> int:
    """Strikes of the newest cell, deaths of unknown cause included."""
    return state.interruptions.strikes + state.interruptions.deaths // DEATHS_PER_STRIKE


def _interrupted(state: Projection, policy: Policy) -> Next:
    cell, cause = strikes(state), state.interruptions.cause
    if state.interruptions.superseded:
        return Next(Do.REPORT, cause or "the session was stopped")
    if state.completed == 0 and state.strikes + state.interruptions.deaths // DEATHS_PER_STRIKE >= 3:
        reason = f"three times a cell ended its kernel before any cell had completed; the last time: {cause}"
        return Next(Do.FAIL, reason)
    if cell >= 2:
        return Next(Do.REPORT, cause)
    if cell == 0 and policy.on_interrupt == "ask":
        return Next(Do.REPORT, cause or "the worker that ran it stopped")
    return Next(Do.RERUN)
