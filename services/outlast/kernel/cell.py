"""Turns what a kernel sends while a cell runs into its output and artifacts; takes every message for hostile."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..log.records import Artifact
from ..settings import Settings
from .artifacts import ArtifactFile, CellArtifacts
from .output import Live, Transcript
from .results import CellResult
from .workspace import Workspace

#: Displayed images that a cell may leave; more are counted, not kept.
_MOST_IMAGES = 100
#: MIME type → suffix and whether its text is base64, the preferred first.
_IMAGES = {
    "image/png": (".png", True),
    "image/jpeg": (".jpg", True),
    "image/gif": (".gif", True),
    "image/svg+xml": (".svg", False),
    "application/pdf": (".pdf", True),
}


class CellOutput:
    """What one run of a cell has shown so far; `on_output` gets the live text, `earlier` is as of `CellArtifacts`."""

    def __init__(
        self,
        workspace: Workspace,
        settings: Settings,
        cell: int,
        on_output: Callable[[str], None],
        earlier: Mapping[str, str] | None = None,
    ) -> None:
        self._started = time.monotonic()
        self._artifacts = CellArtifacts(workspace.artifacts, cell, workspace.identity, earlier)
        self._most_bytes = settings.output_bytes
        self._transcript = Transcript(
            settings.output_chars, settings.output_bytes, lambda: self._artifacts.open(".txt", "text/plain")
        )
        self._live = Live(on_output)
        self._images: list[ArtifactFile] = []
        self._images_refused = 0

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Take one message of the cell."""
        if kind == "stream":
            self._show(self._transcript.write(_text(content.get("text"))))
        elif kind == "error":
            lines = content.get("traceback")
            text = "\n".join(map(_text, lines)) if isinstance(lines, list) else ""
            self.say(text or f"{_text(content.get('ename'))}: {_text(content.get('evalue'))}")
        elif kind in ("display_data", "execute_result", "update_display_data"):
            data = content.get("data")
            if isinstance(data, dict) and not self._take_image(data):
                self.say(_text(data.get("text/plain")))

    def say(self, text: str) -> None:
        """Add a text on lines of its own."""
        if text:
            self._show(self._transcript.write_line(text))

    def wait(self, now: float) -> float | None:
        """Seconds until live output is due."""
        return self._live.wait(now)

    def tick(self, now: float) -> None:
        """Give live output if it is due."""
        if self._live.wait(now) == 0:
            self._live.flush(self._transcript.line)

    def finish(self, status: str, note: str = "") -> CellResult:
        """The cell has ended: make its artifacts durable."""
        if self._images_refused:
            self.say(f"[{self._images_refused} figures were not kept: a cell may leave {_MOST_IMAGES} of them]")
        images = [image for file in self._images if (image := self._keep(file))]
        self._images = []
        output, whole = self._transcript.finish(note)
        artifacts: tuple[Artifact, ...] = (*images, *([whole] if whole else []))
        return CellResult(status, output, artifacts, round(time.monotonic() - self._started, 3))

    def discard(self, *, show: bool) -> None:
        """The cell was cut off: remove its files; with `show`, give the live output that was still waiting."""
        for image in self._images:
            image.discard()
        self._images = []
        if show:
            self._live.flush(self._transcript.line)
        self._transcript.discard()

    def _keep(self, image: ArtifactFile) -> Artifact | None:
        told = self._artifacts.told(image)
        try:
            artifact = image.finish()
            if self._artifacts.told(image) != told:
                self.say(f"[{told} is of an earlier run; this run's is {self._artifacts.told(image)}]")
            return artifact
        except OSError as error:
            image.discard()
            self.say(f"[a figure could not be kept: {error.strerror}]")
            return None

    def _show(self, final: str) -> None:
        self._live.add(final, time.monotonic())

    def _take_image(self, data: dict[str, Any]) -> bool:
        for kind, (suffix, is_base64) in _IMAGES.items():
            text = data.get(kind)
            if not isinstance(text, str):
                continue
            try:
                plain = text.encode("utf-8", "replace")
                image = base64.b64decode(plain.replace(b"\n", b""), validate=True) if is_base64 else plain
            except (binascii.Error, ValueError):
                continue
            kept = sum(file.size for file in self._images)
            if len(self._images) >= _MOST_IMAGES or kept + len(image) > self._most_bytes:
                self._images_refused += 1
                return True
            try:
                file, name = self._artifacts.open(suffix, kind)
                self._images.append(file)
                file.write(image)
            except OSError as error:
                self.say(f"[a figure could not be kept: {error.strerror}]")
                return True
            self.say(f"[figure: {name}]")
            return True
        return False


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else repr(value)
