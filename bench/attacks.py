"""How many of the attacks of tests/sandbox succeed: in a kernel of Outlast's, and in the usual way.

Ours are cells in the worker's container of a real stack. The usual way is Open Interpreter with its own languages in
one container from the same image: as root, with Docker's default capabilities, the password of Redis in its
environment, and on the stack's network (`tests/sandbox/usual.py`). An attack has succeeded if it got what it wanted, if
the process that runs the cells is gone, if another session has lost anything, or if the next cell of its own session
does not work.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

from tests.sandbox.attacks import ATTACKS
from tests.sandbox.case import Group
from tests.sandbox.cells import DRIVER, Cells
from tests.sandbox.judge import outcome_of, prepare
from tests.stack.stack import ROOT, Stack, docker, with_scripted_model

from .figure import Beside, Options, Row
from .sample import Goal, Sample

USUAL = DRIVER.parent / "usual.py"
#: Who only wants to read or to connect leaves the container as it was.
_READING = (Group.SECRETS, Group.NETWORK)


def measure(options: Options) -> list[Row]:
    """One row; none where there is no engine."""
    if docker("version", check=False).returncode:
        options.say("attacks: left out, no Docker Engine answers (tools/engine starts one)")
        return []
    made = subprocess.run([ROOT / "tests/stack/tiny-model"], check=True, capture_output=True, text=True)
    with with_scripted_model(options.place("attacks"), ROOT / made.stdout.strip().splitlines()[-1]) as stack:
        stack.make("up")
        inside = ["docker", "compose", "exec", "-T", "worker", "/opt/outlast/bin/python", "-c"]
        ours = _run(lambda: Cells(inside, stack.directory), options, "Outlast")
        usual = _run(lambda: Cells(_usual(stack), stack.directory, USUAL), options, "the usual way")
    return [
        Row(
            "attacks",
            f"attacks that succeed, of {len(ours)}",
            Sample.of([sum(map(bool, ours.values()))]),
            unit="count",
            goal=Goal(worst=0),
            beside=(Beside("Open Interpreter in a container, one user", Sample.of([sum(map(bool, usual.values()))])),),
            violations=tuple(f"{name}: {what[:300]}" for name, what in ours.items() if what),
            notes=(_by_group("Outlast", ours), _by_group("the usual way", usual)),
            details={"Outlast": ours, "the usual way": usual},
        )
    ]


def _run(start: Callable[[], Cells], options: Options, what: str) -> dict[str, str]:
    """What each attack got; a container that is gone is started anew."""
    found: dict[str, str] = {}
    chosen = ATTACKS[:: 10 if options.quick else 1]
    with ExitStack() as stack:
        cells = stack.enter_context(start())
        prepare(cells)
        for number, attack in enumerate(chosen, 1):
            said = found[f"{attack.group}: {attack.tries}"] = outcome_of(cells, f"attacker-{number}", attack)
            if said:
                options.say(f"attacks: {what}: {attack.group}: {attack.tries}: {said[:200]}")
            if said and not (attack.group in _READING and cells.alive):
                # What it broke must not be the next one's success.
                stack.close()
                cells = stack.enter_context(start())
                prepare(cells)
            elif said:
                prepare(cells)
            if number % 20 == 0:
                options.say(f"attacks: {what}: {number} of {len(chosen)}, {sum(map(bool, found.values()))} succeeded")
    return found


def _by_group(what: str, found: dict[str, str]) -> str:
    all_: Counter[str] = Counter()
    won: Counter[str] = Counter()
    for name, said in found.items():
        group = name.partition(":")[0]
        all_[group] += 1
        won[group] += bool(said)
    return f"{what}: " + ", ".join(f"{group} {won[group]} of {count}" for group, count in all_.items())


def _usual(stack: Stack) -> list[str]:
    secrets = stack.directory / "secrets"
    password = (secrets / "redis_worker").read_text(encoding="utf-8").strip()
    return [
        *("docker", "run", "--rm", "--init", "--interactive", "--network", f"{stack.project}_inside"),
        *("--memory", "3g", "--pids-limit", "2048", "--volume", f"{secrets}:/run/secrets:ro"),
        *("--env", "TMPDIR=/tmp", "--env", f"REDIS_URL=redis://worker:{password}@redis:6379/0"),
        *(stack.inspect(stack.containers("worker")[0])["Image"], "python", "-c"),
    ]
