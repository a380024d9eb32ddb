"""Who dies with whom, and that nothing is left."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from outlast.errors import KernelDied, KernelUnusable, Stopped
from outlast.settings import Settings
from tests.integration.kernel.conftest import NewSession, Session

ROOT = Path(__file__).parents[3]

#: Leaves a child, a child in a session of its own, and a daemon that was forked twice; prints their pids.
BROOD = """
import os, subprocess, time, warnings
warnings.simplefilter('ignore')  # From 3.12 on a fork beside threads is warned of.
pids = [subprocess.Popen(['sleep', '1000']).pid]
pids.append(subprocess.Popen(['sleep', '1000'], start_new_session=True, env={}).pid)
read_end, write_end = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.write(write_end, str(os.getpid()).encode())
        os.close(write_end)
        time.sleep(1000)
    os._exit(0)
_ = os.wait()
pids.append(int(os.read(read_end, 20)))
print(*pids)
"""

Watchers = Callable[[list[int]], list[int]]
StartWorker = Callable[..., tuple[subprocess.Popen[str], list[int]]]


@pytest.fixture
def watch() -> Iterator[Watchers]:
    """Opens pidfds, so that a process that is gone cannot be mistaken for another with its number."""
    handles: list[int] = []

    def open_all(pids: list[int]) -> list[int]:
        opened = [os.pidfd_open(pid) for pid in pids]
        handles.extend(opened)
        return opened

    yield open_all
    for handle in handles:
        os.close(handle)


def gone(handle: int, seconds: float = 60) -> bool:
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def is_locked(session_directory: Path) -> bool:
    with (session_directory / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def worker(settings: Settings) -> Iterator[StartWorker]:
    """Starts a worker's child that has run BROOD; the process, and the pids of guardian, kernel and brood."""
    started: list[subprocess.Popen[str]] = []

    def start(session: str, **changed: float) -> tuple[subprocess.Popen[str], list[int]]:
        configuration = json.dumps(asdict(replace(settings, **changed)))  # type: ignore[arg-type]  # settings by name; those changed here are numbers
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.kernel.worker", configuration, session, BROOD],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}/services:{ROOT}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        return process, said["pids"] + [int(pid) for pid in said["output"].split()]

    yield start
    for process in started:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_when_the_worker_is_killed_nothing_of_its_kernel_is_left(
    settings: Settings, worker: StartWorker, watch: Watchers
) -> None:
    process, pids = worker("killed")
    handles = watch(pids)
    directory = Path(settings.workspaces) / "killed"
    assert is_locked(directory)
    process.kill()
    assert all(map(gone, handles))
    assert not is_locked(directory)


def test_when_the_worker_is_stopped_its_kernel_is_killed_after_the_lease(
    settings: Settings, worker: StartWorker, watch: Watchers
) -> None:
    process, pids = worker("stopped", lease=0.5)
    handles = watch(pids)
    process.send_signal(signal.SIGSTOP)
    assert all(map(gone, handles))
    assert not is_locked(Path(settings.workspaces) / "stopped")


def test_the_worker_may_be_killed_while_its_guardian_waits_for_the_lock(
    settings: Settings, worker: StartWorker, watch: Watchers
) -> None:
    _, pids = worker("contended")
    session = Session(settings, "contended")
    waits = threading.Event()

    def wait() -> None:
        with pytest.raises(KernelUnusable):
            session.ready(lambda _: waits.set())

    thread = threading.Thread(target=wait)
    thread.start()
    assert waits.wait(60)
    (handle,) = watch([session.kernel.guardian_pid])
    os.close(session.kernel._guard._beat)  # As the system does when the worker dies.
    session.kernel._guard._beat = os.open(os.devnull, os.O_WRONLY)
    assert gone(handle)
    thread.join(60)
    session.close()
    assert is_locked(Path(settings.workspaces) / "contended")
    assert not gone(watch(pids[1:2])[0], 0)


def test_a_kernel_gives_way_to_a_newer_attempt_and_to_no_older_one(settings: Settings) -> None:
    with ExitStack() as stack:

        def launched(attempt: int) -> Session:
            session = Session(replace(settings, lease=1.0), "handed-over", attempt)
            stack.callback(session.close)
            return session

        def wait() -> None:
            with pytest.raises(Stopped):
                late.ready(lambda _: waits.set())

        old, waits = launched(1).ready(), threading.Event()
        new = launched(2).ready()
        with pytest.raises(KernelDied, match="a newer attempt holds the session"):
            old.run("1")
        late = launched(1)
        thread = threading.Thread(target=wait)
        thread.start()
        assert waits.wait(60)
        # Each has the guardian look twice.
        assert [new.run(f"print({number})").output for number in (1, 2)] == ["1\n", "2\n"]
        late.stop.set("fenced")
        thread.join(60)


def test_when_the_guardian_is_killed_the_kernel_dies_and_the_worker_clears_up(
    new_session: NewSession, watch: Watchers
) -> None:
    session = new_session().ready()
    brood = [int(pid) for pid in session.run(BROOD.replace(", env={}", "")).output.split()]
    kernel, *rest = watch([session.kernel.kernel_pid, *brood])
    os.kill(session.kernel.guardian_pid, signal.SIGKILL)
    assert gone(kernel)
    with pytest.raises(KernelDied, match="its guardian has ended"):
        session.run("1")
    session.close()
    assert all(map(gone, rest))


def test_closing_leaves_nothing_and_may_be_done_twice(new_session: NewSession, watch: Watchers) -> None:
    session = new_session("closed").ready()
    brood = [int(pid) for pid in session.run(BROOD).output.split()]
    handles = watch([session.kernel.guardian_pid, session.kernel.kernel_pid, *brood])
    session.kernel.close()
    assert all(gone(handle, 0) for handle in handles)
    assert not is_locked(session.workspace.root)
    assert not session.kernel._runtime.exists()
    session.kernel.close()


def test_leftovers_of_the_session_are_killed_before_the_next_kernel_starts(
    new_session: NewSession, watch: Watchers
) -> None:
    first = new_session("leftovers").ready()
    brood = [int(pid) for pid in first.run(BROOD.replace(", env={}", "")).output.split()]
    handles = watch([first.kernel.kernel_pid, *brood])
    guardian = watch([first.kernel.guardian_pid])[0]
    os.kill(first.kernel.guardian_pid, signal.SIGKILL)
    assert gone(guardian)
    new_session("leftovers").ready()
    assert all(gone(handle, 0) for handle in handles)


def test_a_second_kernel_waits_for_the_first_and_says_so(new_session: NewSession) -> None:
    first = new_session("twice").ready()
    second = new_session("twice")
    reasons: list[str] = []
    waits = threading.Event()

    def wait() -> None:
        second.ready(lambda reason: (reasons.append(reason), waits.set())[0])

    thread = threading.Thread(target=wait)
    thread.start()
    assert waits.wait(60)
    assert thread.is_alive() and first.run("1 + 1").output == "2\n"
    first.kernel.close()
    thread.join(60)
    assert second.run("2 + 2").output == "4\n"
    assert reasons == ["another kernel still holds the session's directory; waiting until its last process is gone"]


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("import os; print('last'); os._exit(3)", r"ended with exit status 3 while cell 5 ran"),
        ("import ctypes; ctypes.string_at(0)", r"ended by SIGSEGV while cell 5 ran \(a crash in native code\)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", r"ended by SIGKILL while cell 5 ran"),
    ],
)
def test_a_cell_that_kills_its_kernel_is_told_apart_by_its_cause(
    new_session: NewSession, watch: Watchers, code: str, cause: str
) -> None:
    session = new_session().ready()
    brood = watch([int(pid) for pid in session.run(BROOD).output.split()])
    with pytest.raises(KernelDied, match=cause):
        session.run(code, cell=5)
    assert all(map(gone, brood))


def test_a_kernel_that_cannot_start_is_unusable_and_says_what_to_mend(new_session: NewSession, tmp_path: Path) -> None:
    missing = new_session(kernel_python=str(tmp_path / "none/bin/python"))
    with pytest.raises(KernelUnusable, match=r"No such file or directory.*OUTLAST_KERNEL_PYTHON"):
        missing.ready()
    empty = tmp_path / "python"
    empty.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')
    empty.chmod(0o755)
    # In a sandbox it could not even be executed: it is not in that environment.
    bare = new_session(kernel_python=str(empty), sandbox="off")
    with pytest.raises(KernelUnusable, match="ModuleNotFoundError"):
        bare.ready()


def test_a_socket_path_that_is_too_long_is_refused_with_the_setting_that_mends_it(
    new_session: NewSession, tmp_path: Path
) -> None:
    with pytest.raises(KernelUnusable, match="OUTLAST_RUNTIME_DIR"):
        new_session(runtime_dir=str(tmp_path / ("x" * 100)))


def test_orphans_are_reaped_while_the_kernel_lives(shared: Session) -> None:
    code = """
import os, warnings
warnings.simplefilter('ignore')
for _ in range(20):
    if os.fork() == 0:
        os.fork()
        os._exit(0)
    _ = os.wait()
"""
    assert shared.run(code).status == "ok"
    # Read from /proc: not every machine has ps.
    children = f"grep -sl '^PPid:.{shared.kernel.guardian_pid}$' /proc/[0-9]*/status"
    zombies = f"{children} | xargs grep -sh '^State:.Z' | wc -l"
    for _ in range(100):  # Bounded: the guardian may not have had its turn yet.
        if shared.run(zombies, "shell").output.startswith("0"):
            return
    pytest.fail("the guardian does not reap what it adopts")


def test_the_lock_is_not_given_to_the_kernel(shared: Session) -> None:
    code = """
import os
targets = [os.path.realpath(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd')]
print([target for target in targets if target.endswith('/lock')])
"""
    assert shared.run(code).output == "[]\n"
    assert is_locked(shared.workspace.root)
