"""Everything that Redis may do but answer: each a function that begins it and returns what ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis

from tests.proxy import Proxy
from tests.redis_server import RedisServer

#: Seconds of the outage that lasts. What five minutes exceed in production is shorter here: two leases, the limit
#: between two tokens, the limit for a cell that stalls. Nothing else depends on how long an outage is.
LONG = 6.0


class Redises:
    """The Redis that workers know by one address, and its replica if it is to fail over."""

    def __init__(self, directory: Path) -> None:
        self._directories = [directory / "one", directory / "two"]
        for path in self._directories:
            path.mkdir(parents=True)
        self.primary, self.replica = (RedisServer(path) for path in self._directories)
        self._proxy = Proxy(self.primary.port)

    @property
    def url(self) -> str:
        """The address, which stays."""
        return f"redis://127.0.0.1:{self._proxy.port}/0"

    client_url = url

    @property
    def directory(self) -> Path:
        """Where the primary keeps its files."""
        return self.primary.directory

    def slow_down(self, seconds: float) -> None:
        """Have every answer come so much later."""
        self._proxy.delay = seconds

    @contextmanager
    def admin(self) -> Iterator[redis.Redis]:
        """The primary itself."""
        with redis.Redis(port=self.primary.port) as connection:
            yield connection

    def fail_over(self) -> None:
        """Have the replica take the primary's place and address; the primary lives on as its replica."""
        with self.admin() as old, redis.Redis(port=self.replica.port) as new:
            new.replicaof("127.0.0.1", str(self.primary.port))
            _until(lambda: new.info("replication")["master_link_status"] == "up")
            old.execute_command("FAILOVER")
            _until(lambda: new.info("replication")["role"] == "master")
            self.primary, self.replica = self.replica, self.primary
            self._proxy.upstream = self.primary.port

    def end(self) -> None:
        """Stop all of it."""
        self._proxy.__exit__()
        for server in (self.primary, self.replica):
            server.kill()


class OnSmallDisk(RedisServer):
    """A server whose disk has so few megabytes; OSError where this user may mount none."""

    def __init__(self, directory: Path, megabytes: int) -> None:
        directory.mkdir(parents=True)
        mount = f"mount -t tmpfs -o size={megabytes}m tmpfs '{directory}' && echo ready && exec sleep 600"
        self._holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._holder.stdout is not None
        said = self._holder.stdout.readline().strip()
        if said != "ready":
            self.end()
            raise OSError(said)
        #: The disk, which only its holder's processes see by its name.
        self.disk = Path(f"/proc/{self._holder.pid}/root{directory}")
        super().__init__(directory)

    def _command(self) -> list[str]:
        target = f"--target={self._holder.pid}"
        return ["nsenter", "--preserve-credentials", "--user", "--mount", target, *super()._command()]

    def fill(self) -> Path:
        """Leave no room on the disk; what takes it."""
        ballast = self.disk / "ballast"
        with suppress(OSError), ballast.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        return ballast

    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def end(self) -> None:
        """Take server and disk away."""
        if hasattr(self, "disk"):
            self.kill()
        self._holder.kill()
        self._holder.communicate()


End = Callable[[], None]
Begin = Callable[[Redises], End]


def killed(site: Redises) -> End:
    site.primary.kill()
    return site.primary.restart


def restarted(site: Redises) -> End:
    site.primary.stop()
    return site.primary.restart


def away(site: Redises) -> End:
    """Away for long; that is what is tested, so it is a matter of time."""
    site.primary.kill()

    def end() -> None:
        time.sleep(LONG)
        site.primary.restart()

    return end


def hung(site: Redises) -> End:
    """It takes connections and commands, and answers none."""
    pid = site.primary.pid
    os.kill(pid, signal.SIGSTOP)
    return lambda: os.kill(pid, signal.SIGCONT)


def full(site: Redises) -> End:
    with site.admin() as admin:
        admin.config_set("maxmemory", 1)

    def end() -> None:
        with site.admin() as admin:
            admin.config_set("maxmemory", 0)

    return end


def read_only(site: Redises) -> End:
    """No snapshot can be written, as on a full disk."""
    in_the_way = site.directory / "dump.rdb"
    in_the_way.unlink(missing_ok=True)  # A replica's, from which it began.
    in_the_way.mkdir()
    with site.admin() as admin:
        admin.config_set("save", "1000000 1")
        _snapshot(admin, "err")

    def end() -> None:
        in_the_way.rmdir()
        with site.admin() as admin:
            _snapshot(admin, "ok")
            admin.config_set("save", "")

    return end


def failed_over(site: Redises) -> End:
    """At once another server has the address, and open connections are left at the old one, which takes no writes."""
    site.fail_over()
    return lambda: None


#: What the worker's log says of each.
OUTAGES: dict[Begin, str] = {
    killed: "onnection",
    restarted: "onnection",
    away: "onnection",
    hung: "Timeout",
    full: "maxmemory",
    read_only: "MISCONF",
    failed_over: "read only replica",
}


def _snapshot(admin: redis.Redis, expected: str) -> None:
    _until(lambda: _begun(admin))
    _until(lambda: not admin.info("persistence")["rdb_bgsave_in_progress"])
    _until(lambda: admin.info("persistence")["rdb_last_bgsave_status"] == expected)


def _begun(admin: redis.Redis) -> bool:
    try:
        admin.bgsave()
    except redis.ResponseError:  # A replica is at its copy.
        return False
    return True


def _until(condition: Callable[[], Any]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)
