"""A Redis as its container runs it, without the container: started by the keeper, with users and passwords."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import redis

from tests.redis_server import START_SECONDS, RedisServer

ROOT = Path(__file__).parent.parent

#: By user; nothing here guards anything.
PASSWORDS = {name: f"{name}-of-the-tests-0123456789" for name in ("client", "worker", "admin")}


class KeptRedis(RedisServer):
    """`url` is the worker's address, `client_url` the client's, `admin_url` the administrator's."""

    def __init__(self, directory: Path, *, memory: str = "64mb") -> None:
        self.data, self.runtime, self.secrets = directory / "data", directory / "run", directory / "secrets"
        self._memory = memory
        for path in (self.data, self.runtime, self.secrets):
            path.mkdir(parents=True, exist_ok=True)
        for name, password in PASSWORDS.items():
            (self.secrets / f"redis_{name}").write_text(password + "\n")
        super().__init__(directory)

    def url_of(self, user: str) -> str:
        """The address with that user's name and password."""
        return f"redis://{user}:{PASSWORDS[user]}@127.0.0.1:{self.port}/0"

    @property
    def url(self) -> str:
        return self.url_of("worker")

    @property
    def client_url(self) -> str:
        return self.url_of("client")

    @property
    def admin_url(self) -> str:
        return self.url_of("admin")

    @property
    def health_url(self) -> str:
        """The address of the health check's user, whose password the keeper makes anew at each start."""
        return f"redis://health:{(self.runtime / 'health').read_text()}@127.0.0.1:{self.port}/0"

    @property
    def environment(self) -> dict[str, str]:
        """What the keeper is started with."""
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "services/redis"),
            "REDIS_MEMORY": self._memory,
            "KEEPER_DATA": str(self.data),
            "KEEPER_RUNTIME": str(self.runtime),
            "KEEPER_SECRETS": str(self.secrets),
            "KEEPER_BIND": "127.0.0.1",
            "KEEPER_PORT": str(self.port),
        }

    def keeper(self, *arguments: str, module: str = "keeper") -> subprocess.CompletedProcess[str]:
        """Run a module of the keeper to its end, beside the server or while it is down."""
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def log_text(self) -> str:
        """What the keeper and the server have logged so far."""
        return (self._directory / "redis.log").read_text(errors="replace")

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "keeper"]

    def _environment(self) -> dict[str, str] | None:
        return self.environment

    def _look(self) -> redis.Redis:
        return redis.Redis.from_url(self.admin_url, socket_timeout=START_SECONDS)
