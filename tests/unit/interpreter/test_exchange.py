"""A request that can be given up at any moment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from outlast.errors import Stopped
from outlast.interpreter.exchange import Exchange, Silent
from outlast.stop import StopSignal


def void(_: object) -> None:
    """For work that hands nothing over."""


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Set at the end of the test, for work that waits."""
    event = threading.Event()
    yield event
    event.set()


def test_items_come_in_order_and_then_none() -> None:
    def work(put: Callable[[int], None]) -> None:
        put(1)
        put(2)

    exchange: Exchange[int] = Exchange(work)
    assert [exchange.next(30), exchange.next(30), exchange.next(30)] == [1, 2, None]


def test_what_the_work_raises_is_raised_to_the_caller_after_the_items_before_it() -> None:
    def work(put: Callable[[int], None]) -> None:
        put(1)
        raise OSError("broke")

    exchange: Exchange[int] = Exchange(work)
    assert exchange.next(30) == 1
    with pytest.raises(OSError, match="broke"):
        exchange.next(30)


def test_silence_ends_the_wait(released: threading.Event) -> None:
    exchange: Exchange[int] = Exchange(lambda put: void(released.wait()))
    with pytest.raises(Silent):
        exchange.next(0.01)


def test_a_stop_counts_before_items_that_are_there() -> None:
    stop = StopSignal()
    exchange: Exchange[int] = Exchange(lambda put: put(1), stop)
    stop.set("drain")
    with pytest.raises(Stopped):
        exchange.next(30)
    exchange.hang_up()
    stop.close()


def test_a_connection_that_is_made_after_the_hang_up_is_shut_at_once(released: threading.Event) -> None:
    exchange: Exchange[int] = Exchange(lambda put: void(released.wait()))
    exchange.hang_up()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        stream = SimpleNamespace(get_extra_info=lambda name: ours if name == "socket" else None)
        exchange._traced("connection.connect_tcp.complete", {"return_value": stream})
        theirs.settimeout(30)
        assert theirs.recv(1) == b""


def test_hanging_up_twice_is_hanging_up() -> None:
    stop = StopSignal()
    exchange: Exchange[int] = Exchange(lambda put: put(1), stop)
    exchange.hang_up()
    exchange.hang_up()
    assert stop._callbacks == []
    stop.close()
