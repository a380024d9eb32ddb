"""Ports for the servers of the tests."""

from __future__ import annotations

import random
import socket
from contextlib import suppress


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, nor is given while its owner is restarted.

    Linux gives ports from 32768 on to whoever asks for any, so one of those could be somebody else's afterwards.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("none of a hundred ports is free")
