"""Crash points: named places in the code at which a test kills, stops or holds up a process.

A death is forced where it hurts, instead of being hoped for by sleeping. Nothing is armed in production: only code
that imports this module can arm a point, no setting can, and a point that is not armed costs the look at an empty
dictionary. Processes that are forked afterwards inherit what is armed.

The saving of variables has points of its own (`kernel.state.points`), because it runs in the kernel, which has nothing
of this package.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final, Literal


class Point(StrEnum):
    """All of them, in the order in which an undisturbed session comes by most.

    For every type of record there are two, `before` it is sent to Redis and `after` Redis has acknowledged it; where
    several records are appended at once, each of them is reached.
    """

    # The worker: another one is dead, and its jobs are in its hand; they are in their queue again.
    RECOVERING = "recovering"
    RECOVERED = "recovered"
    # The job is in its hand; a chat's message is in the inbox; RQ calls it started; the child runs.
    TAKEN = "taken"
    DELIVERED = "delivered"
    STARTED = "started"
    FORKED = "forked"

    # The child: the log was read, to open an attempt behind it.
    CLAIMING = "claiming"
    BEFORE_SESSION_OPENED = "before session.opened"
    AFTER_SESSION_OPENED = "after session.opened"
    BEFORE_ATTEMPT_OPENED = "before attempt.opened"
    AFTER_ATTEMPT_OPENED = "after attempt.opened"
    # The kernel has its variables again, and no record says so (before state.restored).
    BEFORE_STATE_RESTORED = "before state.restored"
    AFTER_STATE_RESTORED = "after state.restored"
    # What came from outside: read in the inbox; in the log, and to be taken out of the inbox (after user.message).
    BEFORE_USER_MESSAGE = "before user.message"
    AFTER_USER_MESSAGE = "after user.message"
    BEFORE_REQUEST_REFUSED = "before request.refused"
    AFTER_REQUEST_REFUSED = "after request.refused"
    BEFORE_APPROVAL_REQUESTED = "before approval.requested"
    AFTER_APPROVAL_REQUESTED = "after approval.requested"
    BEFORE_APPROVAL_GIVEN = "before approval.given"
    AFTER_APPROVAL_GIVEN = "after approval.given"
    # The model's turn.
    BEFORE_TURN_WAITING = "before turn.waiting"
    AFTER_TURN_WAITING = "after turn.waiting"
    BEFORE_CONTEXT_SHORTENED = "before context.shortened"
    AFTER_CONTEXT_SHORTENED = "after context.shortened"
    BEFORE_NOTE_ADDED = "before note.added"
    AFTER_NOTE_ADDED = "after note.added"
    BEFORE_REPLY_DELTA = "before reply.delta"
    AFTER_REPLY_DELTA = "after reply.delta"
    BEFORE_REPLY_DISCARDED = "before reply.discarded"
    AFTER_REPLY_DISCARDED = "after reply.discarded"
    BEFORE_REPLY_FINISHED = "before reply.finished"
    AFTER_REPLY_FINISHED = "after reply.finished"
    # The cell's.
    BEFORE_CELL_REPLAYED = "before cell.replayed"
    AFTER_CELL_REPLAYED = "after cell.replayed"
    BEFORE_CELL_STARTED = "before cell.started"
    AFTER_CELL_STARTED = "after cell.started"
    BEFORE_CELL_OUTPUT = "before cell.output"
    AFTER_CELL_OUTPUT = "after cell.output"
    BEFORE_CELL_FINISHED = "before cell.finished"
    AFTER_CELL_FINISHED = "after cell.finished"
    BEFORE_STATE_SAVED = "before state.saved"
    AFTER_STATE_SAVED = "after state.saved"
    BEFORE_CELL_INTERRUPTED = "before cell.interrupted"
    AFTER_CELL_INTERRUPTED = "after cell.interrupted"
    # The end.
    BEFORE_SESSION_FINISHED = "before session.finished"
    AFTER_SESSION_FINISHED = "after session.finished"
    BEFORE_ATTEMPT_CLOSED = "before attempt.closed"
    AFTER_ATTEMPT_CLOSED = "after attempt.closed"

    # The worker again: the child has ended, and RQ does not know it; RQ knows it (done, or after a drain in the queue
    # again), and the hand is empty.
    ENDED = "ended"
    SETTLED = "settled"


_armed: Final[dict[str, Callable[[], None]]] = {}


def arm(point: Point, action: Callable[[], None]) -> None:
    """Call `action` whenever `point` is reached."""
    _armed[point] = action


def disarm() -> None:
    """Forget every action."""
    _armed.clear()


def reach(point: Point) -> None:
    """Called at the place that `point` names."""
    if _armed and (action := _armed.get(point)):
        action()


def appending(moment: Literal["before", "after"], *types: str) -> None:
    """Called around every append, with the types of the records."""
    if _armed:
        for type_ in types:
            reach(Point(f"{moment} {type_}"))
