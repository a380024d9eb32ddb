"""Whether a line of code begins inside a literal, where a fence is text and closes nothing.

Scanners take a block line by line, line breaks included. They know as much of a language as it takes to tell
where its multi-line literals begin and end, and no more; on code that does not compile they may be wrong,
which the parser allows for.
"""

from __future__ import annotations

import re
from typing import ClassVar, Protocol


class Scanner(Protocol):
    """One block's state between two lines."""

    @property
    def inside(self) -> bool:
        """Whether the next line begins inside a literal."""
        ...

    def feed(self, line: str) -> None:
        """Go on by one line."""
        ...


class NoLiterals:
    """For languages that nothing is known of: any fence closes."""

    inside = False

    def feed(self, line: str) -> None:
        """Nothing to remember."""


class PythonLiterals:
    """Strings, triple-quoted or continued by a backslash; quotes in comments do not count."""

    _CODE = re.compile(r"""#|\"{3}|'{3}|["']""")
    _IN: ClassVar = {quote: re.compile(rf"\\[\s\S]|{quote}") for quote in ('"""', "'''")} | {
        quote: re.compile(rf"\\[\s\S]|\n|{quote}") for quote in ('"', "'")
    }

    def __init__(self) -> None:
        self._quote = ""

    @property
    def inside(self) -> bool:
        return bool(self._quote)

    def feed(self, line: str) -> None:
        at = 0
        while found := (self._IN[self._quote] if self._quote else self._CODE).search(line, at):
            at, mark = found.end(), found.group()
            if self._quote:
                # A line break ends a string in one pair of quotes; `\` before it was skipped as an escape.
                if mark in (self._quote, "\n"):
                    self._quote = ""
            elif mark == "#":
                return
            else:
                self._quote = mark


class ShellLiterals:
    """Quoted strings and here-documents."""

    _CODE = re.compile(
        r"""\\[\s\S]|<<<|\(\(|\)\)|(?:^|(?<=[\s;&|()]))\#|["']"""
        r"""|<<(?P<dash>-?)[ \t]*(?:'(?P<single>[^'\n]+)'|"(?P<double>[^"\n]+)"|\\?(?P<plain>[A-Za-z_]\w*))"""
    )
    _IN: ClassVar = {'"': re.compile(r'\\[\s\S]|"'), "'": re.compile("'")}

    def __init__(self) -> None:
        self._quote = ""
        #: Here-documents whose end has not come yet, oldest first: (delimiter, tabs before it are ignored).
        self._documents: list[tuple[str, bool]] = []

    @property
    def inside(self) -> bool:
        return bool(self._quote or self._documents)

    def feed(self, line: str) -> None:
        if self._documents and not self._quote:
            delimiter, tabs = self._documents[0]
            text = line.rstrip("\r\n")
            if (text.lstrip("\t") if tabs else text) == delimiter:
                del self._documents[0]
            return
        at = arithmetic = 0
        while found := (self._IN[self._quote] if self._quote else self._CODE).search(line, at):
            at, mark = found.end(), found.group()
            if self._quote:
                self._quote = "" if mark == self._quote else self._quote
            elif mark in ('"', "'"):
                self._quote = mark
            elif mark == "#":
                return
            elif mark in ("((", "))"):
                arithmetic = max(0, arithmetic + (1 if mark == "((" else -1))
            elif mark.startswith("<<") and mark != "<<<" and not arithmetic:
                delimiter = found["single"] or found["double"] or found["plain"]
                self._documents.append((delimiter, bool(found["dash"])))


class JavaScriptLiterals:
    """Template literals with code in them, strings, block comments; regular expressions are stepped over."""

    _CODE = re.compile(r"//|/\*|/|[\"'`{}]")
    _IN: ClassVar = {
        "`": re.compile(r"\\[\s\S]|`|\$\{"),
        "/*": re.compile(r"\*/"),
        '"': re.compile(r'\\[\s\S]|\n|"'),
        "'": re.compile(r"\\[\s\S]|\n|'"),
    }
    _REGEX = re.compile(r"/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/")
    _BEFORE_REGEX = re.compile(r"(?:^|[(,=:\[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of))\s*$")

    def __init__(self) -> None:
        #: What is open, outermost first: a key of `_IN`, or "{" for code (in a template, or in braces).
        self._open: list[str] = []

    @property
    def inside(self) -> bool:
        return any(kind != "{" for kind in self._open)

    def feed(self, line: str) -> None:
        at = 0
        while True:
            literal = self._open[-1] if self._open and self._open[-1] != "{" else ""
            found = (self._IN[literal] if literal else self._CODE).search(line, at)
            if found is None:
                return
            start, at, mark = found.start(), found.end(), found.group()
            if literal:
                if mark == "${":
                    self._open.append("{")
                elif mark in (literal, "\n", "*/"):
                    self._open.pop()
            elif mark == "//":
                return
            elif mark == "/":
                regex = self._REGEX.match(line, start) if self._may_be_regex(line, start) else None
                at = regex.end() if regex else at
            elif mark == "}":
                if self._open:
                    self._open.pop()
            else:
                self._open.append(mark)

    def _may_be_regex(self, line: str, at: int) -> bool:
        # A look back of bounded length, so that a minified line does not take quadratic time.
        return self._BEFORE_REGEX.search(line, max(0, at - 40), at) is not None


_SCANNERS: dict[str, type[Scanner]] = {
    "python": PythonLiterals,
    "shell": ShellLiterals,
    "javascript": JavaScriptLiterals,
}


def scanner(language: str) -> Scanner:
    """A scanner for a new block of `language`."""
    return _SCANNERS.get(language, NoLiterals)()
