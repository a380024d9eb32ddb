"""Why a kernel has ended, as a sentence that the model and the user can act on. Pure."""

from __future__ import annotations

import signal
from typing import Any

from .output import Printable

#: Characters of what the kernel said last.
_WORDS = 500

_HINTS = {
    "SIGKILL": " (most often because memory ran out)",
    "SIGSEGV": " (a crash in native code)",
    "SIGABRT": " (a library gave up)",
}
_WITHOUT_STATUS = {
    "lapsed": "its worker had not given a sign of life for two leases",
    "gone": "its guardian has ended",
}


def cause_of_death(event: dict[str, Any], during: str) -> str:
    """The sentence for the guardian's `event`; empty if that event is no death. `during`: "cell 3 ran"."""
    kind = event["event"]
    if kind in _WITHOUT_STATUS:
        return f"The kernel was killed while {during}: {_WITHOUT_STATUS[kind]}."
    if kind != "exit":
        return ""
    if event.get("over"):
        return (
            f"The kernel was ended before {during}, for what the programs did that it had left running: "
            f"{event['over']}."
        )
    if event["memory"]:
        return (
            f"The kernel's process was killed while {during}, because memory ran out. "
            "Use less of it: read the data in pieces, or keep fewer columns."
        )
    if event["signal"]:
        name = _signal_name(event["signal"])
        return f"The kernel's process was ended by {name} while {during}{_HINTS.get(name, '')}."
    words = " ".join(_last_words(_printable(event["words"])).split())[-_WORDS:]
    return f"The kernel's process ended with exit status {event['status']} while {during}. {words}".rstrip()


def _last_words(words: str) -> str:
    """Of a traceback only the line that says what went wrong; where, is nothing that the reader can mend."""
    lines = words.strip().splitlines()
    return lines[-1] if any(line.startswith("Traceback (most recent") for line in lines) else words


def _printable(words: str) -> str:
    """Hostile like all that a kernel says, and on its way to a terminal."""
    stream = Printable()
    return stream.feed(words) + stream.rest()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
