"""How many of the attacks of tests/sandbox succeed: in a kernel of Outlast's, and in the usual way.

Ours are cells in the worker's container of a real stack. The usual way is Open Interpreter with its own languages in
one container from the same image: as root, with Docker's default capabilities, the password of Redis in its
environment, and on the stack's network (`tests/sandbox/usual.py`). An attack has succeeded if it got what it wanted, if
the process that runs the cells is gone, if another session has lost anything, or if the next cell of its own session
does not work.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from tests.sandbox.attacks import ATTACKS
from tests.sandbox.case import Group
from tests.sandbox.cells import DRIVER, Cells
from tests.sandbox.judge import UNSAID, outcome_of, prepare
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
        usual = _run(lambda: usual_cells(stack), options, "the usual way")
    return [
        Row(
            "attacks",
            f"attacks that succeed, of {len(ours)}",
            Sample.of([len(_won(ours))]),
            unit="count",
            goal=Goal(worst=0),
            beside=(Beside("Open Interpreter in a container, one user", Sample.of([len(_won(usual))])),),
            violations=tuple(f"{name}: {what[:300]}" for name, what in ours.items() if what),
            notes=(_by_group("Outlast", ours), _by_group("the usual way", usual)),
            details={"Outlast": ours, "the usual way": usual},
        )
    ]


def _run(start: Callable[[], AbstractContextManager[Cells]], options: Options, what: str) -> dict[str, str]:
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
                options.say(f"attacks: {what}: {number} of {len(chosen)}, {len(_won(found))} succeeded")
    return found


def _by_group(what: str, found: dict[str, str]) -> str:
    all_, won = (Counter(name.partition(":")[0] for name in names) for names in (found, _won(found)))
    off = sum(said.startswith(UNSAID) for said in found.values())
    groups = ", ".join(f"{group} {won[group]} of {count}" for group, count in all_.items())
    return f"{what}: {groups}" + (f"; {off} broke off, having looked for what is not there" if off else "")


def _won(found: dict[str, str]) -> list[str]:
    """The attacks that got something; one that broke off got nothing."""
    return [name for name, said in found.items() if said and not said.startswith(UNSAID)]


@contextmanager
def usual_cells(stack: Stack) -> Iterator[Cells]:
    """The usual way, in a container beside the stack; gone at the end, whatever has become of its processes."""
    secrets = stack.directory / "secrets"
    password = (secrets / "redis_worker").read_text(encoding="utf-8").strip()
    name = f"{stack.project}-usual-{os.urandom(3).hex()}"
    command = [
        *("docker", "run", "--name", name, "--rm", "--init", "--interactive", "--network", f"{stack.project}_inside"),
        *("--memory", "3g", "--pids-limit", "2048", "--volume", f"{secrets}:/run/secrets:ro"),
        *("--env", "TMPDIR=/tmp", "--env", f"REDIS_URL=redis://worker:{password}@redis:6379/0"),
        *(stack.inspect(stack.containers("worker")[0])["Image"], "python", "-c"),
    ]
    with Cells(command, stack.directory, USUAL) as cells:
        try:
            yield cells
        finally:
            docker("rm", "--force", name, check=False)
