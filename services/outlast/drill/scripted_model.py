"""A server that plays a fixed script. It is not a model: nothing here reads, thinks or writes.

It speaks the OpenAI chat-completions protocol as vLLM does, on the loopback interface unless told otherwise, so
that a whole session can run without a GPU and be killed anywhere. The reply to a request is number *n* of the script,
where *n* is how many assistant messages the request holds, not counting one that is being continued: the
server keeps no state between requests, so a kill of anything changes no reply.

The script is a YAML file (or the same thing as a Python mapping, or a list of replies)::

    delay: 0.02            # seconds between two chunks (a chunk is a word, or a piece of a long one)
    continues: true        # whether a final assistant message is continued, as vLLM does
    tokenize: true         # whether POST /tokenize exists
    context_window: 32768  # tokens, prompt and reply together; more is answered 400 as by vLLM
    replies:
      - "a reply"
      - {text: "another", delay: 0.5}
    scripts:               # for conversations whose first user message begins with this word; else `replies`
      csv: ["another first reply", "its second"]
    faults:                # also added at run time with POST /control {"faults": [...]}
      - {kind: slow, seconds: 5}                 # late first token
      - {kind: cut, after: 3, reply: 2}          # stream cut after 3 chunks; `clean: true` ends it as if well
      - {kind: status, status: 429, retry_after: 1, times: 2}
      - {kind: length}                           # 400, the conversation is too long
      - {kind: hang}                             # accepts the request, never a token
      - {kind: stall, after: 3}                  # never another token after 3 chunks
      - {kind: garbage}                          # a line that is no JSON

A fault hits `times` requests (1 by default, null for ever), after letting `skip` pass; with `reply: n` only
requests for that reply count. Requests for a single token (`max_tokens: 1`, which clients send to probe the
server) meet a fault only if it says `probes: true`. After the script's last reply the answer is "Done.".

Also served: GET /health, /v1/models, /metrics, /control/requests (every chat request with its arrival time
and how it ended), POST /tokenize, /control ({"faults": […]}, {"clear": true}, {"set": {"delay": 0.1}}).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import yaml

NOT_A_MODEL = "This server plays a fixed script; it is not a model."
PAST_THE_END = "Done."

#: Of faults; the module's docstring says what each does.
KINDS = ("slow", "cut", "status", "length", "hang", "stall", "garbage")

_CHUNK = re.compile(r"\s*\S{1,12}|\s+")
_SPECIAL = re.compile(r"(<\|im_start\|>|<\|im_end\|>)")

Messages = list[dict[str, Any]]
#: What stands for a script in tests that need a reply to depend on the request.
Player = Callable[[Messages], str]
Script = str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any] | Player


def chunks(text: str) -> list[str]:
    """`text` in token-like pieces; joined they are `text` again."""
    return _CHUNK.findall(text)


def count_tokens(text: str) -> int:
    """Tokens of a rendered conversation: a special token is one, other text as many as it has chunks."""
    return sum(1 if _SPECIAL.fullmatch(part) else len(chunks(part)) for part in _SPECIAL.split(text) if part)


def render(messages: Messages, generation_prompt: bool, continue_final: bool) -> str:
    """The ChatML text that a real server would make of `messages`."""
    text = "".join(f"<|im_start|>{item['role']}\n{content(item)}<|im_end|>\n" for item in messages)
    if continue_final:
        text = text.removesuffix("<|im_end|>\n")
    return text + ("<|im_start|>assistant\n" if generation_prompt else "")


def content(message: Mapping[str, Any]) -> str:
    """A message's text, also where it is given in parts."""
    value = message.get("content") or ""
    return value if isinstance(value, str) else "".join(part.get("text", "") for part in value)


@dataclass
class Fault:
    """One planned misbehaviour; the module's docstring says what each field means."""

    kind: str
    times: int | None = 1
    skip: int = 0
    reply: int | None = None
    probes: bool = False
    seconds: float = 5.0
    after: int = 3
    clean: bool = False
    status: int = 500
    retry_after: float | None = None
    message: str = "scripted fault"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault {self.kind!r} is none of {', '.join(KINDS)}")

    def hits(self, index: int, probe: bool) -> bool:
        """Whether this request meets the fault; counts it if so."""
        if self.times == 0 or (self.reply is not None and self.reply != index) or (probe and not self.probes):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Arrival:
    """A chat request as it came. `end`: running, complete, closed by client, cut, hung, refused, stopped."""

    at: float
    reply: int
    continued: bool
    body: dict[str, Any]
    chunks: int = 0
    end: str = "running"


@dataclass
class Settings:
    """What the script says besides its replies; each may be changed while the server runs."""

    delay: float = 0.0
    continues: bool = True
    tokenize: bool = True
    context_window: int = 32768
    model: str = "scripted-model"


@dataclass
class _Reply:
    text: str
    delay: float | None = None


@dataclass
class _Play:
    """What a request gets: the text still to send and the counts that go with it."""

    index: int
    text: str
    delay: float
    prompt_tokens: int
    limit: int | None
    continued: bool
    pieces: list[str] = field(init=False)

    def __post_init__(self) -> None:
        everything = chunks(self.text)
        self.pieces = everything if self.limit is None else everything[: self.limit]
        self.finish = "stop" if len(self.pieces) == len(everything) else "length"

    def usage(self) -> dict[str, int]:
        completion = len(self.pieces)
        total = self.prompt_tokens + completion
        return {"prompt_tokens": self.prompt_tokens, "completion_tokens": completion, "total_tokens": total}


class ScriptedModel:
    """The server, in a thread of this process: `with ScriptedModel(["Hello."]) as model: model.url`.

    `options` are fields of `Settings` and win over the script's.
    """

    def __init__(
        self,
        script: Script,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Sequence[Mapping[str, Any]] = (),
        **options: Any,
    ) -> None:
        self._player: Player | None = None
        self._scripts: dict[str, list[_Reply]] = {}
        data: Mapping[str, Any]
        if callable(script):
            self._player, data = script, {}
        elif isinstance(script, str | os.PathLike):
            loaded = yaml.safe_load(Path(script).read_text(encoding="utf-8"))
            data = loaded if isinstance(loaded, Mapping) else {"replies": loaded}
        else:
            data = script if isinstance(script, Mapping) else {"replies": script}
        for name, replies in {**data.get("scripts", {}), "": data.get("replies", ())}.items():
            self._scripts[name] = [_Reply(reply) if isinstance(reply, str) else _Reply(**reply) for reply in replies]
        known = {name: data[name] for name in Settings.__dataclass_fields__ if name in data}
        self.settings = Settings(**{**known, **options})
        self._faults = [Fault(**fault) for fault in (*data.get("faults", ()), *faults)]
        self._changed = threading.Condition()
        self._arrivals: list[Arrival] = []
        self._listen((host, port))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def base(self) -> str:
        """The server's address without the API's path."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """What goes into `OUTLAST_MODEL_URL`."""
        return f"{self.base}/v1"

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies of all chat requests so far, oldest first."""
        return [arrival.body for arrival in self.arrivals]

    @property
    def arrivals(self) -> list[Arrival]:
        """All chat requests so far, with arrival times and how they ended."""
        with self._changed:
            return list(self._arrivals)

    def wait_for(self, holds: Callable[[list[Arrival]], bool], timeout: float = 30.0) -> list[Arrival]:
        """Block until `holds(arrivals)`; TimeoutError if it never does. Woken by every change, no polling."""
        with self._changed:
            if not self._changed.wait_for(lambda: holds(self._arrivals), timeout):
                raise TimeoutError(f"not within {timeout} s; so far {len(self._arrivals)} requests")
            return list(self._arrivals)

    def control(self, *faults: Mapping[str, Any], clear: bool = False, **settings: Any) -> None:
        """What POST /control does: add faults, drop the old ones, change settings."""
        planned = [Fault(**fault) for fault in faults]
        unknown = set(settings) - set(Settings.__dataclass_fields__)
        if unknown:
            raise ValueError(f"no such setting: {', '.join(sorted(unknown))}")
        with self._changed:
            self._faults = ([] if clear else self._faults) + planned
            for name, value in settings.items():
                setattr(self.settings, name, value)

    def _listen(self, address: tuple[str, int]) -> None:
        self._stop_read, self._stop_write = os.pipe()
        self._server = _Server(address, _Handler)
        self._server.model = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="scripted-model", daemon=True
        )

    def start(self) -> Self:
        self._thread.start()
        return self

    @contextmanager
    def away(self) -> Iterator[None]:
        """As while a server is restarted: every stream is cut, and nobody listens until the end of the block."""
        host, port = self._server.server_address[:2]
        self.stop()
        try:
            yield
        finally:
            self._listen((str(host), int(port)))
            self.start()

    def stop(self) -> None:
        """End every open stream and the server."""
        self._server.is_stopping = True
        os.write(self._stop_write, b"!")
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        os.close(self._stop_read)
        os.close(self._stop_write)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def play(self, body: dict[str, Any]) -> tuple[_Play, Arrival, Fault | None]:
        """Choose the reply to a request, and note the request."""
        messages: Messages = body["messages"]
        final = messages[-1] if messages else {}
        flags = bool(body.get("continue_final_message")) and not body.get("add_generation_prompt", True)
        continued = flags and self.settings.continues and final.get("role") == "assistant"
        index = sum(item["role"] == "assistant" for item in messages) - continued
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        reply = self._reply(index, messages)
        text = reply.text
        if continued:
            begun = content(final)
            # A real model goes on from any text; this one can only go on with what its script says.
            text = text[len(begun) :] if text.startswith(begun) else f" {PAST_THE_END}"
        generation = not self.settings.continues or body.get("add_generation_prompt", True)
        prompt = render(messages, generation, continued)
        delay = self.settings.delay if reply.delay is None else reply.delay
        arrival = Arrival(time.time(), index, continued, body)
        with self._changed:
            self._arrivals.append(arrival)
            fault = next((item for item in self._faults if item.hits(index, limit == 1)), None)
            self._changed.notify_all()
        return _Play(index, text, delay, count_tokens(prompt), limit, continued), arrival, fault

    def note(self, arrival: Arrival, end: str = "running", sent: int = 0) -> None:
        """Record how far a reply got; wakes `wait_for`."""
        with self._changed:
            arrival.end = end
            arrival.chunks += sent
            self._changed.notify_all()

    def _reply(self, index: int, messages: Messages) -> _Reply:
        if self._player:
            return _Reply(self._player(messages))
        first = next((content(message) for message in messages if message["role"] == "user"), "")
        replies = self._scripts.get(first.partition(" ")[0] or "", self._scripts[""])
        return replies[index] if index < len(replies) else _Reply(PAST_THE_END)


class _Gone(Exception):
    """The client closed the connection, or the server is stopping."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Several tests, each with its own server, connect at once.
    request_queue_size = 128
    model: ScriptedModel
    #: A stream that has not noticed it by the end of the next pause ends there.
    is_stopping = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients are killed in the middle of everything here: a broken connection is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "scripted-model"
    # Small writes must leave at once, or each chunk waits 40 ms for an acknowledgement.
    disable_nagle_algorithm = True
    server: _Server
    connection: socket.socket

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what was asked is in /control/requests."""

    def do_GET(self) -> None:
        model = self.server.model
        if self.path == "/health":
            self._json(200, {})
        elif self.path == "/v1/models":
            entry = {
                "id": model.settings.model,
                "object": "model",
                "owned_by": "a fixed script",
                "description": NOT_A_MODEL,
                "max_model_len": model.settings.context_window,
            }
            self._json(200, {"object": "list", "data": [entry]})
        elif self.path == "/control/requests":
            self._json(200, [asdict(arrival) for arrival in model.arrivals])
        elif self.path == "/metrics":
            tokens = sum(arrival.chunks for arrival in model.arrivals)
            text = f"# {NOT_A_MODEL}\nvllm:iteration_tokens_total_count {tokens}\n"
            self._answer(200, text.encode(), "text/plain")
        else:
            self._error(404, f"no {self.path} here. {NOT_A_MODEL}")

    def do_POST(self) -> None:
        model = self.server.model
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw)
            if self.path == "/v1/chat/completions":
                self._chat(body)
            elif self.path in ("/tokenize", "/v1/tokenize") and model.settings.tokenize:
                self._tokenize(body)
            elif self.path == "/control":
                model.control(*body.get("faults", ()), clear=body.get("clear", False), **body.get("set", {}))
                self._json(200, {"faults": len(model._faults)})
            else:
                self._error(404, f"no {self.path} here. {NOT_A_MODEL}")
        except (ValueError, TypeError, KeyError) as mistake:
            self._error(400, f"{type(mistake).__name__}: {mistake}")

    def _tokenize(self, body: dict[str, Any]) -> None:
        if "messages" in body:
            continued = bool(body.get("continue_final_message"))
            text = render(body["messages"], body.get("add_generation_prompt", True), continued)
        else:
            text = body["prompt"]
        count = count_tokens(text)
        window = self.server.model.settings.context_window
        self._json(200, {"count": count, "max_model_len": window, "tokens": list(range(count))})

    def _chat(self, body: dict[str, Any]) -> None:
        model = self.server.model
        play, arrival, fault = model.play(body)
        window = model.settings.context_window
        kind = fault.kind if fault else ""
        try:
            if kind == "status" and fault:
                extra = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
                model.note(arrival, "refused")
                self._error(fault.status, fault.message, extra)
            elif kind == "length" or play.prompt_tokens + (play.limit or 1) > window:
                model.note(arrival, "refused")
                self._error(
                    400,
                    f"This model's maximum context length is {window} tokens. However, you requested "
                    f"{play.prompt_tokens + (play.limit or 0)} tokens ({play.prompt_tokens} in the messages, "
                    f"{play.limit or 0} in the completion). Please reduce the length of the messages or completion.",
                )
            else:
                if kind == "hang":
                    model.note(arrival, "hung")
                    self._pause(None)
                if kind == "slow" and fault:
                    self._pause(fault.seconds)
                if body.get("stream"):
                    self._stream(body, play, arrival, fault)
                else:
                    self._whole(play, arrival)
        except (_Gone, OSError):
            if arrival.end == "running":
                model.note(arrival, "closed by client")
            self.close_connection = True

    def _whole(self, play: _Play, arrival: Arrival) -> None:
        for _ in play.pieces:
            self._pause(play.delay)
        self.server.model.note(arrival, "complete", len(play.pieces))
        message = {"role": "assistant", "content": "".join(play.pieces)}
        choice = {"index": 0, "message": message, "finish_reason": play.finish}
        self._json(200, {**self._frame("chat.completion"), "choices": [choice], "usage": play.usage()})

    def _stream(self, body: dict[str, Any], play: _Play, arrival: Arrival, fault: Fault | None) -> None:
        model = self.server.model
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event({"role": "assistant", "content": ""}, None)
        for number, piece in enumerate(play.pieces):
            if fault and fault.kind in ("cut", "garbage") and number >= fault.after:
                break
            if fault and fault.kind == "stall" and number >= fault.after:
                model.note(arrival, "hung")
                self._pause(None)
            self._pause(play.delay)
            # Counted before it is sent, so that whoever has seen a chunk finds it counted.
            model.note(arrival, sent=1)
            self._event({"content": piece}, None)
        if fault and fault.kind == "garbage":
            self._data("{this is not JSON")
        if fault and fault.kind in ("cut", "garbage"):
            model.note(arrival, "cut")
            self.close_connection = True
            if fault.clean:
                self._raw(b"")
            return
        self._event({}, play.finish)
        if (body.get("stream_options") or {}).get("include_usage"):
            self._data(json.dumps({**self._frame("chat.completion.chunk"), "choices": [], "usage": play.usage()}))
        model.note(arrival, "complete")
        self._data("[DONE]")
        self._raw(b"")

    def _event(self, delta: dict[str, Any], finish: str | None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        self._data(json.dumps({**self._frame("chat.completion.chunk"), "choices": [choice]}))

    def _frame(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-script", "object": kind, "created": 0, "model": self.server.model.settings.model}

    def _data(self, text: str) -> None:
        self._raw(f"data: {text}\n\n".encode())

    def _raw(self, part: bytes) -> None:
        """One chunk of the response's body; the empty one ends it."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))

    def _pause(self, seconds: float | None) -> None:
        """Wait (None: for ever); `_Gone` as soon as the client hangs up or the server stops."""
        if self.server.is_stopping:
            raise _Gone
        stopping = self.server.model._stop_read
        watched: list[socket.socket | int] = [self.connection, stopping]
        deadline = None if seconds is None else time.monotonic() + seconds
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = select.select(watched, [], [], left)[0]
            if stopping in ready or (ready and not self.connection.recv(1, socket.MSG_PEEK)):
                raise _Gone
            if not ready:
                return
            # A next request waits behind this one; only the deadline and the stop matter now.
            watched = [stopping]

    def _error(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        kind = {400: "BadRequestError", 404: "NotFoundError", 429: "RateLimitError"}.get(status, "InternalServerError")
        error = {"message": message, "type": kind, "param": None, "code": status}
        self._json(status, {"error": error}, headers)

    def _json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        self._answer(status, json.dumps(value).encode(), "application/json", headers)

    def _answer(self, status: int, raw: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(raw)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=f"{NOT_A_MODEL} It speaks the OpenAI chat API.")
    parser.add_argument("script", type=Path, help="YAML file with the replies (its form: see the top of this file)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument("--port", type=int, default=0, help="0 (default): any free port")
    parser.add_argument("--port-file", type=Path, help="file that the port is written to once the server listens")
    parser.add_argument("--delay", type=float, help="seconds between two chunks, instead of the script's")
    parser.add_argument("--no-continue", action="store_true", help="start a reply over instead of continuing it")
    parser.add_argument("--no-tokenize", action="store_true", help="no /tokenize")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT."""
    given = _arguments().parse_args(argv)
    options: dict[str, Any] = {} if given.delay is None else {"delay": given.delay}
    if given.no_continue:
        options["continues"] = False
    if given.no_tokenize:
        options["tokenize"] = False
    return serve(given.script, host=given.host, port=given.port, port_file=given.port_file, **options)


def serve(script: Script, *, host: str, port: int, port_file: Path | None = None, **options: Any) -> int:
    """Serve until SIGTERM or SIGINT; an exit code. Call it before any thread is started."""
    # Blocked before any thread starts, so that only `sigwait` below ever sees them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    with ScriptedModel(script, host=host, port=port, **options) as model:
        if port_file:
            # Renamed into place: whoever sees the file sees a whole number in it.
            partial = port_file.with_suffix(".partial")
            partial.write_text(str(model.port), encoding="ascii")
            partial.replace(port_file)
        print(f"{NOT_A_MODEL} Listening on {model.url}", flush=True)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
