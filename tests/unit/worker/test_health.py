"""What the health check says of heartbeats, and that a heartbeat is read as it was written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from outlast import heartbeat
from outlast.health import START_SECONDS, STILL_SECONDS, verdict
from outlast.heartbeat import Beat, State
from outlast.supervisor import LONGEST_PAUSE, pause_after

NOW = 1000.0
WELL = Beat(NOW - 0.5, State.WORKING)


@pytest.mark.parametrize(
    ("beats", "healthy", "words"),
    [
        ({1: WELL, 2: WELL}, True, "2 workers are well."),
        ({1: WELL}, False, "1 of 2 workers run"),
        ({}, False, "0 of 2 workers run"),
        ({1: WELL, 2: Beat(NOW, State.STARTING)}, False, "1 of 2 workers are still starting."),
        ({1: WELL, 2: Beat(NOW - STILL_SECONDS - 3, State.WORKING)}, False, "process 2 has stood still for 18 s"),
        ({1: WELL, 2: Beat(NOW - STILL_SECONDS - 3, State.WAITING)}, False, "worker process 2 has stood still"),
        ({1: WELL, 2: Beat(NOW - STILL_SECONDS - 3, State.STARTING)}, False, "still starting"),
        ({1: WELL, 2: Beat(NOW - START_SECONDS - 1, State.STARTING)}, False, "worker process 2 has stood still"),
        ({1: WELL, 2: Beat(NOW, State.WAITING)}, True, "1 of 2 workers are waiting for Redis"),
        ({1: Beat(NOW, State.WAITING), 2: Beat(NOW, State.WAITING)}, True, "2 of 2 workers are waiting for Redis"),
    ],
)
def test_the_verdict_tells_standing_still_from_waiting_for_redis(
    beats: dict[int, Beat], healthy: bool, words: str
) -> None:
    verdict_, sentence = verdict(beats, 2, NOW)
    assert verdict_ is healthy and words in sentence


def test_a_heartbeat_is_read_as_it_was_written_and_a_shorter_one_leaves_nothing_of_a_longer(tmp_path: Path) -> None:
    heartbeat.beat(tmp_path, State.STARTING)
    first = heartbeat.beats(tmp_path)[os.getpid()]
    heartbeat.beat(tmp_path, State.WAITING)
    second = heartbeat.beats(tmp_path)[os.getpid()]
    assert (first.state, second.state) == (State.STARTING, State.WAITING) and first.at <= second.at


def test_the_heartbeat_of_a_process_that_is_gone_counts_no_more(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    heartbeat.beat(tmp_path, State.WORKING, gone.pid)
    heartbeat.beat(tmp_path, State.WORKING)
    assert set(heartbeat.beats(tmp_path)) == {os.getpid()}
    assert not (heartbeat.directory(tmp_path) / str(gone.pid)).exists()


def test_what_is_no_heartbeat_is_none(tmp_path: Path) -> None:
    heartbeat.directory(tmp_path).mkdir()
    (heartbeat.directory(tmp_path) / str(os.getpid())).write_text("rubbish")
    (heartbeat.directory(tmp_path) / "notes").write_text("")
    assert heartbeat.beats(tmp_path) == {}


def test_a_heartbeat_that_cannot_be_written_stops_nobody() -> None:
    heartbeat.beat(Path("/proc/no"), State.WORKING)
    heartbeat.end(Path("/proc/no"))


def test_the_health_check_loads_nothing_that_is_slow() -> None:
    code = "import sys, outlast.health; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert not {"redis", "rq", "interpreter", "jupyter_client", "asyncio", "socket"} & set(done.stdout.split())


def test_the_supervisor_loads_nothing_that_is_slow() -> None:
    code = "import sys, outlast.supervisor; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert not {"redis", "rq", "interpreter", "jupyter_client"} & set(done.stdout.split())


def _environment() -> dict[str, str]:
    return {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]}


def test_the_first_quick_end_costs_no_pause_and_no_pause_is_longer_than_the_longest() -> None:
    pauses = [pause_after(ends) for ends in range(12)]
    assert pauses[:4] == [0.0, 0.0, 1.0, 2.0]
    assert pauses == sorted(pauses) and pauses[-1] == LONGEST_PAUSE
