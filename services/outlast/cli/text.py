"""Text for a terminal: what comes out of a log was written by a model, a user or a cell, and is not trusted."""

from __future__ import annotations

import re

#: A terminal's control sequences: CSI, OSC and its kin up to their end, and two-character escapes.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]P^_X]|[\x9d\x90\x9e\x9f\x98])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
#: Controls but tab and newline, marks that reorder text, and what cannot be encoded.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: str) -> str:
    """`text` without anything that a terminal would obey; `\\r\\n` becomes a newline, other controls a `·`."""
    return _UNPRINTABLE.sub("·", _SEQUENCE.sub("", text).replace("\r\n", "\n"))


def one_line(text: str, width: int = 80) -> str:
    """`text` as a single printable line of at most `width` characters; a cut is shown by `…`."""
    # Cut before the rest is looked at: an output may be long, and only its beginning is shown.
    line = " ".join(printable(text[: 4 * width + 200]).split())
    return line if len(line) <= width else line[: width - 1].rstrip() + "…"


def file_name(name: str) -> str:
    """`name` for a terminal: as it is if every character can be seen, else as a shell reads it, `$'a\\nb'`."""
    if name.isprintable():
        return name
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    seen = (
        text if text.isprintable() else "".join(f"\\x{byte:02x}" for byte in text.encode("utf-8", "surrogateescape"))
        for text in quoted
    )  # fmt: skip
    return f"$'{''.join(seen)}'"


def last_line(text: str, width: int = 80) -> str:
    """The last line of `text` that is not blank, as `one_line`."""
    tail = text[-4000:].strip()
    return one_line(tail.rsplit("\n", 1)[-1], width) if tail else ""


def rest_of(output: str, live: str) -> str:
    """What of a cell's `output` is not in the `live` output before it; all of it where the two do not fit together.

    Live output ends with the last batch before the cell's end; and it is whole, while `output` may be shortened.
    """
    if output.startswith(live):
        return output[len(live) :]
    # Shortened in the middle: what follows the last live lines, if they can be found.
    end = live[-200:]
    return output.partition(end)[2]


def duration(seconds: float) -> str:
    """`0.42 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`."""
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{whole} s"


def ago(then: float, now: float) -> str:
    """How long ago, in one unit: `just now`, `40 s ago`, `3 min ago`."""
    seconds = max(0.0, now - then)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago" if seconds >= 1 else "just now"


def size(count: int) -> str:
    """Bytes for people: `812 B`, `14.2 kB`, `1.5 GB` (powers of ten)."""
    value = float(count)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def plural(count: int, noun: str) -> str:
    """`1 cell`, `3 cells`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
