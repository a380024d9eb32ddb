"""Which layers of the sandbox this host gives, found by trying each in a child. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from . import LAYERS, identity, landlock, seccomp, system


@dataclass(frozen=True)
class Layer:
    """One layer: whether it is there, else why not, what is open without it, and what to do."""

    name: str
    reason: str
    uncovered: str
    remedy: str

    @property
    def is_there(self) -> bool:
        """Whether a kernel can enter it here."""
        return not self.reason


#: A user to try it with, who owns nothing.
_ANOTHER = 65534

_UNCOVERED = {
    "limits": "one session can use up the memory and the processes of all",
    "user": (
        "a cell can reach the worker, its secrets and every other session, as far as Landlock lets it"
    ),
    "files": (
        "a cell reads what any user may read, reaches abstract sockets, and can shield itself from the memory limit "
        "so that the worker is ended in its place"
    ),
    "calls": "a cell has whatever network this place has, and can trace processes of its own user",
}
_REMEDIES = {
    "limits": "raise the hard limits of whoever starts the worker",
    "user": "start the worker as root with no capability but SETUID, SETGID and KILL, as compose.yaml does",
    "files": "run Linux 5.13 or newer with `landlock` in its list of security modules (`lsm=` at boot)",
    "calls": "run on x86-64 or arm64 with a Linux that has CONFIG_SECCOMP_FILTER",
}


def probe() -> tuple[Layer, ...]:
    """All layers, as this process could enter them now."""
    reasons = {"limits": "", "user": _user(), "files": _files(), "calls": _calls()}
    return tuple(Layer(name, reasons[name], _UNCOVERED[name], _REMEDIES[name]) for name in LAYERS)


def _user() -> str:
    if os.geteuid() != 0:
        return f"the worker runs as the user {os.geteuid()}, not as root"
    missing = identity.missing_capabilities()
    if missing:
        return f"the worker lacks the capabilities {', '.join(missing)}"
    return _in_a_child(_act_as_another)


def _act_as_another() -> None:
    with identity.acting_as(identity.Identity(_ANOTHER)):
        pass


def _files() -> str:
    if landlock.abi() == 0:
        return "this Linux has no Landlock, or it is switched off, or the container's own filter closes it"
    return _in_a_child(lambda: landlock.restrict(landlock.Rules((), ("/",), ())))


def _calls() -> str:
    return _in_a_child(seccomp.install)


def _in_a_child(step: Callable[[], None]) -> str:
    """Why the step fails in a process of its own; empty if it does not."""
    read, write = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            system.no_new_privileges()
            step()
            os.write(write, b".")
        except BaseException as error:
            os.write(write, f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return "" if said == b"." else said.decode("utf-8", "replace") or "the child that tried it was killed"
