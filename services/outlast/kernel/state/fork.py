"""Work in a forked child, of which nothing but its answer comes back.

The child has all objects of the process as of one moment, and whatever they do while they are pickled (hang, crash,
change one another, print) they do to themselves. If it takes long it makes way for others; it leaves by `os._exit`, and
so ends no thread, runs no exit function and touches no socket of the kernel's.

The fork takes longer the more memory the process has mapped: 0.6 ms for an empty kernel, some 5 ms for 8 GB of arrays.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import mmap
import os
import resource
import select
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from .refusal import cause

#: Bytes of C stack, and depth of Python's calls that it is enough for: structures nested 20,000 deep can be pickled.
_stack_bytes, _deepest = 512 << 20, 150_000
#: Seconds after which a child makes way for others: somebody waits for a short save, and nobody for a long one.
_short_seconds, _niceness = 0.05, 10
_makes_way_at = 0.0
#: The depth that any stack is enough for.
_usual_depth = 3000
#: Bytes of the note that a child keeps about what it does.
_note_bytes = 2048
_length_bytes = 8


class ChildEnded(Exception):
    """The child ended without an answer: `how` in words, `note`, what it was doing, and whether others killed it."""

    def __init__(self, how: str, note: str, *, was_killed: bool = False) -> None:
        super().__init__(how)
        self.how, self.note, self.was_killed = how, note, was_killed


class Answer(NamedTuple):
    """What the child made, and for how many seconds the fork stopped this process."""

    value: Any
    pause: float


class Note:
    """A few words in memory that the child shares with this process: read only once the child has died."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _note_bytes)

    def write(self, text: str) -> None:
        make_way()
        data = text.encode("utf-8", "surrogatepass")[: _note_bytes - 2]
        self._memory[:2] = len(data).to_bytes(2, "little")
        self._memory[2 : 2 + len(data)] = data

    def read(self) -> str:
        size = int.from_bytes(self._memory[:2], "little")
        return self._memory[2 : 2 + size].decode("utf-8", "replace")


def in_child(work: Callable[[], Any], note: Note, deadline: float) -> Answer:
    """The plain value that `work` returns in a child.

    ChildEnded if there is none, also after `deadline` seconds (0: none). Any exception while waiting ends the child.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    began = time.monotonic()
    with warnings.catch_warnings():
        # A fork with threads may deadlock, says newer Python; the deadline is for that.
        warnings.simplefilter("ignore")
        pid = os.fork()
    if pid == 0:
        _child(work, write_end)
    pause = time.monotonic() - began
    os.close(write_end)
    reaped = False
    try:
        watch = os.pidfd_open(pid)
        try:
            text = _receive(read_end, watch, began + deadline if deadline else None)
        finally:
            os.close(watch)
        if text is None:
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        reaped = True
        code = os.waitstatus_to_exitcode(status)
        if text is None:
            raise ChildEnded(f"it took longer than {deadline:g} s", note.read())
        if not text:
            raise ChildEnded(_ending(code), note.read(), was_killed=code == -signal.SIGKILL)
        value, why = json.loads(text)
        if why:
            raise ChildEnded(why, note.read())
        return Answer(value, pause)
    finally:
        os.close(read_end)
        if not reaped:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _receive(read_end: int, watch: int, until: float | None) -> bytes | None:
    """What the child wrote, whole; empty if it ended before that, None when time is up."""
    poller = select.poll()
    poller.register(read_end, select.POLLIN)
    poller.register(watch, select.POLLIN)
    data = b""
    while True:
        left = None if until is None else max(0.0, until - time.monotonic())
        ready = dict(poller.poll(None if left is None else left * 1000))
        if not ready:
            return None
        chunk = os.read(read_end, 1 << 20) if read_end in ready else b""
        data += chunk
        size = int.from_bytes(data[:_length_bytes], "little")
        if len(data) >= _length_bytes and len(data) - _length_bytes >= size:
            return data[_length_bytes:]
        # Not the end of the pipe tells that it has ended: a process that an object started may hold that open.
        if not chunk:
            return b""


def _child(work: Callable[[], Any], write_end: int) -> None:
    global _makes_way_at
    _makes_way_at = time.monotonic() + _short_seconds
    code = 1
    try:
        # What a cell may use is not enough to pickle all of it, and the kernel's own part may be more.
        with contextlib.suppress(ValueError, OSError):
            hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
            resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
        # An interrupt is for the kernel, which then ends this process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            text = json.dumps([_with_deep_stack(work), ""])
        except MemoryError:
            code = 2
            raise
        except Exception as error:
            text = json.dumps([None, cause(error)])
        data = memoryview(len(text).to_bytes(_length_bytes, "little") + text.encode())
        while data:
            data = data[os.write(write_end, data) :]
        code = 0
    finally:
        os._exit(code)


def make_way() -> None:
    """In a child: have others run first, if this has taken longer than somebody waits. Called now and then.

    By no timer: its signal, caught while the work is in a thread, has been seen to keep that thread busy for good.
    """
    global _makes_way_at
    if _makes_way_at and time.monotonic() > _makes_way_at:
        _makes_way_at = 0.0
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            # Less than the kernel itself, whatever that has.
            own = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(19, own + _niceness))


def _with_deep_stack(work: Callable[[], Any]) -> Any:
    """In a thread whose stack holds what is nested deeply; without one if memory is short."""
    results: list[Any] = []
    errors: list[BaseException] = []

    # Decimal's context and numpy's print options are there only in a copy of this thread's context.
    context = contextvars.copy_context()

    def run() -> None:
        try:
            results.append(context.run(work))
        except BaseException as error:
            errors.append(error)

    depth = sys.getrecursionlimit()
    try:
        threading.stack_size(_stack_bytes)
        thread = threading.Thread(target=run)
        sys.setrecursionlimit(_deepest)
        thread.start()
    except (RuntimeError, ValueError, MemoryError):
        sys.setrecursionlimit(min(depth, _usual_depth))
        run()
    else:
        thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _ending(code: int) -> str:
    if code == -signal.SIGKILL or code == 2:
        return "the process that did it was killed, perhaps for want of memory"
    if code < 0:
        return f"the process that did it ended by {signal.Signals(-code).name}"
    return f"the process that did it ended with exit status {code}"
