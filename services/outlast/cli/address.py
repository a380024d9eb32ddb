"""How the command line names a session's file: `ID:PATH`, with PATH as the session's own code names it.

    ID:out/report.csv        a file of its working directory, `files/`
    ID:artifacts/cell-3.png  a full output or a figure; `ID:../artifacts/cell-3.png`, as the model is told it, too
    ID:./artifacts/x         what the session's own directory of that name holds
    ID:                      the whole working directory
"""

from __future__ import annotations

from dataclasses import dataclass

from .output import Misuse
from .text import one_line

FILES, ARTIFACTS = "files", "artifacts"


@dataclass(frozen=True, slots=True)
class Address:
    """`top` is a directory of the workspace, `parts` the way below it: no `.`, no `..`, no empty component."""

    session: str
    top: str
    parts: tuple[str, ...]

    @property
    def name(self) -> str:
        """What a copy of it is called."""
        return self.parts[-1] if self.parts else self.session if self.top == FILES else self.top


def address(text: str) -> Address:
    """The address; Misuse if it is none, or leads out of the workspace."""
    session, colon, path = text.partition(":")
    if not colon or not session:
        raise Misuse(f"{one_line(text, 200)} names no file of a session; write ID:PATH, and ID: for all of them.")
    top = FILES
    for start in (f"../{ARTIFACTS}", ARTIFACTS):
        if path == start or path.startswith(f"{start}/"):
            top, path = ARTIFACTS, path[len(start) + 1 :]
            break
    else:
        if path.startswith("/"):
            raise Misuse(f"{one_line(text, 200)} begins with a /; paths are relative to the session's directory.")
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise Misuse(f"{one_line(text, 200)} leads out of the session's directory; leave the .. out.")
    return Address(session, top, parts)


def path_of(top: str, parts: tuple[str, ...]) -> str:
    """The PATH that `address` reads as these; `.` for the working directory itself."""
    path = "/".join(parts)
    if top == ARTIFACTS:
        return f"{ARTIFACTS}/{path}" if path else ARTIFACTS
    return f"./{path}" if parts and parts[0] == ARTIFACTS else path or "."
