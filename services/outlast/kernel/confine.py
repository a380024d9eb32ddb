"""What confines the kernels of this worker: decided from the settings and what the host gives, before any code runs.

`strict` takes every layer of `sandbox` and refuses to work where one is missing; `reduced` takes those that are there
and says what is open without the others; `off` takes none.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..errors import SettingsError
from ..settings import Settings
from . import sandbox
from .sandbox import landlock
from .sandbox.layers import Layer, probe
from .usage import SHARED_MEMORY
from .workspace import Workspace

_INSIDE = (Path(__file__).parent / "inside", Path(__file__).parent / "state")
#: Below these lies what programs are made of: readable to every user of every system, and without secrets.
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx", "/dev/pts", "/dev/tty")
#: Part of the memory limit that is for the kernels; the rest is the worker's own.
_KERNELS_SHARE = 0.9
#: Bytes that libraries map in advance and hardly use, the stacks of their threads for one: they count all the same.
_RESERVED = 512 * 1024**2
_DESCRIPTORS = 4096


@dataclass(frozen=True)
class Confinement:
    """The layers that kernels get here, and those of the mode that they do not get."""

    mode: str
    layers: tuple[str, ...]
    lacking: tuple[Layer, ...] = ()

    @property
    def has_users(self) -> bool:
        """Whether each session has a user id of its own."""
        return "user" in self.layers

    def sentences(self) -> list[str]:
        """What is missing, why, what is open without it, and what to do; nothing if all is there."""
        return [
            f"the sandbox's layer `{layer.name}` is missing, for {layer.reason}: {layer.uncovered}; {layer.remedy}."
            for layer in self.lacking
        ]


def confinement(settings: Settings) -> Confinement:
    """What these settings and this host give. SettingsError where `strict` is asked for and a layer is missing."""
    there = found(settings)
    if there.mode == "strict" and there.lacking:
        raise SettingsError(
            "\n".join(f"OUTLAST_SANDBOX=strict, but {sentence}" for sentence in there.sentences())
            + "\nNo code was run. OUTLAST_SANDBOX=reduced works with the layers that are there."
        )
    return there


def found(settings: Settings) -> Confinement:
    """The same, without an error."""
    return _probed(settings.sandbox, str(settings.workspaces), str(settings.kernel_python_path))


def uncovered_here() -> list[str]:
    """What this Linux's version of Landlock cannot close, where it has one."""
    version = landlock.abi()
    return landlock.uncovered(version) if version else []


@cache
def _probed(mode: str, workspaces: str, python: str) -> Confinement:
    if mode == "off":
        return Confinement(mode, ())
    layers = [_reachable(layer, Path(workspaces), Path(python)) for layer in probe()]
    there = tuple(layer.name for layer in layers if layer.is_there)
    return Confinement(mode, there, tuple(layer for layer in layers if not layer.is_there))


def _reachable(layer: Layer, workspaces: Path, python: Path) -> Layer:
    """The layer `user` is of no use where another user cannot reach what a kernel needs."""
    if layer.name == "user" and layer.is_there:
        for path in (workspaces, python, python.resolve(), *_INSIDE):
            if closed := _closed_to_others(path.absolute()):
                return Layer(layer.name, f"other users cannot reach {closed}", layer.uncovered, layer.remedy)
    return layer


def _closed_to_others(path: Path) -> str:
    """The first directory on the way to `path` that another user cannot pass; empty if there is none."""
    for directory in [*reversed(path.parents), path]:
        try:
            if not directory.stat().st_mode & stat.S_IXOTH:
                return str(directory)
        except OSError:
            return ""
    return ""


def plan(settings: Settings, workspace: Workspace, runtime: Path) -> sandbox.Plan:
    """What the kernel with this workspace and this directory of sockets is confined by. SettingsError."""
    found = confinement(settings)
    layers = found.layers
    if found.has_users and workspace.identity is None:
        if found.mode == "strict":
            raise SettingsError(f"the workspace {workspace.root} belongs to no session's user; no code was run")
        layers = tuple(layer for layer in layers if layer != "user")
    python = settings.kernel_python_path.absolute()
    # A virtual environment links to the Python that it was made from, and to that one's library.
    environments = {python.parent.parent, python.resolve().parent.parent}
    libraries = filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))
    node = [str(Path(settings.node).resolve().parent)] if settings.node else []
    return sandbox.Plan(
        layers=layers,
        limits=_limits(settings, found),
        uid=workspace.identity.uid if workspace.identity else 0,
        write=tuple(map(str, (workspace.files, workspace.tmp, workspace.home, workspace.checkpoints))),
        read=(
            *_SYSTEM,
            *sorted(str(path) for path in environments),
            *map(str, _INSIDE),
            *libraries,
            *node,
            str(workspace.artifacts),
            settings.data,
        ),
        devices=_DEVICES,
        sockets=(str(runtime),),
        shared=(SHARED_MEMORY,),
    )


def _limits(settings: Settings, found: Confinement) -> dict[str, tuple[int, int]]:
    kernels = _kernels_memory()
    memory = min(settings.cell_memory or kernels // settings.workers + _RESERVED, kernels)
    # The soft limit is for the mistake, which gets a MemoryError; more is needed for the moment of a save. The hostile
    # cell raises it, and meets the control group's.
    limits = {"memory": (memory, kernels), "descriptors": (_DESCRIPTORS, _DESCRIPTORS)}
    disk = _disk(settings)
    limits["file"] = (disk, disk)
    if found.has_users:
        # It counts all processes of a user, of whom without this layer there is more than the session.
        limits["processes"] = (settings.cell_processes, settings.cell_processes)
    return limits


#: Pseudo-terminals of one session; all containers of a machine have some 3,000.
_TERMINALS = 200
#: Files of one session in shared memory: a large pool of processes has some hundreds.
_SHARED_FILES = 10_000


def shares(settings: Settings) -> dict[str, int]:
    """What one session may use of what all share; see `warden.Limits`."""
    if settings.sandbox == "off":
        return {"disk": 0, "files": 0, "memory": 0}
    memory = settings.cell_memory or _kernels_memory() // settings.workers
    disk = _disk(settings)
    return {
        "disk": disk,
        "files": settings.disk_files,
        "memory": memory,
        "state": state_limit(settings) or disk,
        "shared": _shared_memory(),
        "shared_files": _SHARED_FILES,
        "terminals": _TERMINALS,
    }


def state_limit(settings: Settings) -> int:
    """Bytes that one checkpoint may have (0: any), no more than the part of the disk in which it has to fit."""
    limits = (settings.state_limit, _disk(settings) if settings.sandbox != "off" else 0)
    return min(filter(None, limits), default=0)


def _shared_memory() -> int:
    """Bytes of shared memory that one session may have: half of what there is for all; 0 where there is none."""
    try:
        volume = os.statvfs(SHARED_MEMORY)
    except OSError:
        return 0
    return volume.f_blocks * volume.f_frsize // 2


def _disk(settings: Settings) -> int:
    """Bytes on the disk that one session may have."""
    if settings.disk_limit:
        return settings.disk_limit
    volume = os.statvfs(settings.workspaces)
    return volume.f_blocks * volume.f_frsize // 2


def _kernels_memory() -> int:
    """Bytes for all kernels, of what this control group, or else this machine, has."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(path).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return int(total * _KERNELS_SHARE)
