"""A worker that lives and is taken for dead: its attempt appends nothing more, its kernel writes no further file, and
both end by themselves."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import IPv4Network
from pathlib import Path

import psutil
import pytest

from tests.dependencies import missing
from tests.fleet import Fleet
from tests.integration.sessions import cell, files, let_go, outputs, ran, script
from tests.observer import PATIENCE
from tests.proxy import Proxy

#: Notes all the time that it lives, silently, until the test lets it go on.
NOTES = """
import os, time
print('working', flush=True)
while not os.path.exists('go'):
    with open('lives.txt', 'a') as file: file.write(f'{os.getpid()} ')
    time.sleep(0.005)
print(x)
"""
SCRIPT = script(cell(1, "x = [1, 2]"), cell(2, NOTES), cell(3, "print(sum(x))"))

#: What happens to the worker that holds the session; the function that is returned undoes it.
Cut = Callable[[list[psutil.Process]], Callable[[], None]]


def _signalled(chosen: slice) -> Cut:
    """The processes of the worker, from the parent on: child, guardian, kernel."""

    def stop(tree: list[psutil.Process]) -> Callable[[], None]:
        for process in tree[chosen]:
            process.suspend()

        def go_on() -> None:
            for process in tree[chosen]:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

        return go_on

    return stop


def _parent_killed(tree: list[psutil.Process]) -> Callable[[], None]:
    tree[1].suspend()  # It could not even notice.
    tree[0].kill()
    return lambda: None


CUTS = {
    "its parent and child are stopped": _signalled(slice(0, 2)),
    "its parent alone is stopped, and its child lives on": _signalled(slice(0, 1)),
    "all of its processes are stopped": _signalled(slice(0, None)),
    "its parent is killed, and its child could not notice": _parent_killed,
}


@pytest.mark.parametrize("cut", CUTS)
def test_a_worker_that_is_taken_for_dead_leaves_the_session_alone(
    tmp_path: Path, kernel_python: Path, cut: str
) -> None:
    with Fleet(tmp_path, SCRIPT, kernel_python, workers=1, environment={"OUTLAST_LEASE": "1"}) as fleet:
        tree = _in_cell_2(fleet)
        fleet.start_worker("worker-2")
        go_on = CUTS[cut](tree)
        if cut == "all of its processes are stopped":
            # Its lock holds until the last of them is gone: the newer attempt waits, and says so.
            fleet.wait("job", lambda state, record: state.attempt == 2 and record.type == "turn.waiting")
            go_on()
        _goes_on_without(fleet, tree[1:])
        go_on()
        _ends_well(fleet)
        _, left = psutil.wait_procs(tree[1:], timeout=PATIENCE)
        assert not left and (cut.startswith("its parent is killed") or tree[0].is_running())


def test_a_worker_that_is_cut_off_from_redis_for_ever_leaves_the_session_alone(
    tmp_path: Path, kernel_python: Path
) -> None:
    with ExitStack() as stack:
        fleet = stack.enter_context(
            Fleet(tmp_path, SCRIPT, kernel_python, workers=0, environment={"OUTLAST_LEASE": "1"})
        )
        network = stack.enter_context(own_network())
        network.start_worker(fleet, "worker-1")
        tree = _in_cell_2(fleet)
        fleet.start_worker("worker-2")
        network.cut()
        # It lives, gives its guardian every sign of life, and nobody can tell it that it is over.
        _goes_on_without(fleet, tree[2:])
        assert tree[0].is_running() and tree[1].is_running()
        _ends_well(fleet)
        network.mend()
        psutil.wait_procs(tree[1:], timeout=PATIENCE)
        assert not tree[1].is_running() and tree[0].is_running()
        fleet.kill_worker("worker-2")
        fleet.enqueue("another")
        fleet.wait("another", lambda state, record: record.type == "cell.output" and state.cell == 2)
        let_go(fleet, "another")
        assert fleet.finished("another").attempt == 1


def _in_cell_2(fleet: Fleet) -> list[psutil.Process]:
    """The processes of the only worker, which runs the second cell: parent, child, guardian, kernel."""
    fleet.enqueue("job")
    fleet.wait("job", lambda state, record: record.type == "cell.output" and state.cell == 2)
    return fleet.tree("worker-1")


def _goes_on_without(fleet: Fleet, gone: list[psutil.Process]) -> None:
    """The next attempt restores; from then on nothing of the old one lives or writes."""
    fleet.wait("job", lambda state, record: state.attempt == 2 and record.type == "state.restored")
    kernel = gone[-1].pid
    notes = files(fleet, "job") / "lives.txt"
    written = notes.read_text().split().count(str(kernel))
    fleet.wait("job", lambda state, record: state.attempt == 2 and record.type == "cell.output")
    _, alive = psutil.wait_procs(gone, timeout=0)
    assert written and notes.read_text().split().count(str(kernel)) == written
    assert not [process for process in alive if process.pid == kernel]


def _ends_well(fleet: Fleet) -> None:
    let_go(fleet, "job")
    state = fleet.finished("job")
    assert state.closed is not None and state.closed.how == "finished" and (state.attempt, state.strikes) == (2, 0)
    assert outputs(fleet.log("job").read()) == ["", "working\n[1, 2]", "3"]
    assert ran(fleet, "job") == ["1", "2", "2", "3"]
    assert fleet.verify("job").ok
    assert fleet.job_status("job", "finished")


class Network:
    """A network namespace with one way out, to addresses of this machine that lead to a fleet's servers."""

    def __init__(self, name: str) -> None:
        self._name, self._outer, self._inner = name, f"{name}o", f"{name}i"
        # Of the block for benchmarks, which no network uses; other ones for other runs of this test.
        block = IPv4Network(f"198.18.{os.getpid() % 2**14 // 64}.{os.getpid() % 64 * 4}/30")
        self._host, guest = map(str, block.hosts())
        _ip("netns", "add", name)
        try:
            _ip("link", "add", self._outer, "type", "veth", "peer", "name", self._inner, "netns", name)
            _ip("address", "add", f"{self._host}/30", "dev", self._outer)
            _ip("link", "set", self._outer, "up")
            _ip("-n", name, "address", "add", f"{guest}/30", "dev", self._inner)
            _ip("-n", name, "link", "set", self._inner, "up")
            _ip("-n", name, "link", "set", "lo", "up")
        except BaseException:
            self.remove()
            raise
        self._stack = ExitStack()

    def start_worker(self, fleet: Fleet, name: str) -> None:
        """As `Fleet.start_worker`, in here."""
        redis = self._stack.enter_context(Proxy(fleet.redis.port, self._host))
        model = self._stack.enter_context(Proxy(fleet.model.port, self._host))
        addresses = {
            "RQ_REDIS_URL": f"redis://{self._host}:{redis.port}/0",
            "OUTLAST_MODEL_URL": f"http://{self._host}:{model.port}/v1",
        }
        fleet.start_worker(name, within=("ip", "netns", "exec", self._name), environment=addresses)

    def cut(self) -> None:
        """Whatever is sent is lost, without a word."""
        _ip("link", "set", self._outer, "down")

    def mend(self) -> None:
        """As it was."""
        _ip("link", "set", self._outer, "up")

    def remove(self) -> None:
        """Take it away, with the servers' addresses in it."""
        if hasattr(self, "_stack"):
            self._stack.close()
        _ip("netns", "delete", self._name)


@contextmanager
def own_network() -> Iterator[Network]:
    """A network for this test; where the machine allows none, the test is skipped."""
    try:
        network = Network(f"ol{os.getpid() % 10**6}")
    except (OSError, subprocess.CalledProcessError) as error:
        missing(f"this user can make no network namespace here ({error})")
    try:
        yield network
    finally:
        network.remove()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
