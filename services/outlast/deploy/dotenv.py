"""The file .env, read as Compose reads it, but with the numbers of its lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LINE = re.compile(r"\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*[=:]\s*(?P<value>.*?)\s*$")
#: A quoted value, and whatever comment follows it.
_QUOTED = re.compile(r"""(?P<quote>["'])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\s*(?:#.*)?$""")
_COMMENT = re.compile(r"(?:^|\s)#.*$")


@dataclass(frozen=True, slots=True)
class Entry:
    """One setting of the file; `line` counts from 1."""

    name: str
    value: str
    line: int


def read(text: str) -> list[Entry]:
    """Every setting, in order; of one that stands twice the last counts, as for Compose."""
    entries: dict[str, Entry] = {}
    for number, line in enumerate(text.splitlines(), 1):
        found = _LINE.match(line)
        if found is None or line.lstrip().startswith("#"):
            continue
        entries[found["name"]] = Entry(found["name"], _value(found["value"]), number)
    return sorted(entries.values(), key=lambda entry: entry.line)


def _value(text: str) -> str:
    quoted = _QUOTED.match(text)
    if quoted is None:
        return _COMMENT.sub("", text).strip()
    return quoted["text"] if quoted["quote"] == "'" else re.sub(r"\\(.)", r"\1", quoted["text"])


def with_line_set(text: str, name: str, value: str) -> str:
    """The text with `#NAME=…` or `NAME=…` turned into `NAME=value`; at the end if it has neither."""
    line = f"{name}={value}"
    changed, count = re.subn(rf"^#?{name}=.*$", lambda _: line, text, count=1, flags=re.M)
    return changed if count else f"{text.rstrip()}\n{line}\n"
