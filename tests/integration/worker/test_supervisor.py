"""`python -m outlast.supervisor` with real workers and a Redis that wants a password."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
import redis

from outlast.log.redis_log import connect
from tests.redis_server import RedisServer

ROOT = Path(__file__).parent.parent.parent.parent
PASSWORD = "a-secret/of-the worker"


class Supervised:
    """A running supervisor. Its standard error is read event by event; a test's timeout bounds each wait."""

    def __init__(self, environment: dict[str, str], code: str = "") -> None:
        what = ["-c", code] if code else ["-m", "outlast.supervisor"]
        self.environment = environment
        self.process = subprocess.Popen(
            [sys.executable, *what], env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        self.said: list[str] = []

    def event(self, name: str, **fields: Any) -> dict[str, Any]:
        """The next event of this name with these fields."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            event: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
            if event.get("event") == name and fields.items() <= event.items():
                return event
        raise AssertionError(f"there was no {name}: {''.join(self.said)}")

    def ended(self) -> tuple[int, str]:
        """Its exit code once it has ended, and the rest of what it said."""
        assert self.process.stderr is not None
        rest = self.process.stderr.read()
        return self.process.wait(), rest

    def health(self) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "outlast.health"], env=self.environment, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None:
            family = [self.process, *psutil.Process(self.process.pid).children(recursive=True)]
            for member in family:
                if psutil.pid_exists(member.pid):
                    os.kill(member.pid, signal.SIGKILL)
            self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()


@pytest.fixture
def server(private_redis: Callable[[], RedisServer]) -> Iterator[RedisServer]:
    """A Redis whose user `worker` has a password."""
    server = private_redis()
    with redis.Redis.from_url(server.url) as connection:
        connection.acl_setuser(
            "worker", enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"], channels=["*"], categories=["+@all"]
        )
    yield server


@pytest.fixture
def environment(tmp_path: Path, server: RedisServer) -> dict[str, str]:
    """What one supervised worker of that Redis gets."""
    (tmp_path / "secret").write_text(PASSWORD + "\n")
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(ROOT / "services"), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "OUTLAST_REDIS_URL": f"redis://worker@127.0.0.1:{server.port}/0",
        "OUTLAST_REDIS_PASSWORD_FILE": str(tmp_path / "secret"),
        "OUTLAST_RUNTIME_DIR": str(tmp_path / "run"),
        "OUTLAST_WORKSPACES": str(tmp_path / "sessions"),
        "OUTLAST_KERNEL_PYTHON": sys.executable,
        "OUTLAST_LOG_FORMAT": "json",
        "OUTLAST_WORKERS": "1",
        "OUTLAST_SANDBOX": "reduced",
        "OUTLAST_QUEUES": "fast slow",
    }


def test_a_killed_worker_is_replaced_under_another_name_and_a_stop_drains_them_all(
    environment: dict[str, str], server: RedisServer
) -> None:
    with Supervised(environment | {"OUTLAST_WORKERS": "2"}) as supervised:
        first = supervised.event("worker.started")
        names = {supervised.event("worker.listening", queues="fast,slow")["worker"] for _ in range(2)}
        assert first["worker"] in names
        with connect(server.url) as connection:
            assert connection.scard("rq:workers") == 2
        os.kill(first["pid"], signal.SIGKILL)
        ended = supervised.event("worker.ended", worker=first["worker"])
        assert (ended["exit"], ended["restart_in"]) == (-signal.SIGKILL, 0)
        second = supervised.event("worker.listening")
        assert second["worker"] not in names
        supervised.process.send_signal(signal.SIGTERM)
        assert supervised.ended()[0] == 0
        with connect(server.url) as connection:
            # The killed one's lease may not have lapsed yet.
            left = [lease.decode() for lease in connection.hkeys("outlast:leases")]
        assert not [lease for lease in left if not lease.startswith(f"{first['worker']}.")]


def test_the_password_is_in_no_environment_and_on_no_command_line(environment: dict[str, str]) -> None:
    with Supervised(environment) as supervised:
        supervised.event("worker.listening")
        root = psutil.Process(supervised.process.pid)
        family = [root, *root.children(recursive=True)]
        assert len(family) == 2
        for member in family:
            for name in ("environ", "cmdline"):
                assert PASSWORD.encode() not in Path(f"/proc/{member.pid}/{name}").read_bytes()
        assert PASSWORD not in "".join(supervised.said)


def test_a_wrong_password_ends_it_with_a_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("wrong")
    with Supervised(environment) as supervised:
        supervised.event("worker.refused")
        assert supervised.ended()[0] == 2
        sentences = [line for line in supervised.said if not line.startswith("{")]
        assert len(sentences) == 1 and sentences[0].startswith("outlast: Redis refuses the login (")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("OUTLAST_WORKERS", "none", "OUTLAST_WORKERS='none' is not a whole number of at least 1."),
        ("OUTLAST_REDIS_PASSWORD_FILE", "/no", "OUTLAST_REDIS_PASSWORD_FILE=/no cannot be read"),
        ("OUTLAST_KERNEL_PYTHON", "/no", "there is no Python at /no"),
    ],
)
def test_settings_that_are_refused_end_it_before_a_worker_starts(
    environment: dict[str, str], variable: str, value: str, sentence: str
) -> None:
    with Supervised(environment | {variable: value}) as supervised:
        code, said = supervised.ended()
        assert code == 2 and said.startswith("outlast: ") and sentence in said and said.count("\n") == 1


def test_redis_may_come_later_and_health_says_what_is_waited_for(
    environment: dict[str, str], server: RedisServer
) -> None:
    server.kill()
    with Supervised(environment | {"OUTLAST_REDIS_URL": server.url, "OUTLAST_REDIS_PASSWORD_FILE": ""}) as supervised:
        waiting = supervised.event("redis.awaited")
        assert waiting["place"] == f"127.0.0.1:{server.port}/0"
        # The beat of the first pause is written right after the event; it needs no more than a moment.
        while (health := supervised.health())[1] == "1 of 1 workers are still starting.\n":
            pass
        assert health == (0, "1 of 1 workers are waiting for Redis; they take no job.\n")
        server.restart()
        supervised.event("worker.listening")


def test_a_worker_that_stands_still_makes_it_unhealthy_and_is_replaced(environment: dict[str, str]) -> None:
    # The limits alone are shortened; the processes, signals and files are the real ones.
    code = (
        "import sys; from outlast import health, supervisor; "
        "health.STILL_SECONDS, supervisor.LOOK_SECONDS = 2.0, 0.3; sys.exit(supervisor.main())"
    )
    with Supervised(environment, code) as supervised:
        stopped = supervised.event("worker.listening")
        while supervised.health() != (0, "1 workers are well.\n"):
            pass
        os.kill(stopped["pid"], signal.SIGSTOP)
        assert supervised.event("worker.stands_still")["pid"] == stopped["pid"]
        assert supervised.event("worker.ended")["exit"] == -signal.SIGKILL
        assert supervised.event("worker.listening")["worker"] != stopped["worker"]


def test_a_worker_that_does_not_leave_is_killed_in_the_end(environment: dict[str, str]) -> None:
    code = "import sys; from outlast import supervisor; supervisor.DRAIN_SECONDS = 0.5; sys.exit(supervisor.main())"
    with Supervised(environment, code) as supervised:
        stopped = supervised.event("worker.listening")
        os.kill(stopped["pid"], signal.SIGSTOP)
        supervised.process.send_signal(signal.SIGTERM)
        supervised.event("worker.did_not_leave")
        assert supervised.ended()[0] == 1


def test_the_image_s_rq_reads_the_password_itself_and_says_in_a_sentence_what_it_cannot(
    environment: dict[str, str], tmp_path: Path
) -> None:
    def rq(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "outlast.rq_client", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)

    done = rq("enqueue", "--job-id", "a", "outlast.run", "prompt=say hello")
    assert done.returncode == 0, done.stderr
    assert "1 jobs total" in rq("info").stdout
    (tmp_path / "secret").write_text("wrong")
    refused = rq("enqueue", "outlast.run", "prompt=say hello")
    assert refused.returncode == 2 and refused.stderr.startswith("outlast: Redis refuses the login (")
    assert refused.stderr.count("\n") == 1
    (tmp_path / "secret").unlink()
    missing = rq("enqueue", "outlast.run", "prompt=say hello")
    assert missing.returncode == 2 and missing.stderr.count("\n") == 1 and "cannot be read" in missing.stderr
