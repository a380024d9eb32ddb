"""Where the commands print: tables for people on a terminal, JSON lines for programs."""

from __future__ import annotations

import json
import sys
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text


class Trouble(Exception):
    """What was asked for cannot be done; the message is the sentence for the user."""

    code = 1


class Misuse(Trouble):
    """It makes no sense to ask for it."""

    code = 2


class Output:
    """Standard output. `json` is whether programs read it: asked for, or because it is no terminal."""

    def __init__(self, as_json: bool, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self.json = as_json or not self._stream.isatty()
        # Markup and highlighting off: brackets in a prompt or a cell's output are text.
        self.console = Console(file=self._stream, highlight=False, markup=False, emoji=False)

    def emit(self, value: dict[str, Any]) -> None:
        """One JSON line, ASCII: safe for any terminal and any pipe."""
        self.raw(json.dumps(value, ensure_ascii=True))

    def raw(self, text: str) -> None:
        """One line that is JSON already; flushed, so that a pipe sees it at once."""
        self._stream.write(text + "\n")
        self._stream.flush()

    def line(self, text: str, style: str = "") -> None:
        """One line for people; a long one is wrapped by the terminal, not cut."""
        self.console.print(Text(text, style=style), soft_wrap=True)


def complain(sentence: str) -> None:
    """A sentence to standard error."""
    sys.stderr.write(f"outlast: {sentence}\n")
