"""What stopped a cell or ended its kernel, and what to do otherwise, in words that the model and the user can act on.

Pure. What the model is told has three parts: the cause, a sentence with its figures; what there is now of variables and
files, which depends on whether the kernel lives; and the advice, which is a table by what the cause was (`by`). That
word is in the log too, with each `cell.interrupted`, so that an advice can become better and an old log get it.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Any

from .output import Printable

#: Characters of what the kernel said last.
_WORDS = 500

_LESS_MEMORY = "Use less memory: read the data in pieces, keep fewer columns, and `del` what is no longer needed."
_OWN_PROCESSES = "Send signals to no process but those that the code itself has started."
#: What to do otherwise, by what the cause was; `ANOTHER_WAY` for what is not in it.
ADVICE = {
    "memory": _LESS_MEMORY,
    "killed": f"{_LESS_MEMORY} {_OWN_PROCESSES}",
    "signal": _OWN_PROCESSES,
    "crash": (
        "Run the steps one at a time to find the one that crashes, and do that one in another way: with another "
        "function or library, or on a part of the data."
    ),
    "exit": (
        "Do not end or replace the process that runs the code (os._exit, os.exec): let the code come to its end, or "
        "run what has to end in a process of its own (subprocess)."
    ),
    "time": "Do the work in smaller steps, or in a faster way.",
    "stall": "It was waiting for something that does not come; do not wait for it.",
    "deaf": (
        "Do the work in smaller steps, wait for nothing that may not come, and let an interrupt (SIGINT, which is "
        "KeyboardInterrupt) end the code."
    ),
    "disk": "Remove what is not needed, close what is open, or write less.",
    "messages": "Print and show less at a time, and leave the kernel's own streams and sockets alone.",
    "guardian": _OWN_PROCESSES,
}
ANOTHER_WAY = "Find another way, for example in smaller steps or on a part of the data."

#: The kernel lives: an interrupt was enough.
INTERRUPTED = "{says} The variables and files are as the code left them then. {advice}"

_CRASHES = frozenset(("SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGABRT", "SIGTRAP"))
_HINTS = {
    "SIGKILL": " (most often because memory ran out)",
    "SIGSEGV": " (a crash in native code)",
    "SIGABRT": " (a library gave up)",
}
_WITHOUT_STATUS = {
    "lapsed": "its worker had not given a sign of life for two leases",
    "superseded": "a newer attempt holds the session",
    "gone": "its guardian has ended",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """`by`: a key of `ADVICE`, or empty for what nobody's code can help; `says`: a sentence."""

    by: str
    says: str

    @property
    def interrupted(self) -> str:
        """What the model is told of a cell that was interrupted for this."""
        return INTERRUPTED.format(says=self.says, advice=advice(self.by))


def advice(by: str) -> str:
    """What to do otherwise; by what an older or newer Outlast may have called it."""
    return ADVICE.get(by, ANOTHER_WAY)


def cause_of_death(event: dict[str, Any], during: str) -> Cause | None:
    """Why the kernel ended, by the guardian's `event`; None if that event is no death. `during`: "cell 3 ran"."""
    kind = event["event"]
    if kind in _WITHOUT_STATUS:
        by = "guardian" if kind == "gone" else ""
        return Cause(by, f"The kernel was killed while {during}: {_WITHOUT_STATUS[kind]}.")
    if kind != "exit":
        return None
    if event.get("over"):
        left_running = f"for what the programs did that it had left running: {event['over']}"
        return Cause("disk", f"The kernel was ended before {during}, {left_running}.")
    name = _signal_name(event["signal"])
    if event["memory"] and name == "SIGKILL":
        share = f": a session may use {event['share']}" if event.get("share") else ""
        return Cause("memory", f"The kernel's process was killed while {during}, because memory ran out{share}.")
    if name:
        by = "crash" if name in _CRASHES else "killed" if name == "SIGKILL" else "signal"
        return Cause(by, f"The kernel's process was ended by {name} while {during}{_HINTS.get(name, '')}.")
    words = " ".join(_last_words(_printable(event["words"])).split())[-_WORDS:]
    ended = f"The kernel's process ended with exit status {event['status']} while {during}. {words}"
    return Cause("exit", ended.rstrip())


def _last_words(words: str) -> str:
    """Of a traceback only the line that says what went wrong; where, is nothing that the reader can mend."""
    lines = words.strip().splitlines()
    return lines[-1] if any(line.startswith("Traceback (most recent") for line in lines) else words


def _printable(words: str) -> str:
    """Hostile like all that a kernel says, and on its way to a terminal."""
    stream = Printable()
    return stream.feed(words) + stream.rest()


def _signal_name(number: int) -> str:
    if not number:
        return ""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
