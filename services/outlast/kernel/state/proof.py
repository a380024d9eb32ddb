"""Proof that a component loads: what has code of its own for that is loaded once, in the child that saves.

Such code acts on the child alone, which ends a moment later; files are the exception. Long streams are not proved, for
their time and memory; one that does not load is then named by the restore.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterable
from typing import Any

from . import rebuild
from .components import Component
from .stream import DEFINITIONS, Key, LoadFailed, load

#: Bytes of a stream, and of its buffers, that are proved.
_stream_bytes, _buffer_bytes = 1 << 20, 16 << 20
#: Streams that are known to load; beyond that, all are forgotten.
_most = 10_000

_proved: set[str] = set()


def remember(digests: Iterable[str]) -> None:
    """A child has proved these."""
    if len(_proved) > _most:
        _proved.clear()
    _proved.update(digests)


class Prover:
    """For the components of one save, in the order in which they will be loaded."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._definitions: dict[str, Any] = {}
        #: The definitions, as long as they have not been loaded.
        self._waiting: Component | None = None
        self._seal = b""
        #: Digests of what was proved here.
        self.proved: list[str] = []

    def failure(
        self, component: Component, *, defines: bool, on_entry: Callable[[Key | None], None]
    ) -> LoadFailed | None:
        """Why the component does not load, if so."""
        content = component.stream.content
        if content is None or content.nbytes > _stream_bytes or component.bytes - content.nbytes > _buffer_bytes:
            self._waiting = component if defines and content is not None else self._waiting
            return None
        digest = hashlib.blake2b(content, digest_size=16, key=self._seal).hexdigest()
        if defines:
            # What others refer to belongs to what they are.
            self._seal = bytes.fromhex(digest)
            self._waiting = component
        if not component.may_not_load or digest in _proved:
            return None
        try:
            if self._waiting is not None and not defines:
                self._load(self._waiting, True, on_entry)
            self._load(component, defines, on_entry)
        except LoadFailed as failed:
            rebuild.forget()
            return failed
        self.proved.append(digest)
        return None

    def _load(self, component: Component, defines: bool, on_entry: Callable[[Key | None], None]) -> None:
        content = component.stream.content
        assert content is not None
        if defines:
            self._waiting = None
        on_entry(component.keys[0])
        buffers = [memoryview(bytearray(buffer.raw())) for buffer in component.buffers]
        keys = [*component.keys, *([DEFINITIONS] if defines else [])]
        for _ in load(io.BytesIO(content), buffers, self._namespace, self._definitions, keys):
            pass
