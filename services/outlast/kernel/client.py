"""One session's kernel as the attempt sees it.

    with Kernel.launch(workspace, settings, session=...) as kernel:
        kernel.ready(stop)
        kernel.restore(checkpoint, stop)
        kernel.run("python", "x = 1", cell=1, stop=stop, ...)
        kernel.save(1, stop)

Every wait is one poll over the kernel's sockets, the guardian's status pipe and the stop signal. After KernelDied
or Stopped the kernel is of no more use: close it.
"""

from __future__ import annotations

import math
import secrets
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import zmq

from ..errors import KernelDied, KernelUnusable, Stopped
from ..settings import Settings
from ..stop import StopSignal
from .artifacts import sweep_parts
from .cell import CellOutput
from .channel import Channel, Message, Unreadable
from .checkpoints import find_manifest, manifest_digest, names_with_reasons
from .guard import Guard
from .limits import Watch
from .processes import work
from .results import CellResult, Restored, Saved
from .workspace import Workspace

#: Seconds that a kernel has to answer once it may start.
_START_SECONDS = 60.0
#: Seconds that an interrupted cell has to end before its kernel is killed.
_INTERRUPT_SECONDS = 5.0
#: Seconds without a message after only one of the two ends of a request (reply, idle) has come.
_HALF_SECONDS = 30.0
#: Seconds between two looks at what the kernel's processes do.
_SAMPLE_SECONDS = 1.0
#: Messages taken between two looks at everything else.
_BATCH = 64

_SHELLS = frozenset({"shell", "bash", "sh"})
_LANGUAGES = {
    **dict.fromkeys(("python", "py", "python3", "ipython"), "python"),
    **dict.fromkeys(_SHELLS, "shell"),
    **dict.fromkeys(("javascript", "js", "node", "nodejs"), "javascript"),
}


@dataclass
class _Exchange:
    """A request and what has come back so far. It has ended when both the reply and the idle message are there."""

    request: str
    watch: Watch
    take: Callable[[str, dict[str, Any]], None] | None
    reply: dict[str, Any] | None = None
    is_idle: bool = False
    messages: int = 0
    heard_at: float = field(default_factory=time.monotonic)
    breach: str = ""
    kill_at: float = math.inf
    sample_at: float = 0.0
    stop_at: float = math.inf

    @property
    def has_ended(self) -> bool:
        return self.reply is not None and self.is_idle


class Kernel:
    """See the module's docstring; made by `launch`."""

    def __init__(self, workspace: Workspace, settings: Settings, runtime: Path, channel: Channel, guard: Guard) -> None:
        self._workspace = workspace
        self._settings = settings
        self._runtime = runtime
        self._channel = channel
        self._guard = guard
        self._kernel_pid = 0
        self._is_welcome = False
        self._poller = zmq.Poller()
        for source in (channel.iopub, channel.shell, guard.fileno()):
            self._poller.register(source, zmq.POLLIN)

    @classmethod
    def launch(cls, workspace: Workspace, settings: Settings, *, session: str) -> Self:
        """Start a guardian, which starts the kernel once it holds the workspace; returns at once."""
        runtime = settings.runtime_path / secrets.token_hex(4)
        try:
            runtime.mkdir(mode=0o700, parents=True)
            channel = Channel(runtime)
        except (OSError, ValueError) as error:
            shutil.rmtree(runtime, ignore_errors=True)
            raise KernelUnusable(
                f"No kernel for session {session}: {error}; set OUTLAST_RUNTIME_DIR to a short path of your own."
            ) from error
        try:
            guard = Guard(workspace, settings, session, runtime, channel.connection_file)
        except OSError as error:
            channel.close()
            shutil.rmtree(runtime, ignore_errors=True)
            raise KernelUnusable(f"No kernel for session {session}: its guardian did not start ({error}).") from error
        return cls(workspace, settings, runtime, channel, guard)

    @property
    def guardian_pid(self) -> int:
        """Process id of the guardian."""
        return self._guard.pid

    @property
    def kernel_pid(self) -> int:
        """Process id of the kernel; 0 until it has been started."""
        return self._kernel_pid

    # -- what an attempt does -------------------------------------------------------------------------------

    def ready(self, stop: StopSignal, on_wait: Callable[[str], None] | None = None) -> None:
        """Return once the guardian holds the workspace and the kernel answers.

        `on_wait` is told once if another kernel still holds the workspace; the wait for that has no limit.
        Raises Stopped, KernelUnusable.
        """
        deadline = math.inf
        try:
            exchange = self._request("kernel_info_request", {}, Watch(0, 0, 0))
            while not (self._is_welcome and exchange.reply is not None):
                if stop:
                    raise Stopped(stop.reason)
                for event in self._events_unless_dead("it started"):
                    if event["event"] == "waiting" and on_wait is not None:
                        on_wait(_HELD)
                    elif event["event"] == "locked":
                        sweep_parts(self._workspace.artifacts)
                        deadline = time.monotonic() + _START_SECONDS
                    elif event["event"] == "failed":
                        raise KernelUnusable(f"The kernel cannot start here: {event['reason']}.")
                self._receive(exchange)
                if time.monotonic() >= deadline:
                    raise KernelUnusable(f"The kernel did not answer within {_START_SECONDS:g} s of its start.")
                if not (self._is_welcome and exchange.reply is not None):
                    self._poll(stop, deadline)
        except KernelDied as died:
            raise KernelUnusable(
                f"{died.cause} OUTLAST_KERNEL_PYTHON ({self._settings.kernel_python_path}) must be a Python "
                "environment with the packages of the kernel."
            ) from died

    def run(
        self,
        language: str,
        code: str,
        *,
        cell: int,
        stop: StopSignal,
        on_output: Callable[[str], None],
        cell_timeout: float,
        cell_stall: float,
    ) -> CellResult:
        """Run one cell. `on_output` gets live text in batches; the limits are in seconds, 0 for none.

        Raises KernelDied when the kernel's process died or had to be killed, and Stopped when `stop` was set:
        for a drain after the grace that the settings give the cell to end, otherwise at once.
        """
        kind = _LANGUAGES.get(language.strip().lower())
        if kind is None:
            return CellResult("error", f"`{language[:50]}` is not supported here; use python, shell or javascript.")
        text = code.encode("utf-8", "replace").decode("utf-8")
        output = CellOutput(self._workspace, self._settings, cell, on_output)
        watch = Watch(time.monotonic(), cell_timeout, cell_stall)
        try:
            if kind == "python":
                content = {"code": text, "silent": False, "allow_stdin": False, "stop_on_error": False}
                exchange = self._request("execute_request", content, watch, output.take)
            else:
                content = {"language": kind, "code": text, "node": self._settings.node}
                exchange = self._request("outlast_run_request", content, watch, output.take)
            reply = self._complete(exchange, stop, f"cell {cell} ran", output)
        except KernelDied:
            output.discard(show=True)
            raise
        except BaseException:
            output.discard(show=False)
            raise
        output.say(_extra_text(reply))
        if exchange.breach:
            return output.finish("timeout", exchange.breach)
        return output.finish("ok" if reply.get("status") == "ok" else "error")

    def save(self, cell: int, stop: StopSignal) -> Saved:
        """Have the kernel write a checkpoint of its variables as of the end of `cell`. Raises KernelDied, Stopped."""
        watch = Watch(time.monotonic(), 0, self._settings.cell_stall)
        content = {"directory": str(self._workspace.checkpoints), "cell": cell}
        exchange = self._request("outlast_save_request", content, watch)
        reply = self._complete(exchange, stop, f"the variables of cell {cell} were saved")
        missing = names_with_reasons(reply.get("missing"))
        error = str(reply.get("error") or "")[:1000]
        if error:
            return Saved(missing=missing, error=error)
        try:
            return Saved(manifest_digest(self._workspace.checkpoints, reply.get("manifest")), missing)
        except (OSError, ValueError) as problem:
            return Saved(missing=missing, error=f"the checkpoint cannot be read back: {problem}")

    def restore(self, checkpoint: str, stop: StopSignal) -> Restored:
        """Load the variables of the checkpoint whose manifest has this SHA-256.

        What cannot be loaded, up to the whole checkpoint, is in `missing` (under `*` if it concerns no one name).
        Raises KernelDied, Stopped.
        """
        started = time.monotonic()
        manifest = find_manifest(self._workspace.checkpoints, checkpoint)
        if manifest is None:
            lost = f"the checkpoint {checkpoint[:12]} is not in the session's directory any more, or is damaged"
            return Restored(missing={"*": lost})
        watch = Watch(started, 0, self._settings.cell_stall)
        exchange = self._request("outlast_restore_request", {"manifest": str(manifest)}, watch)
        reply = self._complete(exchange, stop, "the variables were restored")
        missing = names_with_reasons(reply.get("missing"))
        if reply.get("error"):
            missing["*"] = str(reply["error"])[:1000]
        names = reply.get("restored")
        restored = tuple(str(name)[:200] for name in names[:100_000]) if isinstance(names, list) else ()
        return Restored(restored, missing, round(time.monotonic() - started, 3))

    def close(self) -> None:
        """Kill the whole tree and wait until nothing of it is left (bounded); idempotent."""
        self._guard.close()
        self._channel.close()
        shutil.rmtree(self._runtime, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- one request ----------------------------------------------------------------------------------------

    def _request(
        self,
        kind: str,
        content: dict[str, Any],
        watch: Watch,
        take: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> _Exchange:
        return _Exchange(self._channel.send(kind, content), watch, take)

    def _complete(
        self, exchange: _Exchange, stop: StopSignal, during: str, output: CellOutput | None = None
    ) -> dict[str, Any]:
        """The reply, once the request has ended; `during` says what was going on, for the cause of a death."""
        while True:
            self._receive(exchange)
            if exchange.reply is not None and exchange.is_idle:
                return exchange.reply
            now = time.monotonic()
            if output is not None:
                output.tick(now)
            self._heed_stop(exchange, stop, now)
            self._heed_limits(exchange, now)
            try:
                self._events_unless_dead(during)
            except KernelDied:
                self._receive(exchange)  # Its last output has arrived already.
                raise
            self._poll(None if exchange.stop_at < math.inf else stop, self._next(exchange, output, now))

    def _heed_stop(self, exchange: _Exchange, stop: StopSignal, now: float) -> None:
        if stop and exchange.stop_at == math.inf:
            exchange.stop_at = now + (self._settings.drain_grace if stop.reason == "drain" else 0.0)
        if now >= exchange.stop_at:
            raise Stopped(stop.reason)

    def _heed_limits(self, exchange: _Exchange, now: float) -> None:
        if exchange.breach:
            if now >= exchange.kill_at:
                self._guard.close()
                raise KernelDied(f"{exchange.breach} It did not react to being interrupted, so its kernel was killed.")
        elif (exchange.reply is not None or exchange.is_idle) and now >= exchange.heard_at + _HALF_SECONDS:
            self._guard.close()
            raise KernelDied("The kernel ended a cell without saying how (its messages broke off); it was killed.")
        else:
            if exchange.watch.needs_samples and now >= exchange.sample_at:
                exchange.watch.seen(now, exchange.messages, work(self._guard.pid))
                exchange.sample_at = now + min(_SAMPLE_SECONDS, self._settings.cell_stall / 4 or _SAMPLE_SECONDS)
            exchange.breach = exchange.watch.breach(now)
            if exchange.breach:
                exchange.kill_at = now + _INTERRUPT_SECONDS
                self._guard.interrupt()

    def _next(self, exchange: _Exchange, output: CellOutput | None, now: float) -> float:
        """When to look again although nothing has happened."""
        moments = [exchange.stop_at, exchange.kill_at]
        if not exchange.breach:
            if (limit := exchange.watch.wait(now)) is not None:
                moments.append(now + limit)
            if exchange.watch.needs_samples:
                moments.append(exchange.sample_at)
        if exchange.reply is not None or exchange.is_idle:
            moments.append(exchange.heard_at + _HALF_SECONDS)
        if output is not None and (live := output.wait(now)) is not None:
            moments.append(now + live)
        return min(moments)

    def _poll(self, stop: StopSignal | None, until: float) -> None:
        """Wait for a message, a status line, the stop signal (if given) or a moment of the monotonic clock."""
        if stop is not None:
            self._poller.register(stop.fileno(), zmq.POLLIN)
        try:
            left = until - time.monotonic()
            self._poller.poll(None if left == math.inf else math.ceil(max(0.0, left) * 1000))
        finally:
            if stop is not None:
                self._poller.unregister(stop.fileno())

    def _receive(self, exchange: _Exchange) -> None:
        """Take what has arrived, at most a batch."""
        try:
            for _ in range(_BATCH):
                message = self._channel.receive(self._channel.iopub)
                if message is None:
                    break
                self._take(exchange, message)
            while reply := self._channel.receive(self._channel.shell):
                if reply.parent == exchange.request:
                    exchange.reply, exchange.heard_at = reply.content, time.monotonic()
        except Unreadable as error:
            self._guard.close()
            raise KernelDied(f"The kernel sent something that is no message ({error}); it was killed.") from error

    def _take(self, exchange: _Exchange, message: Message) -> None:
        if message.kind == "iopub_welcome":
            self._is_welcome = True
        elif message.parent == exchange.request:
            # What belongs to another request is the late output of an earlier cell: showing it here would be wrong.
            exchange.messages += 1
            exchange.heard_at = time.monotonic()
            if message.kind == "status":
                exchange.is_idle = exchange.is_idle or message.content.get("execution_state") == "idle"
            elif exchange.take is not None:
                exchange.take(message.kind, message.content)

    def _events_unless_dead(self, during: str) -> list[dict[str, Any]]:
        """What the guardian has said. KernelDied if the kernel, or the guardian, has ended."""
        events = self._guard.events()
        for event in events:
            if event["event"] == "started":
                self._kernel_pid = event["pid"]
            elif event["event"] == "exit":
                raise KernelDied(_cause(event, during))
            elif event["event"] in ("lapsed", "gone"):
                raise KernelDied(f"The kernel was killed while {during}: {_GUARDIAN_GONE[event['event']]}.")
        return events


_HELD = "another kernel still holds the session's directory; waiting until its last process is gone"
_GUARDIAN_GONE = {
    "lapsed": "its worker had not given a sign of life for two leases",
    "gone": "its guardian has ended",
}


def _cause(event: dict[str, Any], during: str) -> str:
    """Why the kernel ended, as a sentence for the model."""
    if event["memory"]:
        return (
            f"The kernel's process was killed while {during}, because memory ran out. "
            "Use less of it: read the data in pieces, or keep fewer columns."
        )
    if event["signal"]:
        try:
            name = signal.Signals(event["signal"]).name
        except ValueError:
            name = f"signal {event['signal']}"
        reason = {
            "SIGKILL": " (most often because memory ran out)",
            "SIGSEGV": " (a crash in native code)",
            "SIGABRT": " (a library gave up)",
        }.get(name, "")
        return f"The kernel's process was ended by {name} while {during}{reason}."
    words = " ".join(event["words"].split())[-500:]
    return f"The kernel's process ended with exit status {event['status']} while {during}. {words}".rstrip()


def _extra_text(reply: dict[str, Any]) -> str:
    """What a reply wants shown besides: a program's end, a help page that IPython would open in a pager."""
    texts = [str(reply.get("message") or "")]
    payloads = reply.get("payload")
    for payload in payloads[:10] if isinstance(payloads, list) else ():
        data = payload.get("data") if isinstance(payload, dict) and payload.get("source") == "page" else None
        if isinstance(data, dict):
            texts.append(str(data.get("text/plain") or ""))
    return "\n".join(text for text in texts if text)
