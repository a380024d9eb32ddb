"""A request to a kernel and all that may come of it: messages, a reply, a limit, a stop, a death.

Every wait is one poll over the kernel's sockets, the guardian's status pipe and the stop signal.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import zmq

from ..errors import KernelDied, Stopped
from ..stop import StopSignal
from .causes import Cause, cause_of_death
from .cell import CellOutput
from .channel import Channel, Message, Unreachable, Unreadable
from .guard import Guard
from .limits import Watch
from .processes import work
from .sandbox.identity import Identity, acting_as

#: Seconds that an interrupted cell has to end before its kernel is killed.
_INTERRUPT_SECONDS = 5.0
#: Seconds without a message after only one of the two ends of a request (reply, idle) has come.
_HALF_SECONDS = 30.0
#: Messages taken between two looks at everything else, and seconds after which no more are: some take long to read.
_BATCH, _BATCH_SECONDS = 64, 0.05


@dataclass
class Exchange:
    """A request and what has come back so far. It has ended when both the reply and the idle message are there."""

    request: str
    watch: Watch
    output: CellOutput | None = None
    #: It gets the drain's grace whatever the reason of a stop, unless the session is somebody else's by then.
    is_patient: bool = False
    reply: dict[str, Any] | None = None
    is_idle: bool = False
    #: Why it was interrupted, if a limit was reached.
    breach: Cause | None = None
    messages: int = 0
    heard_at: float = field(default_factory=time.monotonic)
    sample_at: float = 0.0
    kill_at: float = math.inf
    stop_at: float = math.inf

    @property
    def is_half_done(self) -> bool:
        """Whether one of the two ends is still missing."""
        return self.is_idle != (self.reply is not None)

    def held_up(self, seconds: float) -> None:
        """For so long nobody has listened: it counts towards no limit, and what is awaited may have come meanwhile."""
        self.watch.held_up(seconds)
        self.heard_at += seconds
        self.kill_at += seconds

    def next_look(self, now: float) -> float:
        """When there will be something to do although nothing has happened."""
        moments = [self.stop_at, self.kill_at]
        if not self.breach:
            moments.append(now + self.watch.wait(now))
            if self.watch.sample_seconds:
                moments.append(self.sample_at)
        if self.is_half_done:
            moments.append(self.heard_at + _HALF_SECONDS)
        if self.output is not None and (live := self.output.wait(now)) is not None:
            moments.append(now + live)
        return min(moments)


class Exchanges:
    """The exchanges with one kernel, one after the other; what belongs to an earlier one is dropped."""

    def __init__(
        self, channel: Channel, guard: Guard, drain_grace: float, identity: Identity | None = None
    ) -> None:
        self._channel = channel
        self._identity = identity
        self._guard = guard
        self._drain_grace = drain_grace
        self._poller = zmq.Poller()
        for source in (channel.iopub, channel.shell, guard.fileno()):
            self._poller.register(source, zmq.POLLIN)
        #: Whether the kernel has seen our subscription, so that no message can be missed from now on.
        self.is_subscribed = False
        #: Process id of the kernel; 0 until the guardian has started it.
        self.kernel_pid = 0

    def begin(
        self,
        kind: str,
        content: dict[str, Any],
        watch: Watch,
        output: CellOutput | None = None,
        *,
        is_patient: bool = False,
    ) -> Exchange:
        """Send a request. KernelDied if the kernel takes none."""
        try:
            request = self._channel.send(kind, content)
        except Unreachable:
            self._guard.close()
            raise KernelDied("The kernel broke off the connection; it was killed.", by="messages") from None
        return Exchange(request, watch, output, is_patient)

    def complete(self, exchange: Exchange, stop: StopSignal, during: str) -> dict[str, Any]:
        """The reply, once the request has ended; `during` says what is going on, for the cause of a death.

        Raises KernelDied, and Stopped at once or, for a drain or a patient exchange, after the drain's grace.
        """
        reply = self.complete_by(math.inf, exchange, stop, during)
        assert reply is not None
        return reply

    def complete_by(self, moment: float, exchange: Exchange, stop: StopSignal, during: str) -> dict[str, Any] | None:
        """As `complete`, but None if the request has not ended by then; another call, or thread, may go on with it."""
        while True:
            self.receive(exchange)
            if exchange.reply is not None and exchange.is_idle:
                return exchange.reply
            now = time.monotonic()
            if now >= moment:
                return None
            if exchange.output is not None:
                exchange.output.tick(now)  # Not over before the output is logged, which may have to wait for Redis.
                before, now = now, time.monotonic()
                exchange.held_up(now - before)
            self._heed_stop(exchange, stop, now)
            self._heed_limits(exchange, now)
            try:
                events = self.events(during)
            except KernelDied:
                self.receive(exchange)  # Its last output has arrived already.
                raise
            for event in events:
                # Said just as its cell ended by itself, it is no business of the next one.
                if event["event"] == "over" and event["span"] == self._guard.span and not exchange.breach:
                    self._interrupt(exchange, Cause("disk", f"The cell was stopped: {event['reason']}."), now)
            self.wait(None if exchange.stop_at < math.inf else stop, min(moment, exchange.next_look(now)))

    def wait(self, stop: StopSignal | None, until: float) -> None:
        """Wait for a message, a status line, the stop signal (if given) or a moment of the monotonic clock."""
        if stop is not None:
            self._poller.register(stop.fileno(), zmq.POLLIN)
        try:
            left = until - time.monotonic()
            self._poller.poll(None if left == math.inf else math.ceil(max(0.0, left) * 1000))
        finally:
            if stop is not None:
                self._poller.unregister(stop.fileno())

    def receive(self, exchange: Exchange) -> None:
        """Take what has arrived, at most a batch."""
        try:
            for message in self._arrived(self._channel.iopub):
                self._take(exchange, message)
            for reply in self._arrived(self._channel.shell):
                if reply.parent == exchange.request:
                    exchange.reply, exchange.heard_at = reply.content, time.monotonic()
        except Unreadable as error:
            self._guard.close()
            said = f"The kernel sent something that is no message ({error}); it was killed."
            raise KernelDied(said, by="messages") from error

    def _arrived(self, socket: zmq.Socket[bytes]) -> Iterator[Message]:
        until = time.monotonic() + _BATCH_SECONDS
        for _ in range(_BATCH):
            message = self._channel.receive(socket)
            if message is None:
                return
            yield message
            if time.monotonic() >= until:
                return

    def events(self, during: str) -> list[dict[str, Any]]:
        """What the guardian has said. KernelDied if the kernel, or the guardian, has ended."""
        events = self._guard.events()
        for event in events:
            if event["event"] == "started":
                self.kernel_pid = event["pid"]
            elif cause := cause_of_death(event, during):
                by_cell = event["event"] == "exit" and not event.get("over")
                raise KernelDied(cause.says, by=cause.by, by_cell=by_cell)
        return events

    def _take(self, exchange: Exchange, message: Message) -> None:
        if message.kind == "iopub_welcome":
            self.is_subscribed = True
        elif message.parent == exchange.request:
            # What belongs to another request is the late output of an earlier cell: showing it here would be wrong.
            exchange.messages += 1
            exchange.heard_at = time.monotonic()
            if message.kind == "status":
                exchange.is_idle = exchange.is_idle or message.content.get("execution_state") == "idle"
            elif exchange.output is not None:
                exchange.output.take(message.kind, message.content)

    def _heed_stop(self, exchange: Exchange, stop: StopSignal, now: float) -> None:
        if stop and exchange.stop_at == math.inf:
            has_grace = stop.reason == "drain" or (exchange.is_patient and stop.reason != "fenced")
            exchange.stop_at = now + (self._drain_grace if has_grace else 0.0)
        if now >= exchange.stop_at:
            raise Stopped(stop.reason)

    def _heed_limits(self, exchange: Exchange, now: float) -> None:
        watch = exchange.watch
        if exchange.breach:
            if now >= exchange.kill_at:
                self._guard.close()
                deaf = "It did not react to being interrupted, so its kernel was killed."
                raise KernelDied(f"{exchange.breach.says} {deaf}", by="deaf")
        elif exchange.is_half_done and now >= exchange.heard_at + _HALF_SECONDS:
            self._guard.close()
            broke_off = "The kernel's messages broke off at the end of a request; it was killed."
            raise KernelDied(broke_off, by="messages")
        else:
            if watch.sample_seconds and now >= exchange.sample_at:
                with acting_as(self._identity):
                    done = work(self._guard.pid)
                watch.seen(now, exchange.messages, done)
                exchange.sample_at = now + watch.sample_seconds
            if breach := watch.breach(now):
                self._interrupt(exchange, breach, now)

    def _interrupt(self, exchange: Exchange, breach: Cause, now: float) -> None:
        exchange.breach, exchange.kill_at = breach, now + _INTERRUPT_SECONDS
        self._guard.interrupt()
