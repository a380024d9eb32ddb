"""The image of Redis, alone and confined as in the stack: what it gives away, survives, mends and refuses."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.stack import Done, build, docker

IMAGE = "outlast-redis:local"
#: As compose.yaml runs it, but for the networks and the volume.
CONFINED = (
    "--init", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--pids-limit", "64",
    "--tmpfs", "/run/redis:mode=0700,uid=10002,gid=10002,size=4m", "--env", "REDIS_MEMORY=64mb",
)  # fmt: skip
PASSWORDS = {user: f"{user}-of-the-image-0123456789" for user in ("client", "worker", "admin")}
BYTES = 130_000_000


@pytest.fixture(scope="module")
def image(engine: None) -> str:
    """The image, built from what lies here; its layers are cached."""
    return build(IMAGE, "images/redis/Dockerfile")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Secrets as Compose mounts them: files of the host's, readable in the container."""
    directory = tmp_path_factory.mktemp("redis-secrets")
    directory.chmod(0o755)
    for user, password in PASSWORDS.items():
        (directory / f"redis_{user}").write_text(f"{password}\n")
        (directory / f"redis_{user}").chmod(0o444)
    return directory


class Container:
    """One Redis on a volume of its own, without a network unless `options` give it one."""

    def __init__(self, image: str, secrets: Path, *options: str, data: str = "") -> None:
        self._options = (*CONFINED, "--volume", f"{secrets}:/run/secrets:ro")
        self._image = image
        self.volume = docker("volume", "create").stdout.strip()
        network = () if "--network" in options else ("--network", "none")
        where = ("--volume", f"{self.volume}:/data") if not data else tuple(data.split())
        # Not only after a failure: `docker stop` and `docker kill` alone keep it down.
        arguments = ("--restart", "unless-stopped", *self._options, *network, *where, *options)
        self.name = docker("run", "--detach", *arguments, image).stdout.strip()

    def remove(self) -> None:
        """The container and what it kept; a second time does nothing."""
        docker("rm", "--force", self.name, check=False)
        docker("volume", "rm", "--force", self.volume)

    @property
    def facts(self) -> dict[str, Any]:
        """What Docker knows of it."""
        found: list[dict[str, Any]] = json.loads(docker("inspect", self.name).stdout)
        return found[0]

    @property
    def first_process(self) -> int:
        """On the host; 0 while there is none."""
        return int(self.facts["State"]["Pid"])

    def inside(self, *command: str, check: bool = True) -> Done:
        return docker("exec", self.name, *command, check=check)

    def redis(self, user: str, *words: str) -> str:
        """What Redis answers to a user."""
        login = f'REDISCLI_AUTH="$(cat /run/secrets/redis_{user})" exec redis-cli --user {user} "$@"'
        return self.inside("sh", "-c", login, "sh", *words).stdout.strip()

    def until_healthy(self) -> str:
        """Wait for it; what the health check says then."""
        while True:
            done = self.inside("python3", "-m", "keeper.health", check=False)
            if done.returncode == 0:
                return done.stdout.strip()
            facts = self.facts
            assert facts["State"]["Status"] in ("running", "restarting") and facts["RestartCount"] < 3, self.log()

    def once(self) -> None:
        """From now on Docker does not start it again. It must be down: an end on its own may fall into the change."""
        docker("update", "--restart", "no", self.name)

    def until_ended(self) -> tuple[int, str]:
        """For a start that is refused: exit code and what it said. Docker must not start it again: see `once`."""
        code = int(docker("wait", self.name).stdout)
        return code, self.log()

    def log(self) -> str:
        done = docker("logs", self.name)
        return done.stdout + done.stderr

    def on_the_volume(self, script: str) -> str:
        """A shell command in /data as the image's user, while Redis is down."""
        where = ("--network", "none", "--volume", f"{self.volume}:/data")
        return docker("run", "--rm", *where, self._image, "sh", "-c", script).stdout.strip()

    def mend(self, *words: str) -> Done:
        """As `docker compose run --rm redis python3 -m keeper.mend …`."""
        where = ("--network", "none", "--volume", f"{self.volume}:/data")
        return docker("run", "--rm", *self._options, *where, self._image, "python3", "-m", "keeper.mend", *words)


@pytest.fixture
def start(image: str, secrets: Path) -> Iterator[Any]:
    """Starts containers that end with the test."""
    containers: list[Container] = []

    def run(*options: str, data: str = "") -> Container:
        containers.append(Container(image, secrets, *options, data=data))
        return containers[-1]

    yield run
    for container in containers:
        container.remove()


@pytest.fixture(scope="module")
def calm(image: str, secrets: Path) -> Iterator[Container]:
    """One that is only looked at."""
    container = Container(image, secrets)
    container.until_healthy()
    yield container
    container.remove()


def test_it_is_small_labelled_not_roots_and_checked(image: str) -> None:
    told: dict[str, Any] = json.loads(docker("image", "inspect", image).stdout)[0]
    assert told["Size"] < BYTES
    labels = told["Config"]["Labels"]
    assert labels["org.opencontainers.image.licenses"] == "AGPL-3.0-only"
    assert {"title", "description", "version"} <= {name.rpartition(".")[2] for name in labels}
    assert told["Config"]["User"] == "redis" and told["Config"]["Healthcheck"]["Test"][-1] == "keeper.health"


def test_redis_is_the_child_of_init_without_root_or_any_right_and_writes_only_its_volume(calm: Container) -> None:
    assert calm.inside("id", "-u").stdout.strip() == "10002" and calm.inside("id", "-g").stdout.strip() == "10002"
    status = calm.inside("sh", "-c", "cat /proc/$(pidof redis-server)/status").stdout
    assert "PPid:\t1\n" in status and "CapEff:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
    for place in ("/x", "/opt/keeper/x", "/etc/redis/x", "/var/lib/redis/x"):
        assert calm.inside("touch", place, check=False).returncode == 1, place
    assert calm.inside("touch", "/data/x", "/run/redis/x", check=False).returncode == 0


def test_no_secret_is_in_what_docker_knows_in_an_environment_on_a_command_line_or_in_the_log(calm: Container) -> None:
    processes = calm.inside("sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'").stdout
    history = docker("history", "--no-trunc", IMAGE).stdout
    written = calm.inside("sh", "-c", "cat /run/redis/redis.conf /run/redis/users.acl").stdout
    told = json.dumps(calm.facts) + processes + calm.log() + history + written
    assert "redis-server" in processes and "user admin on #" in written
    for user, password in PASSWORDS.items():
        assert password not in told
        assert calm.redis(user, "PING") == "PONG"


def test_another_container_gets_in_with_a_password_only(start: Any, image: str) -> None:
    network = docker("network", "create", "--internal", f"outlast-redis-{os.urandom(3).hex()}").stdout.strip()
    try:
        container = start("--network", network)
        container.until_healthy()
        address = container.facts["NetworkSettings"]["Networks"]
        (host,) = [facts["IPAddress"] for facts in address.values()]
        ask = f"redis-cli -h {host} PING; REDISCLI_AUTH={PASSWORDS['worker']} redis-cli -h {host} --user worker PING"
        said = docker("run", "--rm", "--network", network, image, "sh", "-c", ask).stdout.split("\n")
        assert said[0].startswith("NOAUTH") and "PONG" in said
        container.remove()
    finally:
        docker("network", "rm", network)


def test_it_comes_back_by_itself_with_everything_after_its_first_process_was_killed(start: Any) -> None:
    container = start()
    container.until_healthy()
    assert container.redis("worker", "SET", "rq:kept", "yes") == "OK"
    first = container.first_process
    os.kill(first, signal.SIGKILL)
    while container.first_process in (0, first):
        pass
    container.until_healthy()
    assert container.redis("worker", "GET", "rq:kept") == "yes"
    assert container.facts["RestartCount"] == 1


def test_it_comes_back_when_redis_alone_is_killed(start: Any) -> None:
    container = start()
    container.until_healthy()
    first = container.first_process
    pid = next(int(pid) for pid in docker("top", container.name, "-o", "pid,comm").stdout.split() if pid.isdigit()
               and Path(f"/proc/{pid}/comm").read_text().strip() == "redis-server")  # fmt: skip
    os.kill(pid, signal.SIGKILL)
    while container.first_process in (0, first):
        pass
    assert container.until_healthy().startswith("Redis takes writes")


def test_a_stop_reaches_redis_which_leaves_cleanly(start: Any) -> None:
    container = start()
    container.until_healthy()
    docker("stop", "--time", "60", container.name)
    assert container.facts["State"]["ExitCode"] == 0 and "Redis is now ready to exit, bye bye" in container.log()


def test_a_torn_end_is_cut_off_and_kept_in_the_volume(start: Any) -> None:
    container = start()
    container.until_healthy()
    container.redis("worker", "SET", "rq:kept", "yes")
    docker("kill", container.name)
    container.on_the_volume("head -c 4096 /dev/zero | tee -a /data/appendonlydir/*.incr.aof >/dev/null")
    docker("start", container.name)
    container.until_healthy()
    assert container.redis("worker", "GET", "rq:kept") == "yes"
    assert "ended in 4096 torn bytes, as after a power cut" in container.log()
    assert container.inside("sh", "-c", "stat -c %s /data/cut/*").stdout.strip() == "4096"


def test_damage_stops_the_start_with_a_runbook_whose_commands_work(start: Any) -> None:
    container = start()
    container.until_healthy()
    for key in ("rq:one", "rq:two", "rq:three"):
        container.redis("worker", "SET", key, "x")
    docker("kill", container.name)
    container.on_the_volume("sed -i 's/rq:two/rq:too_long/' /data/appendonlydir/*.incr.aof")
    container.once()
    docker("start", container.name)
    code, said = container.until_ended()
    assert code == 4 and "and whole commands follow from byte" in said
    assert "docker compose run --rm redis python3 -m keeper.mend cut" in said
    assert "are kept in /data/cut/" in container.mend("cut").stdout
    docker("start", container.name)
    container.until_healthy()
    assert container.redis("worker", "EXISTS", "rq:one", "rq:two", "rq:three") == "1"


@pytest.mark.parametrize(
    ("options", "data", "code", "told"),
    [
        (("--memory", "80m"), "", 2, "REDIS_MEMORY=64mb does not fit a container of 80mb: give the container at least"),
        (("--env", "REDIS_MEMORY=2"), "", 2, "REDIS_MEMORY='2' is not a whole number with mb or gb after it"),
        (("--env", "KEEPER_SECRETS=/none"), "", 2, "the secret /none/redis_client cannot be read"),
        ((), "--tmpfs /data:size=16m,uid=10002,gid=10002,mode=0700", 3, "the disk that holds /data is full"),
        ((), "--tmpfs /data:mode=0755", 3, "chown -R 10002:10002"),
        ((), "--tmpfs /data:ro,uid=10002,gid=10002,mode=0700", 3, "/data is mounted read-only"),
    ],
    ids=("memory", "setting", "secrets", "full", "foreign", "read-only"),
)
def test_what_it_cannot_start_with_is_told_in_one_sentence(
    start: Any, options: tuple[str, ...], data: str, code: int, told: str
) -> None:
    container = start("--restart", "no", *options, data=data)
    ended, said = container.until_ended()
    assert ended == code and told in said and "Traceback" not in said
