"""A session's processes are found, looked into and ended, whatever they do against it."""

from __future__ import annotations

import codecs
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from outlast.kernel import processes
from outlast.kernel.sandbox.identity import Identity, become, kill_all, processes_of
from outlast.kernel.usage import held, in_sockets, resident
from outlast.kernel.workspace import FIRST_UID
from tests.unit.kernel.children import in_a_child

SOMEBODY = Identity(FIRST_UID + 78)


@pytest.fixture
def headless() -> Iterator[int]:
    """A process whose first thread has ended and whose other one goes on: for `ps` it is a zombie."""
    code = (
        "import ctypes, os, threading, time\n"
        "threading.Thread(target=time.sleep, args=(1000,)).start()\n"
        "print(flush=True)\n"
        "ctypes.CDLL(None).syscall(93 if os.uname().machine == 'aarch64' else 60, 0)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    while processes.stat_fields(process.pid)[0] != b"Z":
        time.sleep(0.01)
    yield process.pid
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_process_without_its_first_thread_is_found_and_looked_into(headless: int) -> None:
    assert headless in processes.descendants(os.getpid())
    assert headless in processes_of(Identity(os.getuid()))
    assert resident(headless) > 0
    assert processes.read_bytes(f"{processes.open_to_look(headless)}/environ")


def test_files_that_no_directory_names_are_counted_and_what_hides_them_is_told_of(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"x" * 5000)
        file.flush()
        os.unlink(file.name)
        found = held({os.getpid()})
    assert found.files >= 5000 and not found.hides
    if os.geteuid() == 0:
        # Python looks for it at its first use, which may be somebody's who cannot reach this Python.
        codecs.lookup("ascii")

        def steps() -> bool:
            parent = os.getppid()
            become(SOMEBODY)
            return held({parent}).hides

        assert in_a_child(steps) is True


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_process_that_has_ended_hides_nothing() -> None:
    codecs.lookup("ascii")
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        def steps() -> bool:
            become(SOMEBODY)
            return held({process.pid}).hides

        assert in_a_child(steps) is False


def test_what_waits_in_pipes_and_sockets_counts() -> None:
    before, pipe = held({os.getpid()}).pipes, os.pipe()
    try:
        assert held({os.getpid()}).pipes - before > 1_000_000
    finally:
        for end in pipe:
            os.close(end)
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        sent = 0
        with suppress(BlockingIOError):
            while True:
                sent += one.send(bytes(10_000))
        assert in_sockets(Identity(os.getuid())) >= sent > 0
        one.close()
        assert in_sockets(Identity(os.getuid())) >= sent
    assert in_sockets(SOMEBODY) == 0


@pytest.mark.usefixtures("open_place")
def test_all_of_a_users_processes_end_at_once_and_whoever_asks_cannot_be_stopped() -> None:
    """The chain forks and ends faster than it can be listed; the others stop whatever they may signal."""
    code = (
        "import os, signal, sys, time\n"
        f"os.setgroups([]); os.setresgid(*[{SOMEBODY.gid}] * 3); os.setresuid(*[{SOMEBODY.uid}] * 3)\n"
        "if sys.argv[1] == 'chain':\n"
        "    print(flush=True)\n"
        "    end = time.monotonic() + 30\n"
        "    while time.monotonic() < end and os.fork() == 0: pass\n"
        "    os._exit(0)\n"
        "signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n"
        "print(flush=True)\n"
        "end = time.monotonic() + 60\n"
        "while time.monotonic() < end:\n"
        "    for pid in map(int, filter(str.isdigit, os.listdir('/proc'))):\n"
        "        if pid != os.getpid():\n"
        "            try: os.kill(pid, signal.SIGSTOP)\n"
        "            except OSError: pass\n"
    )
    # First the chain, which the other would stop before it has begun.
    with subprocess.Popen([sys.executable, "-c", code, "chain"], stdout=subprocess.PIPE) as chain:
        assert chain.stdout is not None and chain.stdout.readline()
        with subprocess.Popen([sys.executable, "-c", code, "stop"], stdout=subprocess.PIPE) as stopper:
            assert stopper.stdout is not None and stopper.stdout.readline()
            kill_all(SOMEBODY)
            assert processes_of(SOMEBODY) == []
