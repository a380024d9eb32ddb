"""The attacks on the sandbox, a table for each thing that they are after; and what must work all the same."""

from __future__ import annotations

from ..case import Allowed, Attack
from . import files, hiding, network, output, persistence, resources, secrets, sessions, signals

_GROUPS = (secrets, network, signals, sessions, files, persistence, resources, output)

ATTACKS: tuple[Attack, ...] = tuple(attack for group in _GROUPS for attack in group.ATTACKS) + hiding.ATTACKS
ALLOWED: tuple[Allowed, ...] = tuple(allowed for group in _GROUPS for allowed in group.ALLOWED)
