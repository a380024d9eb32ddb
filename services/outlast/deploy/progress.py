"""How far a start is: one line a service, in place on a terminal, and one line a change in a pipe."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterable, Mapping
from typing import TextIO

from .stack import Container

_COLOURS = {"ready": "32", "starting": "33", "waiting": "2", "unhealthy": "31", "stopped": "31", "restarting": "31"}


#: Seconds after which a line without news is written to a pipe all the same.
STILL_SECONDS = 30


def state(container: Container | None) -> str:
    """One word for where a container is."""
    if container is None or container.status == "created":
        return "waiting"
    if container.status in ("exited", "dead", "removing"):
        return "stopped"
    if not container.running:
        return container.status
    return "ready" if container.ready else container.health or "starting"


class Display:
    """Shows services; each has the seconds since the display began, until it is ready."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.terminal = stream.isatty()
        self._began = time.monotonic()
        self._shown: dict[str, tuple[str, int]] = {}
        self._ready_after: dict[str, float] = {}
        self._lines = 0

    def show(self, services: Iterable[str], containers: Iterable[Container]) -> None:
        """Bring the display up to what is so now."""
        now = time.monotonic() - self._began
        lines = []
        for name, container in _by_name(services, containers).items():
            word = state(container)
            if word == "ready":
                self._ready_after.setdefault(name, now)
            else:
                self._ready_after.pop(name, None)
            said = container.said if container is not None and word not in ("ready", "waiting") else ""
            lines.append((name, word, self._ready_after.get(name, now), said))
        if self.terminal:
            self._draw([_row(*line) for line in lines])
            return
        for name, word, seconds, said in lines:
            # Numbers change all the time, and each line stays: they are shown when something else does.
            told = re.sub(r"\d+", "", f"{word} {said}"), int(seconds) // STILL_SECONDS
            if self._shown.get(name) != told:
                self._shown[name] = told
                self._stream.write(f"  {name}: {word}, {seconds:.0f} s{f' ({said})' if said else ''}\n")
                self._stream.flush()

    def note(self, text: str) -> None:
        """One passing line, such as the last line of a build; only on a terminal, where it can be replaced."""
        if self.terminal:
            self._draw([f"  {text}  \x1b[2m{time.monotonic() - self._began:.0f} s\x1b[0m"])

    def clear(self) -> None:
        """Take away what is shown; what follows stands in its place."""
        if self.terminal:
            self._draw([])

    def _draw(self, rows: list[str]) -> None:
        up = f"\x1b[{self._lines}F" if self._lines else ""
        width = shutil.get_terminal_size().columns
        text = "".join(f"\x1b[2K{_cut(row, width)}\n" for row in rows)
        # Each row is overwritten before what is left below is taken away: nothing flickers.
        self._stream.write(f"{up}{text}\x1b[J")
        self._stream.flush()
        self._lines = len(rows)


def _by_name(services: Iterable[str], containers: Iterable[Container]) -> Mapping[str, Container | None]:
    """Each service's container; those of a scaled one with their numbers, of one that is being replaced the newer."""
    found: dict[str, Container | None] = {}
    oldest_first = sorted(containers, key=lambda it: it.created)
    for service in services:
        own = {it.number: it for it in oldest_first if it.service == service}
        if len(own) <= 1:
            found[service] = next(iter(own.values()), None)
        else:
            found |= {f"{service} {number}": own[number] for number in sorted(own)}
    return found


def _row(name: str, word: str, seconds: float, said: str) -> str:
    colour = _COLOURS.get(word, "0")
    row = f"  {name:<10} \x1b[{colour}m{word:<10}\x1b[0m {seconds:4.0f} s"
    return f"{row}  \x1b[2m{said}\x1b[0m" if said else row


def _cut(row: str, width: int) -> str:
    """At most `width` characters, escapes not counted: a wrapped row could not be replaced."""
    kept, seen, position = [], 0, 0
    while position < len(row):
        if row[position] == "\x1b":
            end = row.index("m", position) + 1
            kept.append(row[position:end])
            position = end
            continue
        if seen < width - 1:
            kept.append(row[position])
        seen += 1
        position += 1
    return "".join(kept)
