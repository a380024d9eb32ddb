"""What one shell cell leaves for the next: directory, variables, functions, aliases, options, mask of file modes.

Each cell is a bash of its own. It reads a prologue first (by BASH_ENV, so that `$0`, the numbers of lines and the
messages are those of `bash -c`), which lists all there is, applies the state, and sets an EXIT trap; the trap lists all
there is again. What differs between the two lists is the state. Whatever came from outside and was not changed, such as
a variable that a Python cell put into the environment, is therefore not in it.

The former state stays where a shell does not come to the end of its trap or is ended by a signal: `exec`, a kill, an
interrupt. Lines that ran before one that cannot be parsed count. Errexit is dropped when a cell ends with an error: it
has ended that shell, and the next one starts without it. Traps, jobs, open descriptors, the stack of directories and
positional parameters end with their cell.

The state is plain text in this process's memory. Whatever a cell puts into it goes nowhere but into the next bash.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import bash

#: Characters that a state may have.
LIMIT = 1 << 20

#: Set only once bash has read the cell's code, so that the reading is not traced.
_traced = "set -o xtrace"

#: Options under which a shell would run nothing of the next cell, or only its first command, or in process groups that
#: an interrupt does not reach.
_crippling = ("set -o noexec", "set -o onecmd", "set -o monitor")


class ShellCell:
    """One cell: where and with which environment its bash is to start."""

    def __init__(self, directory: str, environment: dict[str, str]) -> None:
        self.directory, self.environment = directory, environment
        #: What is to stand before its code, on the same line.
        self.first = ""
        #: Its exit status, once it has ended; negative for a signal.
        self.status: int | None = None


class ShellState:
    """The state that the last shell cell has left. `start` is the directory of the first one."""

    def __init__(self, start: str) -> None:
        self._start = start
        self._directory = start
        #: What differs from a bash that was just started; an empty text where something is gone.
        self._changes: bash.Listed = {}
        #: What is to be said of the last cell besides its output, a line each.
        self.notes: list[str] = []

    def values(self) -> dict[str, Any]:
        """The state as plain values, for `take`."""
        return {"directory": self._directory, "changes": [[*key, text] for key, text in self._changes.items()]}

    def take(self, values: Any) -> None:
        """Go on from these values; nothing happens if they are none of `values()`."""
        with contextlib.suppress(TypeError, KeyError, ValueError):
            directory = values["directory"]
            changes = {(kind, name): text for kind, name, text in values["changes"]}
            if all(isinstance(text, str) for text in (directory, *changes.values(), *sum(changes, ()))):
                self._directory, self._changes = directory, changes

    @contextlib.contextmanager
    def cell(self) -> Iterator[ShellCell]:
        """For one cell, whose `status` is to be set within."""
        self.notes = []
        if not _can_be_entered(self._directory):
            self.notes.append(f"[the directory {self._directory} is gone; this cell ran in {self._start}]")
            self._directory = self._start
        environment = {**os.environ, "PWD": self._directory}
        try:
            place = Path(tempfile.mkdtemp(prefix="shell-"))
        except OSError as error:
            self.notes.append(f"[this cell ran without what earlier shell cells had set: {error.strerror}]")
            yield ShellCell(self._directory, environment)
            return
        try:
            try:
                environment |= bash.write_prologue(place, environment.get("BASH_ENV"), _untraced(self._changes))
            except OSError as error:
                self.notes.append(f"[this cell ran without what earlier shell cells had set: {error.strerror}]")
            cell = ShellCell(self._directory, environment)
            if _traced in self._changes.get(("set", ""), "").splitlines():
                cell.first = "set -x; "
            yield cell
            if cell.status is not None and cell.status >= 0:
                self._learn(place, cell.status)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _learn(self, place: Path, status: int) -> None:
        lists = bash.read_lists(place)
        if lists is None:
            if bash.has_begun(place, "end"):
                self.notes.append("[what this cell has set could not be kept for the next shell cell]")
            elif not bash.has_begun(place, "start"):
                self.notes.append("[this cell ran without what earlier shell cells had set: bash read no prologue]")
            return
        start, end = lists
        changes = {key: text for key, text in end.items() if start.get(key) != text}
        changes.update((key, "") for key in start if key not in end)
        directory = changes.pop(("directory", ""), self._directory).removesuffix("\n")
        for key in (("set", ""), ("shopt", "")):
            if key in changes:
                changes[key] = _changed_options(start[key], changes[key], status)
        if sum(len(name) + len(text) for (_, name), text in changes.items()) > LIMIT:
            self.notes.append("[what this cell has set is over 1 MiB and is not kept for the next shell cell]")
            return
        self._directory, self._changes = directory, changes


def _changed_options(before: str, now: str, status: int) -> str:
    unwanted = {*before.splitlines(), *_crippling, *(("set -o errexit",) if status else ())}
    return "\n".join(line for line in now.splitlines() if line not in unwanted)


def _untraced(changes: bash.Listed) -> bash.Listed:
    key = ("set", "")
    if key not in changes:
        return changes
    return changes | {key: "\n".join(line for line in changes[key].splitlines() if line != _traced)}


def _can_be_entered(directory: str) -> bool:
    return os.path.isdir(directory) and os.access(directory, os.X_OK)
