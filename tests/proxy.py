"""A TCP proxy of the loopback interface: the address of a server that may be replaced, slow, or cut off."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Self


class Proxy:
    """`with Proxy(port) as proxy:`; `upstream` and `delay` may be changed at any time.

    A new `upstream` is for new connections: those that are open stay where they are, as after a change of a name's
    address. `delay` is the seconds by which each answer comes late.
    """

    def __init__(self, upstream: int, host: str = "127.0.0.1") -> None:
        self.upstream, self.delay = upstream, 0.0
        self._listener = socket.create_server((host, 0))
        self.host, self.port = host, int(self._listener.getsockname()[1])
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _shut(self._listener)
        for connection in list(self._open):
            _shut(connection)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self.upstream))
                except OSError:
                    _shut(client)
                    continue
                self._open |= {client, server}
                for source, target, is_answer in ((client, server, False), (server, client, True)):
                    threading.Thread(target=self._pass_on, args=(source, target, is_answer), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if is_answer and self.delay:
                    time.sleep(self.delay)
                target.sendall(data)
        _shut(source)
        _shut(target)
        self._open -= {source, target}


def _shut(connection: socket.socket) -> None:
    """Close it for whoever waits for it, too."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
