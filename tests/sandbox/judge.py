"""What became of an attack: what it got, and what it did to others."""

from __future__ import annotations

from tests.sandbox.attacks.toolkit import BYSTANDER, FILE_SECRET, SETUP, SHELL_SETUP, TOKEN
from tests.sandbox.case import BREACH, HELD, Attack
from tests.sandbox.cells import Cells, Gone, Outcome

#: How a finding begins where the cell broke off before its verdict: a fault of the suite, and nobody's success.
UNSAID = "it did not say what it got"


def prepare(cells: Cells) -> None:
    """Give another session something to lose, unless it has it."""
    if _has_everything(cells):
        return
    cells.close(BYSTANDER)
    for code, language in ((SETUP, "python"), (SHELL_SETUP, "shell")):
        outcome = cells.run(BYSTANDER, code, language)
        assert outcome.status == "ok" and "ready" in outcome.output, outcome


def succeeded(cells: Cells, session: str, attack: Attack) -> str:
    """What the attack has got or broken, in a line; empty if nothing. Ends the attacker's kernel; Gone is a success."""
    outcome = cells.run(session, attack.code, attack.language, attack.timeout)
    got = _got(outcome)
    if attack.breaches is not None and attack.breaches(outcome):
        got = f"what came back: {outcome.output[:500]!r}"
    if attack.then and not got:
        if outcome.status == "error":
            return f"it planted nothing: {outcome}"
        cells.close(session)
        outcome = cells.run(session, attack.then, timeout=attack.timeout)
        got = _got(outcome)
    if got:
        return got
    if HELD not in outcome.output and not attack.may_end:
        return f"{UNSAID}: {outcome}"
    mine = cells.run(session, "print(6 * 7)")
    if mine.status in ("died", "ended"):
        # An attempt runs the cell again in a new kernel, and a worker that lost its attempt begins another.
        mine = cells.run(session, "print(6 * 7)")
    if mine.output.strip() != "42":
        return f"the session's next cell does not work: {mine}"
    cells.close(session)
    if not _has_everything(cells):
        return "another session has lost something"
    return ""


def _has_everything(cells: Cells) -> bool:
    """Whether that session has what it was given."""
    theirs = cells.run(BYSTANDER, "print(token, open('private.txt').read())")
    return theirs.output.split() == [TOKEN, FILE_SECRET]


def _got(outcome: Outcome) -> str:
    """The first line that says so."""
    return next((line for line in outcome.output.splitlines() if BREACH in line), "")


def outcome_of(cells: Cells, session: str, attack: Attack) -> str:
    """The same, with the end of the driver as one more success."""
    try:
        return succeeded(cells, session, attack)
    except Gone as gone:
        return str(gone)
