"""The guard of conftest.py holds, and lets through what it should."""

from __future__ import annotations

import socket

import pytest

from tests import conftest
from tests.redis_server import RedisServer


@pytest.mark.parametrize("host", ["192.0.2.1", "example.invalid", "2001:db8::1"])
def test_a_host_that_is_not_this_one_is_refused_before_it_is_looked_up(host: str) -> None:
    with pytest.raises(PermissionError, match="may not leave this machine"):
        socket.create_connection((host, 443), timeout=1)
    assert conftest._refused
    conftest._refused.clear()


def test_the_loopback_interface_can_be_reached(redis_server: RedisServer) -> None:
    for host in ("127.0.0.1", "localhost"):
        with socket.create_connection((host, redis_server.port), timeout=10):
            pass
