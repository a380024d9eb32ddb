"""What becomes of a taken job, given where its session stands. Pure: the whole table is in `decide`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from outlast.attempt.request import Request


class What(StrEnum):
    """The next step with a job."""

    OPEN = "open"  # fork a process that opens an attempt
    WAIT = "wait"  # let it wait for the attempt that another worker holds
    SETTLE = "settle"  # the session has ended: so does the job, in the same way
    REFUSE = "refuse"  # the job fails with a sentence; the session is not touched


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a session stands. `state` is "" while it does not exist, else as in `log.store.Head`."""

    state: str = ""
    #: Whether another live worker holds an open attempt.
    held: bool = False
    #: The prompt it was opened with.
    prompt: str = ""
    #: Its newest attempt.
    attempt: int = 0
    #: The text that the log has from a message of this job; None if it has none.
    said: str | None = None
    #: The newest attempt at the time when this job was last taken up, if it was not settled since.
    taken_up_at: int | None = None
    #: The attempt that this job waited for, if it was not settled since.
    waited_for: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`reason` is the sentence of a refusal; `restore` says that the job's hash is to be rewritten from the log."""

    what: What
    reason: str = ""
    restore: bool = False


def decide(request: Request, standing: Standing) -> Decision:
    """The next step with `request`."""
    if request.function == "chat":
        return _chat(request, standing)
    return _run(request, standing)


def _run(request: Request, standing: Standing) -> Decision:
    if not standing.state:
        return Decision(What.OPEN)
    reason = ""
    if request.text != standing.prompt:
        # `rq enqueue` with a used --job-id overwrites the first request in RQ's hash; the log still has it.
        reason = (
            f"Session {request.session} exists with another prompt, so the new one was not carried out; "
            f"to go on with the session: rq enqueue outlast.chat {request.session} message='…', "
            "to begin another: choose another --job-id."
        )
    if standing.held:
        what = What.WAIT
    elif standing.state == "finished" or (standing.state == "failed" and (reason or _failed_by_this_job(standing))):
        what = What.SETTLE
    else:
        what = What.OPEN
    return Decision(what, reason, restore=bool(reason))


def _chat(request: Request, standing: Standing) -> Decision:
    if not standing.state:
        return Decision(
            What.REFUSE,
            f"Session {request.session} does not exist; `outlast list` shows those that do, "
            "and rq enqueue outlast.run prompt='…' opens one.",
        )
    if standing.said is not None and standing.said != request.text:
        return Decision(
            What.REFUSE,
            f"Job id {request.job} was used for another message to session {request.session}; "
            "enqueue this one with another --job-id, or with none.",
        )
    if standing.held:
        return Decision(What.WAIT)
    read = standing.said is not None
    if standing.state == "finished" and read:
        return Decision(What.SETTLE)
    # Who waited while the attempt that had read the message failed (or was stopped) fails with it: nobody asked for
    # another try. Who waited in vain, the message unread, opens an attempt.
    if standing.state == "failed" and (_failed_by_this_job(standing) or (read and _failed_meanwhile(standing))):
        return Decision(What.SETTLE)
    return Decision(What.OPEN)


def _failed_by_this_job(standing: Standing) -> bool:
    """Whether the failure is news to the job: its worker died after the log closed and before RQ knew.

    If not, the job was enqueued again after the failure (`rq requeue`), and that asks for another try.
    """
    return standing.taken_up_at is not None and standing.attempt > standing.taken_up_at


def _failed_meanwhile(standing: Standing) -> bool:
    return standing.waited_for is not None and standing.attempt >= standing.waited_for
