"""The parser of replies: which of the model's words are code to run. Pure, incremental, and exact.

Every character comes out in a part, in order: joined, the parts' texts are the reply's raw text. How the text
was cut into pieces on its way changes nothing.

A fence is a line that begins (up to three spaces in) with three or more backticks or tildes. The first fenced
block in a language that may be code is the reply's cell, and the reply ends with the line that closes it: a
line of the same characters, at least as many, that does not stand inside a string, here-document or template
literal of the code. What the server sends after that line belongs to no reply.

A block becomes code only as a whole. Half a block at the end of a stream that was cut is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from .literals import NoLiterals, Scanner, scanner

#: Other names of the languages that run.
ALIASES = {
    "": "python", "python3": "python", "py": "python", "python2": "python", "ipython": "python", "ipython3": "python",
    "bash": "shell", "sh": "shell", "zsh": "shell",
    "js": "javascript", "node": "javascript", "nodejs": "javascript",
}  # fmt: skip

#: Fenced blocks in these are for people to read: text, data, markup, what a program printed.
PROSE = frozenset(
    (
        "text", "txt", "plain", "plaintext", "none", "markdown", "md", "mermaid", "latex", "tex",
        "json", "jsonl", "json5", "jsonc", "csv", "tsv", "yaml", "yml", "toml", "ini", "xml", "html", "svg", "css",
        "output", "out", "stdout", "stderr", "console", "terminal", "shell-session", "shellsession", "pycon",
        "traceback", "log", "logs", "diff", "patch",
    )
)  # fmt: skip

_FENCE = re.compile(r"[ ]{0,3}(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)")


@dataclass(frozen=True, slots=True)
class Text:
    """Words for the reader."""

    text: str


@dataclass(frozen=True, slots=True)
class Fence:
    """What stands around the cell and is neither prose nor code: its fences."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """A cell, whole. `language` is python, shell, javascript, or a word that nothing here can run."""

    language: str
    text: str


Part = Text | Fence | Code


class CellAt(NamedTuple):
    """Where the cell is: `raw[start:end]` is its code."""

    language: str
    start: int
    end: int


class ReplyParser:
    """One reply. Feed it until `ended`, or call `finish` when the stream is over."""

    def __init__(self) -> None:
        #: The cell, once its block was closed.
        self.cell: CellAt | None = None
        #: Whether the line that closes the cell is complete: ask for no more.
        self.ended = False
        self._fed = 0
        self._over = False
        self._line = ""
        self._line_at = 0
        self._parts: list[Part] = []
        # The fenced block that is open: its fence, its language, and whether it may be code.
        self._fence = ""
        self._language = ""
        self._is_code = False
        #: Blocks opened inside a block of Markdown.
        self._nested = 0
        self._scanner: Scanner = NoLiterals()
        self._opening = ""
        self._code: list[str] = []
        self._code_at = 0
        #: Where the first fence inside a literal stands: the end of the code if that literal never ends.
        self._doubtful_at: int | None = None

    @property
    def length(self) -> int:
        """How many characters of what was fed belong to the reply: all, or up to the end of the closing line.

        Never less than was fed before `ended` came true.
        """
        return self._line_at + len(self._line) if self.ended else self._fed

    def feed(self, text: str) -> list[Part]:
        """Go on by `text`; the parts that are complete with it. Nothing once the reply has ended."""
        for index, piece in enumerate(text.split("\n")):
            if self._over:
                break
            if index:
                self._end_line("\n")
            if not self.ended:
                self._line += piece
                self._fed += len(piece)
        return self._take()

    def finish(self, complete: bool) -> list[Part]:
        """The stream is over; the parts still held back.

        `complete` says that the model came to its end: a block that it left open is a cell then. A stream that
        was cut, or ended at the limit of tokens, is not complete: its open block is text.
        """
        if not self._over:
            if complete or not self._is_code:
                self._end_line("")
            self._over = True
            if self._is_code and not self.ended:
                self._end_open_block(complete)
        return self._take()

    def _take(self) -> list[Part]:
        parts, self._parts = self._parts, []
        return parts

    def _emit(self, part: Part) -> None:
        last = self._parts[-1] if self._parts else None
        if isinstance(last, Text) and isinstance(part, Text):
            self._parts[-1] = Text(last.text + part.text)
        elif part.text or isinstance(part, Code):
            self._parts.append(part)

    def _end_line(self, line_break: str) -> None:
        line = self._line + line_break
        if self._is_code:
            if self._closes(self._line):
                if not self._scanner.inside:
                    self._end_cell()
                    return
                if self._doubtful_at is None:
                    self._doubtful_at = self._line_at
            self._code.append(line)
            self._scanner.feed(line)
        elif self._fence:
            self._end_prose_line(line)
        else:
            self._open(line)
        self._fed += len(line_break)
        self._line_at += len(line)
        self._line = ""

    def _open(self, line: str) -> None:
        found = _FENCE.match(line)
        if found is None or ("`" in found["fence"] and "`" in found["info"]):
            self._emit(Text(line))
            return
        self._fence, self._language = found["fence"], _language(found["info"])
        self._is_code = self._language not in PROSE
        if self._is_code:
            self._opening, self._code_at = line, self._line_at + len(line)
            self._scanner = scanner(self._language)
        else:
            self._emit(Text(line))

    def _end_prose_line(self, line: str) -> None:
        self._emit(Text(line))
        if self._closes(line.rstrip("\r\n")):
            if self._nested:
                self._nested -= 1
            else:
                self._fence = ""
        elif self._language in ("markdown", "md"):
            # Models put blocks into a block of Markdown without making its own fence longer.
            found = _FENCE.match(line)
            self._nested += bool(found and found["info"].strip() and "`" not in found["info"])

    def _closes(self, line: str) -> bool:
        # Any indent: in a list, models indent the closing line by more than the opening one.
        rest = line.strip(" \t\r")
        return len(rest) >= len(self._fence) and not rest.strip(self._fence[0])

    def _end_cell(self) -> None:
        """The current line closes the block; its line break, and all after it, is no part of the reply."""
        self.cell = CellAt(self._language, self._code_at, self._line_at)
        self._emit(Fence(self._opening))
        self._emit(Code(self._language, "".join(self._code)))
        self._emit(Fence(self._line))
        self.ended = self._over = True

    def _end_open_block(self, complete: bool) -> None:
        whole = "".join(self._code) + self._line
        end = self._doubtful_at if self._scanner.inside and self._doubtful_at is not None else self._fed
        code = whole[: end - self._code_at]
        if not complete or not code.strip():
            self._emit(Text(self._opening + whole))
            return
        self.cell = CellAt(self._language, self._code_at, end)
        self._emit(Fence(self._opening))
        self._emit(Code(self._language, code))
        self._emit(Fence(whole[len(code) :]))


def _language(info: str) -> str:
    """The language that the words behind a fence name; `{python}` and `Python:` are python."""
    words = info.split()
    word = words[0].lower().strip("{}.:,") if words else ""
    return ALIASES.get(word, word)
