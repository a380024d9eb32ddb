"""The layers of the sandbox, each by itself: what the filter of system calls answers on both machines, what Landlock
lets through, and that nothing is entered by halves. Attacks on all of it together are in tests/sandbox."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from outlast.errors import Refused, SettingsError
from outlast.kernel import confine
from outlast.kernel.sandbox import Plan, enter, identity, landlock, seccomp, system
from outlast.kernel.sandbox.identity import Identity, acting_as, become, capabilities, processes_of, sharing_with
from outlast.kernel.sandbox.layers import Layer, probe
from outlast.kernel.workspace import FIRST_UID, Workspace
from outlast.settings import Settings
from tests.dependencies import missing
from tests.unit.kernel.children import in_a_child, refusal

SOMEBODY = Identity(FIRST_UID + 77)
ALLOWED, KILLED = "allowed", "killed"
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
#: The call of the table that has no name in older headers.
NEWER = {"open_tree_attr", "statmount", "listmount", "set_mempolicy_home_node", "memfd_secret", "quotactl_fd"}


def answer(program: bytes, architecture: int, number: int, *arguments: int) -> str | int:
    """What Linux does with this call: allowed, killed, or the errno. Runs the filter as <linux/filter.h> has it."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    accumulator = at = 0
    while True:
        code, if_true, if_false, value = struct.unpack_from("=HBBI", program, 8 * at)
        at += 1
        if code == 0x20:
            [accumulator] = struct.unpack_from("=I", data, value)
        elif code == 0x06:
            return {0x7FFF0000: ALLOWED, 0x80000000: KILLED}.get(value, value & 0xFFFF)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
            at += if_true if holds else if_false


@pytest.fixture(params=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def asked(machine: str, name: str, *arguments: int) -> str | int:
    number = seccomp.number(name, machine)
    assert number is not None
    return answer(seccomp.program(machine), AUDIT[machine], number, *arguments)


def test_every_closed_call_is_refused_and_the_others_are_not(machine: str) -> None:
    program = seccomp.program(machine)
    closed = {seccomp.number(name, machine) for name in seccomp.CLOSED} - {None}
    special = {seccomp.number(name, machine) for name in ("socket", "socketpair", "clone", "clone3", "ioctl")}
    for number in range(600):
        expected = errno.EPERM if number in closed else ALLOWED
        if number not in special:
            assert answer(program, AUDIT[machine], number) == expected, number


def test_only_unix_sockets_are_made(machine: str) -> None:
    for name in ("socket", "socketpair"):
        assert asked(machine, name, socket.AF_UNIX) == ALLOWED
        for family in (0, *range(2, 60)):
            assert asked(machine, name, family) == errno.EOPNOTSUPP
        # Linux looks at the low half only: what stands in the other must not make a family look like another.
        assert asked(machine, name, socket.AF_INET | 1 << 32) == errno.EOPNOTSUPP


def test_a_process_may_be_made_and_a_namespace_may_not(machine: str) -> None:
    assert asked(machine, "clone", 0x01200011) == ALLOWED  # fork
    assert asked(machine, "clone", 0x003D0F00) == ALLOWED  # a thread
    for namespace in (1 << 17, 1 << 25, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30):
        assert asked(machine, "clone", namespace | 0x11) == errno.EPERM
    assert asked(machine, "clone3") == errno.ENOSYS


def test_nothing_is_typed_into_a_terminal(machine: str) -> None:
    assert asked(machine, "ioctl", 0, 0x5401) == ALLOWED
    assert asked(machine, "ioctl", 0, 0x5412) == asked(machine, "ioctl", 0, 0x541C) == errno.EPERM


def test_a_call_of_another_architecture_ends_the_process(machine: str) -> None:
    program = seccomp.program(machine)
    for other in (0x40000003, 0x40000028, 0xC00000B7 if machine == "x86_64" else 0xC000003E):
        assert answer(program, other, 1) == KILLED
    if machine == "x86_64":
        assert answer(program, AUDIT[machine], 0x40000000 | 41) == KILLED


def test_the_numbers_are_those_of_the_systems_headers(machine: str) -> None:
    if not HEADERS[machine].exists():
        missing(f"{HEADERS[machine]} is not here (package linux-libc-dev)")
    text = HEADERS[machine].read_text(encoding="ascii")
    defined = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\s*$", text, re.M)}
    for name in (*seccomp.CLOSED, "socket", "socketpair", "clone", "clone3", "ioctl"):
        number = seccomp.number(name, machine)
        if name in defined or (number is not None and name not in NEWER):
            assert number == defined.get(name), name


def test_a_machine_without_a_table_gets_no_filter() -> None:
    with pytest.raises(OSError, match="riscv64"):
        seccomp.program("riscv64")


# -- for real, each in a child ----------------------------------------------------------------------------------------


def test_landlock_lets_through_what_the_rules_name_and_nothing_else(tmp_path: Path) -> None:
    if landlock.abi() == 0:
        missing("this Linux has no Landlock")
    for name in ("open", "readable", "closed"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    plan = Plan(
        layers=("files",),
        write=(f"{tmp_path}/open", f"{tmp_path}/not there"),
        read=(f"{tmp_path}/readable",),
        devices=("/dev/null",),
    )

    def steps() -> dict[str, str]:
        enter(plan)
        return {
            "write": refusal(lambda: (tmp_path / "open/new").write_text("x")),
            "move": refusal(lambda: (tmp_path / "open/new").rename(tmp_path / "open/newer")),
            "null": refusal(lambda: Path("/dev/null").write_text("x")),
            "read": refusal(lambda: (tmp_path / "readable/file").read_text()),
            "write what is readable": refusal(lambda: (tmp_path / "readable/file").write_text("x")),
            "truncate it": refusal(lambda: os.truncate(tmp_path / "readable/file", 0)),
            "remove it": refusal((tmp_path / "readable/file").unlink),
            "read what is closed": refusal(lambda: (tmp_path / "closed/file").read_text()),
            "list it": refusal(lambda: os.listdir(tmp_path / "closed")),
            "through a link": refusal(lambda: _through_a_link(tmp_path)),
        }

    refused = in_a_child(steps)
    assert {name for name, error in refused.items() if not error} == {"write", "move", "null", "read"}, refused


def _through_a_link(tmp_path: Path) -> str:
    link = tmp_path / "open/link"
    link.symlink_to(tmp_path / "closed/file")
    return link.read_text()


def test_no_socket_leads_out_and_children_inherit_that() -> None:
    def steps() -> list[str]:
        enter(Plan(layers=("calls",)))
        tried = [refusal(lambda: socket.socket(socket.AF_INET)), refusal(lambda: socket.socket(socket.AF_UNIX).close())]
        return [*tried, in_a_child(lambda: refusal(lambda: socket.socket(socket.AF_INET6)))]

    # The other name of EOPNOTSUPP.
    assert in_a_child(steps) == ["ENOTSUP", "", "ENOTSUP"]


def test_limits_hold_and_never_rise_above_what_they_were() -> None:
    def steps() -> list[Any]:
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
        enter(Plan(layers=("limits",), limits={"descriptors": (4096, 4096), "memory": (1 << 30, 1 << 31)}))
        try:
            bytearray(3 << 29)
        except MemoryError:
            return [resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_DATA)]
        return ["no MemoryError"]

    assert in_a_child(steps) == [[100, 100], [1 << 30, 1 << 31]]


def test_a_plan_survives_json_and_an_unknown_layer_is_no_plan() -> None:
    plan = Plan(("limits", "user"), {"memory": (1, 2)}, SOMEBODY.uid, ("/w",), ("/r",), ("/d",))
    given = json.loads(json.dumps(plan.as_json()))
    assert Plan.from_json(given) == plan
    for wrong in ({"layers": ["limits", "usre"]}, {"uid": 0}, {"layers": ["limits"]}):
        with pytest.raises(ValueError, match="cannot be entered as planned"):
            Plan.from_json(given | wrong)


def test_a_layer_that_cannot_be_entered_is_an_error_and_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    assert in_a_child(lambda: enter(Plan(layers=("files",)))).startswith("OSError: the layer 'files' of the sandbox")


def test_without_a_user_of_its_own_a_kernel_has_nothing_of_what_root_may_do() -> None:
    if os.geteuid():
        missing("only root has what could be lost")

    def steps() -> list[Any]:
        before = capabilities()
        enter(Plan(layers=("limits",)))
        whoami = "import os; print([line for line in open('/proc/self/status') if line.startswith('CapEff')])"
        program = subprocess.run([sys.executable, "-c", whoami], capture_output=True, text=True, check=True).stdout
        return [before > 0, capabilities(), "0000000000000000" in program, os.geteuid()]

    assert in_a_child(steps) == [True, 0, True, 0]


# -- users ------------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["ids for files", "effective ids"])
def ids(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to be somebody else for a moment: Linux's own, and that of a kernel without ids for files."""
    if request.param == "effective ids":
        monkeypatch.setattr(identity, "has_ids_for_files", lambda: False)


@pytest.mark.usefixtures("ids")
def test_acting_as_a_user_has_that_users_rights_and_ends(open_place: Path) -> None:
    theirs, ours = open_place / "theirs", open_place / "ours"
    with sharing_with(SOMEBODY):
        theirs.mkdir()
        theirs.chmod(0o770)
    ours.write_text("secret")
    ours.chmod(0o600)
    with acting_as(SOMEBODY):
        (theirs / "file").write_text("x")
        assert refusal(ours.read_text) == "EACCES"
    facts = theirs.stat(), (theirs / "file").stat()
    assert [(each.st_uid, each.st_gid) for each in facts] == [(0, SOMEBODY.gid), (SOMEBODY.uid, SOMEBODY.gid)]
    assert ours.read_text() == "secret"


@pytest.mark.usefixtures("ids", "open_place")
def test_acting_as_a_user_is_for_one_thread_and_ends_within_another() -> None:
    seen: list[Any] = []
    look, looked = threading.Event(), threading.Event()

    def watch() -> None:
        look.wait()
        seen.extend((_ids_of(threading.get_native_id()), os.access("/root", os.W_OK)))
        looked.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    before = _ids_of(threading.get_native_id())
    with acting_as(SOMEBODY):
        look.set()
        looked.wait()
        with acting_as(Identity(SOMEBODY.uid + 1)), sharing_with(Identity(SOMEBODY.uid + 2)):
            uids, gids = _ids_of(threading.get_native_id())
            assert (uids[-1], gids[-1]) == (SOMEBODY.uid + 1, SOMEBODY.uid + 2)
            # The real and the saved one: whom a process of that user may neither signal nor trace.
            assert uids[0] == uids[2] == 0
        assert _ids_of(threading.get_native_id())[0][-1] == SOMEBODY.uid
    watcher.join()
    assert seen == [before, True] and _ids_of(threading.get_native_id()) == before


@pytest.mark.usefixtures("ids", "open_place")
def test_acting_as_a_user_leaves_it_to_the_parent_to_take_its_child_along() -> None:
    def steps() -> list[int]:
        told = []
        system.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG

        def tell() -> None:
            held = ctypes.c_int()
            system.prctl(2, ctypes.addressof(held))  # PR_GET_PDEATHSIG
            told.append(held.value)

        with acting_as(SOMEBODY):
            tell()
        with sharing_with(SOMEBODY):
            tell()
        tell()
        return told

    assert in_a_child(steps) == [signal.SIGKILL] * 3


def _ids_of(thread: int) -> tuple[list[int], ...]:
    """Real, effective, saved and for files: the user's and the group's of a thread of this process."""
    status = Path(f"/proc/self/task/{thread}/status").read_text()
    return tuple([int(word) for word in found.split()] for found in re.findall(r"^[UG]id:(.*)$", status, re.M))


@pytest.mark.usefixtures("open_place")
def test_a_user_is_for_good_and_its_processes_are_found() -> None:
    def steps() -> list[Any]:
        become(SOMEBODY)
        here = os.getpid() in processes_of(SOMEBODY)
        return [here, refusal(lambda: os.setresuid(0, 0, 0)), refusal(lambda: os.setgroups([0])), os.getresgid()]

    assert in_a_child(steps) == [True, "EPERM", "EPERM", [SOMEBODY.gid] * 3]
    assert processes_of(SOMEBODY) == []


def test_a_workspace_of_another_user_is_refused(open_place: Path) -> None:
    settings = Settings(workspaces=str(open_place))
    made = Workspace.open(settings, "s", SOMEBODY)
    assert made.root.stat().st_mode & 0o7777 == 0o1770 and made.files.stat().st_uid == SOMEBODY.uid
    assert Workspace.open(settings, "s", SOMEBODY) == made
    with pytest.raises(Refused, match="is not that of the session's user"):
        Workspace.open(settings, "s", Identity(SOMEBODY.uid + 1))


# -- modes ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def without_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tuple(
        Layer(layer.name, "it is switched off" if layer.name == "files" else "", layer.uncovered, layer.remedy)
        for layer in probe()
    )
    monkeypatch.setattr(confine, "probe", lambda: found)
    confine._probed.cache_clear()


@pytest.mark.usefixtures("without_landlock")
def test_strict_refuses_what_lacks_a_layer_and_says_which_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        confine.confinement(Settings(workspaces=str(tmp_path), sandbox="strict"))
    assert "`files` is missing, for it is switched off" in str(refused.value)
    assert "lsm=" in str(refused.value) and "OUTLAST_SANDBOX=reduced" in str(refused.value)


@pytest.mark.usefixtures("without_landlock")
def test_reduced_takes_what_is_there_and_off_takes_nothing(tmp_path: Path) -> None:
    reduced = confine.confinement(Settings(workspaces=str(tmp_path), sandbox="reduced"))
    assert "files" not in reduced.layers and {"limits", "calls"} <= set(reduced.layers)
    assert any("`files`" in sentence for sentence in reduced.sentences())
    assert confine.confinement(Settings(workspaces=str(tmp_path), sandbox="off")).layers == ()


def test_a_user_of_its_own_is_no_layer_where_that_user_can_reach_nothing(tmp_path: Path) -> None:
    confine._probed.cache_clear()
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    found = confine.found(Settings(workspaces=str(closed / "sessions"), sandbox="reduced"))
    reasons = {layer.name: layer.reason for layer in found.lacking}
    assert "user" in reasons and not found.has_users
