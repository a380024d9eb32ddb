"""What every test may rely on.

No setting of the person who runs the tests reaches them: `OUTLAST_*` and `RQ_REDIS_URL` are taken out of the
environment before anything is imported. Nothing is reached but the loopback interface: a test that tries, or whose
code tries and swallows the refusal, fails.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, settings

from tests.dependencies import missing
from tests.redis_server import NoServer, RedisServer

ROOT = Path(__file__).parent.parent

_given = {
    name: os.environ.pop(name) for name in list(os.environ) if name.startswith("OUTLAST_") or name == "RQ_REDIS_URL"
}

# A shell starts its background jobs with these two ignored, and so would all be that the tests start.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

# A busy machine may be slow at any example: nothing here is bounded by time, and nothing fails of it.
settings.register_profile("outlast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("outlast")

#: What the guard refused since the current test began: (event, address).
_refused: list[tuple[str, str]] = []


def _is_local(address: Any) -> bool:
    """Whether a socket address stays on this machine: a Unix path, or a loopback host."""
    if not isinstance(address, tuple):
        return True
    host = address[0]
    if host in ("localhost", b"localhost", "", None):
        return True
    try:
        return ipaddress.ip_address(host if isinstance(host, str) else host.decode()).is_loopback
    except ValueError:
        return False


def _closed_network(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: refuse to look up or reach any host but this one. It holds in forked children too."""
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
    elif event == "socket.getaddrinfo":
        address = (arguments[0],)
    else:
        return
    if not _is_local(address):
        _refused.append((event, str(address)))
        raise PermissionError(f"the tests may not leave this machine: {event} {address}")


sys.addaudithook(_closed_network)


@pytest.fixture(autouse=True)
def _nothing_left_the_machine() -> Iterator[None]:
    _refused.clear()
    yield
    assert not _refused, f"this test tried to leave the machine: {_refused}"


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The server that all tests share; one that kills its server takes `private_redis` instead."""
    server = _started(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The address of an empty Redis. No script is known to it either, or tests would depend on the ones before them."""
    with redis.Redis.from_url(redis_server.url) as connection:
        connection.flushall()
        connection.script_flush()
    return redis_server.url


@pytest.fixture
def connection(redis_url: str) -> Iterator[redis.Redis]:
    """A client of an empty Redis; replies are bytes."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def private_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], RedisServer]]:
    """Makes servers that the test may kill and restart; they end with the test."""
    servers: list[RedisServer] = []

    def start() -> RedisServer:
        servers.append(_started(tmp_path_factory.mktemp("private-redis")))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


def _started(directory: Path) -> RedisServer:
    try:
        return RedisServer(directory)
    except NoServer as reason:
        missing(str(reason))


@pytest.fixture(scope="session")
def kernel_python() -> Path:
    """The Python of the kernels' own environment: `OUTLAST_TEST_KERNEL_PYTHON`, else `.venv-kernel` (`make venv`)."""
    given = _given.get("OUTLAST_TEST_KERNEL_PYTHON")
    candidates = (
        [Path(given)] if given else [base / ".venv-kernel/bin/python" for base in (Path(sys.prefix).parent, ROOT)]
    )
    for candidate in candidates:
        if candidate.exists():
            return candidate
    missing(f"no environment for kernels at {candidates[0]}: run `make venv`")
