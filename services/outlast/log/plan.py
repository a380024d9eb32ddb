"""What to do next, as a pure function of the log. It decides; `attempt` does.

The one table of the recovery rules of DESIGN §2, invariants 5 and 8:

| the log ends            | and                                        | next                     |
| ----------------------- | ------------------------------------------ | ------------------------ |
| in a turn               | replies < limit                            | ask the model            |
| in a turn               | replies = limit                            | fail                     |
| in a half-finished reply|                                            | continue it              |
| in a half-finished reply| a cell, run again, printed something else  | discard it, then ask     |
| before a cell           |                                            | run it                   |
| in a cell               | no strike yet, or one (`rerun`)            | run it again             |
| in a cell               | cut off by a death or drain, and `ask`     | report it to the model   |
| in a cell               | two strikes                                | report it to the model   |
| in a cell               | the session was over, and a message came   | report it to the model   |
| in a cell               | three strikes and nothing ever completed   | fail                     |
| after an answer         |                                            | nothing                  |

Before that line counts, the state of the newest finished cell must not be in question, unless its kernel is at it:

| the cell is pending, and                                          | next                                         |
| ----------------------------------------------------------------- | -------------------------------------------- |
| its kernel saves it                                               | as above; the next cell and the end wait     |
| the save was cut off: no strike yet, or one (`rerun`)             | run it again for its state, keep its output  |
| cut off by a death or drain, and `ask`                            | give up on its state                         |
| two strikes                                                       | give up on its state                         |
| the session was over while it ran for its state, a message came   | give up on its state                         |

What counts as a strike is in `variables.Interruptions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .project import At, Projection
from .variables import Pending

#: Strikes of one cell before the model is told, and of all since the session opened before it is parked, if no cell has
#: ever completed.
CELL_STRIKES, SESSION_STRIKES = 2, 3


class Do(StrEnum):
    """The kinds of next step."""

    ASK = "ask the model"
    CONTINUE = "continue a half-finished reply"
    RUN = "run a cell"
    RERUN = "run a cell again"
    DISCARD = "discard a half-finished reply"
    RESAVE = "run a cell again for its state"
    GIVE_UP = "give up on a cell's state"
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
    """What to do, and for DISCARD, GIVE_UP, REPORT and FAIL the cause in a sentence."""

    do: Do
    cause: str = ""


def plan(state: Projection, policy: Policy) -> Next:
    """The next step of a session whose log projects to `state`."""
    pending = state.variables.pending
    if pending is not None and not pending.saving:
        return _in_question(pending, policy)
    match state.at:
        case At.TURN if state.turns >= policy.max_turns:
            return Next(
                Do.FAIL,
                f"the model did not come to an end within {policy.max_turns} turns (OUTLAST_MAX_TURNS); "
                "continue the session with outlast.chat if it was on a good way",
            )
        case At.TURN:
            return Next(Do.ASK)
        case At.PARTIAL if state.variables.untold_outputs:
            # The note may not stand inside the reply, and the reply follows from what is no longer so.
            cells = ", ".join(map(str, state.variables.untold_outputs))
            return Next(Do.DISCARD, f"the output of cell {cells} was different when it ran again for its state")
        case At.PARTIAL:
            return Next(Do.CONTINUE)
        case At.CELL:
            return Next(Do.RUN)
        case At.RUNNING:
            return _interrupted(state, policy)
        case _:
            return Next(Do.NOTHING)


def _interrupted(state: Projection, policy: Policy) -> Next:
    count, cause = state.interruptions, state.interruptions.cause
    if count.superseded:
        return Next(Do.REPORT, cause or "the session was stopped")
    if state.completed == 0 and state.strikes >= SESSION_STRIKES:
        reason = "three times a cell ended its kernel before any cell had completed"
        mend = "when that is mended, `outlast retry` goes on from the log"
        return Next(Do.FAIL, f"{reason}; the last time: {cause.rstrip('.')}; {mend}")
    if count.strikes >= CELL_STRIKES:
        return Next(Do.REPORT, cause)
    if count.strikes == 0 and policy.on_interrupt == "ask":
        return Next(Do.REPORT, cause or "the worker that ran it stopped")
    return Next(Do.RERUN)


def _in_question(pending: Pending, policy: Policy) -> Next:
    count = pending.interruptions
    if count.superseded or count.strikes >= CELL_STRIKES or (count.strikes == 0 and policy.on_interrupt == "ask"):
        return Next(Do.GIVE_UP, count.cause or "the worker stopped before they were saved")
    return Next(Do.RESAVE)
