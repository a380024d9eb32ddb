"""Standard output and error of the kernel, and of its forked and started children, as bounded messages.

What differs from ipykernel's own: a message has at most 64 Ki characters; a cell that prints faster than the
worker reads is slowed down instead of filling memory; what a child wrote to the descriptor (`subprocess.run`)
is sent before the cell's end is, not some time after it; UTF-8 is not torn at the edges of a read; and the
pipe for forked children is a Unix socket, not a TCP port (a sandbox without a network would lose their output).
"""

from __future__ import annotations

import codecs
import os
import select
import threading
import time
from typing import Any

import zmq
from ipykernel.iostream import IOPubThread, OutStream
from zmq.eventloop.zmqstream import ZMQStream

from .session import encodable

#: Characters of one stream message.
PIECE_CHARS = 64 * 1024
#: Characters that may wait to be sent; a write beyond them waits.
WAITING_CHARS = 1024 * 1024
#: Seconds between two looks at what children have written; none starts, prints and ends faster.
LOOK_SECONDS = 0.0005


class ForkPipeThread(IOPubThread):
    """Sends the kernel's messages; takes those of forked children over a Unix socket at `address`."""

    def __init__(self, socket: Any, address: str, session: Any) -> None:
        self._fork_address = address
        super().__init__(socket, pipe=True, session=session)

    def _setup_pipe_in(self) -> None:
        # As in the base class, but for the address.
        self._pipe_uuid = os.urandom(16)
        pipe_in = self.socket.context.socket(zmq.PULL)
        pipe_in.linger = 0
        pipe_in.bind(self._fork_address)
        self._pipe_in = ZMQStream(pipe_in, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def _setup_pipe_out(self) -> Any:
        context = zmq.Context()
        pipe_out = context.socket(zmq.PUSH)
        pipe_out.linger = 3000
        pipe_out.connect(self._fork_address)
        return context, pipe_out


class BoundedStream(OutStream):
    """`sys.stdout` or `sys.stderr` of the cells."""

    _waiting = 0
    _look_at = 0.0
    _source_lock: threading.Lock | None = None

    def write(self, string: str) -> int:
        """Buffer `string`; wait for the sending thread when too much is waiting."""
        if len(string) > PIECE_CHARS:
            for start in range(0, len(string), PIECE_CHARS):
                self.write(string[start : start + PIECE_CHARS])
            return len(string)
        now = time.monotonic()
        if now >= self._look_at and self._source_lock is not None and os.getpid() == self._master_pid:
            self._look_at = now + LOOK_SECONDS
            self._forward()  # What a child has printed comes before what is printed after it.
        written = super().write(string)
        self._waiting += len(string)
        if self._waiting >= WAITING_CHARS:
            self.flush()
        return written or len(string)

    def _flush_buffers(self) -> Any:
        self._waiting = 0
        for parent, data in super()._flush_buffers():
            for start in range(0, len(data), PIECE_CHARS):
                yield parent, encodable(data[start : start + PIECE_CHARS])

    def _watch_pipe_fd(self) -> None:
        """Forward what is written to the descriptor itself, by C code and by child processes."""
        os.set_blocking(self._fid, False)
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        poll = select.poll()
        poll.register(self._fid, select.POLLIN)
        self._source_lock = threading.Lock()
        while self._should_watch:
            poll.poll()
            self._forward()

    def _forward(self) -> bool:
        """Write what the pipe holds now to this stream; False when it was empty."""
        assert self._source_lock is not None
        with self._source_lock:
            try:
                data = os.read(self._fid, PIECE_CHARS)
            except BlockingIOError:
                return False
            if data:
                super().write(self._decoder.decode(data))
            return bool(data)

    def drain(self) -> None:
        """Forward what is in the pipe already; a child that goes on writing cannot hold this up for long."""
        if self._source_lock is not None:
            for _ in range(16):  # A pipe holds 64 KiB, unless somebody made it larger.
                if not self._forward():
                    break
