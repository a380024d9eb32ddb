"""What keeps a cell to its own session. Standard library only: it runs in the guardian's fresh child.

Theory of operation. Everything that runs in a kernel is hostile, so what confines it is Linux's, is entered before
the first byte of it runs, and cannot be left. The layers, each on its own enough for something and none for all:

| layer | closes | by |
| --- | --- | --- |
| `limits` | memory, processes, descriptors and file sizes without end, for one session | resource limits |
| `user` | other sessions' files, processes and sockets; the worker's memory and secrets | a user id for each session |
| `files` | whatever is readable to all; abstract sockets and signals beside the session | Landlock |
| `calls` | the network, tracing, namespaces, and large rarely used parts of Linux | seccomp |

`enter` applies them in the only order that works: limits while they can still be set, then the user (which costs all
rights), then the bar on gaining any, which Landlock and seccomp demand, and seccomp last, for it closes calls that the
others are made with. What is to be entered is a `Plan`, made by the worker (`outlast.kernel.confine`); `layers` tells
what the host can give. A layer of the plan that cannot be entered is an OSError: then no code runs.
"""

from __future__ import annotations

import resource
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from . import identity, landlock, seccomp, system

#: All layers, in the order in which they are entered.
LAYERS = ("limits", "user", "files", "calls")

_LIMITS = {
    "memory": resource.RLIMIT_DATA,
    "processes": resource.RLIMIT_NPROC,
    "descriptors": resource.RLIMIT_NOFILE,
    "file": resource.RLIMIT_FSIZE,
}


@dataclass(frozen=True)
class Plan:
    """What one kernel is confined by.

    `limits`: name → (soft, hard), bytes or numbers; a cell may raise the soft one. `uid`: 0 without the layer `user`.
    """

    layers: tuple[str, ...] = ()
    limits: dict[str, tuple[int, int]] = field(default_factory=dict)
    uid: int = 0
    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For the guardian's configuration; `from_json` gives it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Self:
        """The plan again. ValueError for a layer that this version does not know: never is one skipped."""
        plan = cls(
            tuple(given["layers"]),
            {name: (int(soft), int(hard)) for name, (soft, hard) in given["limits"].items()},
            int(given["uid"]),
            tuple(given["write"]),
            tuple(given["read"]),
            tuple(given["devices"]),
            tuple(given["sockets"]),
            tuple(given["shared"]),
        )
        unknown = [layer for layer in plan.layers if layer not in LAYERS]
        if unknown or ("user" in plan.layers) != bool(plan.uid):
            raise ValueError(f"the sandbox cannot be entered as planned: {unknown or 'a user without its layer'}")
        return plan

    @property
    def identity(self) -> identity.Identity | None:
        """The session's user, where it has one of its own."""
        return identity.Identity(self.uid) if self.uid else None


def enter(plan: Plan) -> None:
    """Confine this process, which has one thread, for good; OSError names the layer that cannot be entered."""
    for layer, step in (("limits", _limit), ("user", _become), ("files", _restrict), ("calls", _close)):
        if layer in plan.layers:
            try:
                step(plan)
            except (OSError, ValueError) as error:
                raise OSError(f"the layer {layer!r} of the sandbox cannot be entered ({error})") from error
        elif layer == "user" and plan.layers:
            # A cell that is the worker's own user must not have what root may do.
            system.no_new_privileges()
            identity.drop_capabilities()


def _limit(plan: Plan) -> None:
    for name, wanted in plan.limits.items():
        kind = _LIMITS[name]
        # Nobody may raise what whoever started the worker has lowered.
        most = resource.getrlimit(kind)[1]
        soft, hard = (value if most == resource.RLIM_INFINITY else min(value, most) for value in wanted)
        resource.setrlimit(kind, (soft, hard))


def _become(plan: Plan) -> None:
    identity.become(identity.Identity(plan.uid))


def _restrict(plan: Plan) -> None:
    system.no_new_privileges()
    landlock.restrict(landlock.Rules(plan.write, plan.read, plan.devices, plan.sockets, plan.shared))


def _close(plan: Plan) -> None:
    system.no_new_privileges()
    seccomp.install()
