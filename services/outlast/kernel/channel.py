"""The connection to a kernel: Jupyter's messages over Unix sockets. The only module that imports jupyter_client.

The kernel is hostile. A message that is larger than the limit makes zmq drop the connection, one that cannot be
decoded raises Unreadable, and nothing that arrives is believed to have the type that it should have.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path
from typing import Any, NamedTuple

import zmq
from jupyter_client.session import Session

from .sandbox.identity import Identity, sharing_with

#: Bytes of one message; the kernel's side keeps well below.
_MESSAGE_BYTES = 6 * 1024 * 1024
#: Messages that wait unread in the worker before the kernel has to wait: all of them may be that large.
_WAITING_MESSAGES = 6
#: Values of one message. Five megabytes of empty lists are small, but 600 MB and a second of nothing else once read.
_MOST_VALUES = 100_000
#: A text, ended or not: each is passed over once.
_TEXT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
#: Milliseconds between attempts to reach a kernel that is starting; each costs a failed connect(2).
_RETRY_MS = 10
#: Bytes of a Unix socket's path that the system takes.
_PATH_BYTES = 107
_PORTS = {"shell_port": 1, "iopub_port": 2, "stdin_port": 3, "control_port": 4, "hb_port": 5}


class Unreadable(Exception):
    """Something arrived that is no message."""


class Unreachable(Exception):
    """The kernel's end of the connection is gone, or takes nothing any more."""


def read(data: bytes) -> Any:
    """What the JSON text says; Unreadable, before anything is made of it, if that is too many values."""
    if _beginnings(data) > _MOST_VALUES:
        shape, texts = _TEXT.subn(b"", data, _MOST_VALUES)
        if texts == _MOST_VALUES or _beginnings(shape) > _MOST_VALUES:
            raise Unreadable("too many values")
    return json.loads(data)


def _beginnings(data: bytes) -> int:
    """How many values there are at most, texts of one value each."""
    return sum(map(data.count, b"[{,"))


class Message(NamedTuple):
    """A message: its type, the id of the request that it belongs to, and its content."""

    kind: str
    parent: str
    content: dict[str, Any]


class Channel:
    """The worker's end of one kernel's sockets, in a private directory."""

    def __init__(self, directory: Path, identity: Identity | None = None) -> None:
        self._address = str(directory / "k")
        if len(os.fsencode(self._address)) > _PATH_BYTES - len("-fork"):
            raise ValueError(f"{directory} is too long a path for a socket")
        key = secrets.token_hex(32)
        self.connection_file = directory / "connection.json"
        connection = {
            "transport": "ipc",
            "ip": self._address,
            "key": key,
            "signature_scheme": "hmac-sha256",
            **_PORTS,
        }
        if identity:
            # Before the first socket, whose thread connects with the rights that it was started with.
            os.setgroups([identity.gid])
        with sharing_with(identity):
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            descriptor = os.open(self.connection_file, flags, 0o640 if identity else 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(connection, file)
        self._session = Session(key=key.encode(), signature_scheme="hmac-sha256", username="outlast", unpack=read)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.shell = self._connect(zmq.DEALER, "shell_port")
        self.iopub = self._connect(zmq.SUB, "iopub_port")
        self.iopub.setsockopt(zmq.SUBSCRIBE, b"")

    def _connect(self, kind: int, port: str) -> zmq.Socket[bytes]:
        socket = self._context.socket(kind)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.MAXMSGSIZE, _MESSAGE_BYTES),
            (zmq.RCVHWM, _WAITING_MESSAGES),
            (zmq.RECONNECT_IVL, _RETRY_MS),
            # Until it is connected a socket queues; one whose kernel broke the protocol is never connected again.
            (zmq.SNDTIMEO, 0),
        ):
            socket.setsockopt(option, value)
        socket.connect(f"ipc://{self._address}-{_PORTS[port]}")
        return socket

    def send(self, kind: str, content: dict[str, Any]) -> str:
        """Send a request to the kernel's main thread, at once; its id. Unreachable if nobody takes it."""
        try:
            message = self._session.send(self.shell, kind, content)
        except zmq.Again:
            raise Unreachable from None
        return str(message["header"]["msg_id"]) if message else ""

    def receive(self, socket: zmq.Socket[bytes]) -> Message | None:
        """The next message that has arrived, or None. Unreadable if it is none."""
        try:
            _, message = self._session.recv(socket, mode=zmq.NOBLOCK)
        except Unreadable:
            raise
        except Exception as error:  # Whatever a hostile message makes of the decoder, RecursionError included.
            raise Unreadable(type(error).__name__) from None
        if message is None:
            return None
        header, parent, content = message.get("header"), message.get("parent_header"), message.get("content")
        if not (isinstance(header, dict) and isinstance(parent, dict) and isinstance(content, dict)):
            raise Unreadable("parts of the wrong type")
        return Message(str(header.get("msg_type")), str(parent.get("msg_id", "")), content)

    def close(self) -> None:
        """Close the sockets at once; idempotent."""
        self._context.destroy(linger=0)
