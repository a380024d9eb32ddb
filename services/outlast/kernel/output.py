"""Whatever a cell prints becomes bounded, printable text. No process, no clock of its own.

`Printable` makes text safe to show; `Transcript` bounds it for the model and keeps the whole as an artifact;
`Live` cuts it into the batches that are shown while the cell runs. Memory stays bounded by their limits, not by
what is printed.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from ..log.records import Artifact
from .artifacts import ArtifactFile

#: Characters of an unfinished line that a carriage return may still take back.
_LINE_CHARS = 8192
#: Characters of an escape sequence; a longer one is taken for text.
_ESCAPE_CHARS = 4096
#: Seconds between two batches of live output, and characters of them all per cell.
LIVE_SECONDS, LIVE_CHARS = 0.5, 64 * 1024

_CSI = r"(?:\x1b\[|\x9b)[0-?]{0,256}[ -/]{0,16}"
_STRING = rf"\x1b[\]PX^_][^\x07\x1b\n]{{0,{_ESCAPE_CHARS}}}"
_OTHER = r"\x1b[ -/]{0,16}"
#: A whole escape sequence, the beginning of one at the end of the text, or a character that begins none.
_ESCAPE = re.compile(
    rf"{_CSI}[@-~]|{_STRING}(?:\x07|\x1b\\)|{_OTHER}[0-OQ-WYZ\\`-~]|(?P<begun>(?:{_CSI}|{_STRING}\x1b?|{_OTHER})\Z)|[\x1b\x9b]"
)
#: Looked for only where a run begins: trying at each of a million of them would stop the worker for minutes.
_RETURNS = re.compile(r"(?<!\r)\r+\n")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+")
_ASCII_CONTROL = bytes(code for code in (*range(32), 127) if code not in b"\t\n\r")
_SURROGATE = re.compile("[\ud800-\udfff]")


class Printable:
    """A stream of text without escape sequences and control characters, progress bars reduced to their last state."""

    def __init__(self) -> None:
        self._escape = ""
        self._line = ""

    @property
    def line(self) -> str:
        """The unfinished last line, which a carriage return may still take back."""
        return self._line.rstrip("\r")

    def feed(self, chunk: str) -> str:
        """The text that has become final."""
        text = self._clean(self._escape + chunk)
        if "\r" in text or "\r" in self._line:
            *lines, last = _RETURNS.sub("\n", self._line + text).split("\n")
            final = "".join(_overwritten(line) + "\n" for line in lines)
            self._line = _overwritten(last) + ("\r" if last.endswith("\r") else "")
        else:
            final, newline, self._line = (self._line + text).rpartition("\n")
            final += newline
        if len(self._line) > _LINE_CHARS:
            final, self._line = final + self.line, ""
        return final

    def rest(self) -> str:
        """What is left when the stream ends."""
        rest, self._line, self._escape = self.line, "", ""
        return rest

    def _clean(self, text: str) -> str:
        self._escape = ""
        if "\x1b" in text or "\x9b" in text:
            text = _ESCAPE.sub(self._keep_begun, text)
        if text.isascii():  # Ten times as fast as the pattern, and most output.
            return text.encode("ascii").translate(None, _ASCII_CONTROL).decode("ascii")
        return _SURROGATE.sub("\ufffd", _CONTROL.sub("", text))

    def _keep_begun(self, match: re.Match[str]) -> str:
        self._escape = match["begun"] or ""
        return ""


def _overwritten(line: str) -> str:
    """What a carriage return leaves of a line: the text after the last one."""
    return line.rstrip("\r").rpartition("\r")[2]


class Transcript:
    """The output of one cell.

    Up to `chars` characters it is kept in memory; beyond, all of it goes to a file (up to `most_bytes`, UTF-8) that
    `open_file` makes, and memory holds only its beginning and end.
    """

    def __init__(self, chars: int, most_bytes: int, open_file: Callable[[], tuple[ArtifactFile, str]]) -> None:
        self._chars = chars
        self._most_bytes = most_bytes
        self._open_file = open_file
        self._printable = Printable()
        self._head = ""
        self._tail: deque[str] = deque()
        self._tail_chars = 0
        self._total = 0
        self._file: ArtifactFile | None = None
        self._name = ""
        self._trouble = ""
        self._is_cut = False

    @property
    def line(self) -> str:
        """The unfinished last line."""
        return self._printable.line

    def write(self, chunk: str) -> str:
        """Take output as it comes; the printable text that has become final."""
        final = self._printable.feed(chunk)
        self._add(final)
        return final

    def write_line(self, text: str) -> str:
        """Take a text that stands on lines of its own."""
        return self.write(f"{chr(10) if self.line else ''}{text}{'' if text.endswith(chr(10)) else chr(10)}")

    def finish(self, note: str = "") -> tuple[str, Artifact | None]:
        """The model's view, at most `chars` characters and ending with `note`; and the whole, if the view is not."""
        self._add(self._printable.rest())
        if note and self._total and not self._tail[-1].endswith("\n"):
            note = f"\n{note}"
        if self._chars - len(note) < self._total <= self._chars:
            self._to_file(self._head)  # Only the note makes it too long for the view.
        artifact = self._keep()
        room = self._chars - len(note)
        if self._total <= room:
            return self._head + note, artifact
        keep = max(0, room - len(self._left_out(self._total)))
        tail = "".join(self._tail)[-(keep // 2) :] if keep // 2 else ""
        return self._head[: keep - len(tail)] + self._left_out(self._total - keep) + tail + note, artifact

    def discard(self) -> None:
        """Forget the cell; its file is removed."""
        if self._file is not None:
            self._file.discard()
            self._file = None

    def _left_out(self, characters: int) -> str:
        where = f"the whole output is in {self._name}"
        if self._trouble:
            where = f"they could not be kept ({self._trouble})"
        elif self._is_cut:
            where = f"the first {self._most_bytes // 1024:,} KiB of the output are in {self._name}, the rest is lost"
        return f"\n[… {characters:,} characters left out; {where} …]\n"

    def _add(self, text: str) -> None:
        if not text:
            return
        before, self._total = self._total, self._total + len(text)
        if before < self._chars:
            self._head += text[: self._chars - before]
        if self._total > self._chars:
            self._to_file(text if before > self._chars else self._head[:before] + text)
        self._tail.append(text[-self._chars :])
        self._tail_chars += len(self._tail[-1])
        while self._tail_chars - len(self._tail[0]) >= self._chars:
            self._tail_chars -= len(self._tail.popleft())
        if len(self._tail) > 1024:
            self._tail = deque(["".join(self._tail)])

    def _to_file(self, text: str) -> None:
        if self._trouble or self._is_cut:
            return
        try:
            if self._file is None:
                self._file, self._name = self._open_file()
            data = text.encode("utf-8")
            room = self._most_bytes - self._file.size
            if len(data) > room:
                self._is_cut = True
                data = data[:room].decode("utf-8", "ignore").encode("utf-8")
            self._file.write(data)
        except OSError as error:
            self._give_up(error)

    def _keep(self) -> Artifact | None:
        if self._file is None:
            return None
        try:
            artifact = self._file.finish()
            self._name = f"{self._name.rpartition('/')[0]}/{self._file.name}"
        except OSError as error:
            self._give_up(error)
            return None
        self._file = None
        return artifact

    def _give_up(self, error: OSError) -> None:
        self._trouble = error.strerror or str(error)
        self.discard()


class Live:
    """Batches of output for those who watch: at most one in `LIVE_SECONDS`, at most `LIVE_CHARS` in all."""

    def __init__(self, give: Callable[[str], None]) -> None:
        self._give = give
        self._text = ""
        self._shown_line = ""
        self._since: float | None = None
        self._room = LIVE_CHARS

    def add(self, final: str, now: float) -> None:
        """Take printable text; `now` in seconds of any clock."""
        if self._since is None and self._room:
            self._since = now
        if final and self._room:
            # What was shown of an unfinished line is not shown again; if it was taken back, the next begins below.
            fresh = final.removeprefix(self._shown_line) if final.startswith(self._shown_line) else f"\n{final}"
            self._shown_line = ""
            self._text = (self._text + fresh)[: self._room + 1]

    def wait(self, now: float) -> float | None:
        """Seconds until a batch is due; None if nothing waits."""
        return None if self._since is None else max(0.0, self._since + LIVE_SECONDS - now)

    def flush(self, line: str) -> None:
        """Give what waits, with the unfinished `line`, which progress bars live in."""
        if line != self._shown_line:
            fresh = line.removeprefix(self._shown_line) if line.startswith(self._shown_line) else f"\n{line}"
            self._text += fresh
            self._shown_line = line
        text, self._text, self._since = self._text, "", None
        if len(text) > self._room:
            text, self._room = text[: self._room] + "\n[… no more live output for this cell …]\n", 0
        else:
            self._room -= len(text)
        if text:
            self._give(text)
