"""Puts components where a manifest can name them: short streams into the manifest itself, all else into objects."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from . import manifests, objects
from .components import Component
from .fork import make_way
from .stream import DEFINITIONS

#: Bytes of streams that go into the manifest itself, of one and of all: a file less to sync.
_inline_bytes, _all_inline_bytes = 1 << 16, 8 << 20


class Writer:
    """For the components of one save."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        #: Name and bytes of every object that was named.
        self.objects: dict[str, int] = {}
        self.inline = 0

    def write(self, component: Component, *, defines: bool) -> dict[str, Any]:
        """What the manifest says of it, and its "keys"."""
        content = component.stream.content
        stream: dict[str, str]
        if content is None:
            name = component.stream.keep()
            self.objects[name] = component.stream.size
            stream = {"object": name}
        elif content.nbytes < _inline_bytes and self.inline + content.nbytes <= _all_inline_bytes:
            self.inline += content.nbytes
            stream = {"inline": base64.b64encode(content).decode()}
        else:
            stream = {"object": self._put(content)}
        return {
            "keys": component.keys,
            "entries": [tuple(key) for key in component.keys] + ([tuple(DEFINITIONS)] if defines else []),
            "stream": stream,
            "buffers": [self._put(buffer.raw()) for buffer in component.buffers],
        }

    def _put(self, content: memoryview) -> str:
        make_way()
        name = objects.put(self._directory, content)
        self.objects[name] = content.nbytes
        return name

    def sync(self) -> None:
        """Make the objects' names durable."""
        if self.objects:
            manifests.sync_directory(self._directory)
