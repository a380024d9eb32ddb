"""Every attack fails, and costs nobody but its own session anything; what is allowed of the same kind works."""

from __future__ import annotations

import itertools

import pytest

from tests.sandbox.attacks import ALLOWED, ATTACKS
from tests.sandbox.case import WORKS, Allowed, Attack, Group
from tests.sandbox.cells import Cells
from tests.sandbox.judge import prepare, succeeded

#: The fewest attacks that this suite may shrink to, in all and of each kind.
FEWEST, FEWEST_OF_A_KIND = 120, 10

_numbers = itertools.count(1)


@pytest.fixture
def bystander(cells: Cells) -> None:
    """A session with something to lose, whatever an attack before has done to it."""
    prepare(cells)


@pytest.fixture
def attacker() -> str:
    """The name of a session that no test has used."""
    return f"attacker-{next(_numbers)}"


def test_there_are_enough_attacks_of_every_kind() -> None:
    of_a_kind = {group: [attack for attack in ATTACKS if attack.group is group] for group in Group}
    assert len(ATTACKS) >= FEWEST and min(map(len, of_a_kind.values())) >= FEWEST_OF_A_KIND
    assert {allowed.group for allowed in ALLOWED} == set(Group)
    names = [attack.tries for attack in ATTACKS]
    assert len(names) == len(set(names))


@pytest.mark.usefixtures("bystander")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.group}: {attack.tries}")
def test_an_attack_fails_and_harms_nobody_else(cells: Cells, attacker: str, attack: Attack) -> None:
    assert succeeded(cells, attacker, attack) == ""


@pytest.mark.parametrize("allowed", ALLOWED, ids=lambda allowed: f"{allowed.group}: {allowed.what}")
def test_what_is_allowed_of_the_same_kind_works(cells: Cells, attacker: str, allowed: Allowed) -> None:
    outcome = cells.run(attacker, allowed.code, allowed.language, allowed.timeout)
    cells.close(attacker)
    assert outcome.status == "ok" and outcome.output.strip().splitlines()[-1:] == [WORKS], outcome.output
