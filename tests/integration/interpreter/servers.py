"""Servers that answer as no well-behaved model server does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Handle = Callable[["Exchange"], None]


class Exchange(BaseHTTPRequestHandler):
    """One request (`body`, `path`, `headers`) and the means to answer it badly."""

    body: dict[str, Any]

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.seen.append((self.path, headers, self.body))  # type: ignore[attr-defined]  # the server is ours, but typed as the library's base class
        self.server.handle_exchange(self)  # type: ignore[attr-defined]  # the server is ours, but typed as the library's base class

    def answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        headers.setdefault("Content-Type", "application/json")
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def begin(self) -> None:
        """The head of a stream that ends with the connection."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()

    def event(self, delta: dict[str, Any], finish: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        frame = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
        self.data(json.dumps(frame))

    def data(self, text: str) -> None:
        self.wfile.write(f"data: {text}\n\n".encode())

    def wait_for_hang_up(self) -> None:
        """Block until the client closes the connection."""
        self.connection.recv(1)

    def count(self, tokens: int) -> None:
        """A whole reply whose prompt had so many tokens."""
        choice = {"index": 0, "message": {"role": "assistant", "content": " 4"}, "finish_reason": "length"}
        usage = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
        frame = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
        self.answer(200, json.dumps({**frame, "usage": usage}).encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handle: Handle, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Exchange)
        self.handle_exchange = handle
        #: (path, headers by their names in lower case, body) of each request so far.
        self.seen: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients hang up here all the time."""


@contextmanager
def serving(handle: Handle) -> Iterator[Server]:
    server = Server(handle)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def closed_port() -> int:
    """A port that nobody listens on."""
    with Server(lambda _: None) as server:
        return int(server.server_address[1])
