"""Streams: entries pickled one after the other with one memo, and read in the same order."""

from __future__ import annotations

import errno
import functools
import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from . import rebuild
from .calm import Interrupted
from .objects import NewObject
from .pickling import KNOWN, StatePickler, Tables
from .reducers import NeedsKernel
from .refusal import Unusable, reason

#: Bytes that a stream may have in memory.
_memory_bytes = 8 << 20


class Key(NamedTuple):
    """What an entry is: `kind` "name" for the user's names, others for what `ambient` knows."""

    kind: str
    name: str

    @property
    def label(self) -> str:
        """How it is called where it is missing."""
        return self.name


#: The last entry of the definitions: by their slots, what other streams refer to.
DEFINITIONS = Key("definitions", "")


class Stream:
    """What a pickler writes: in memory while it is short, then in a file of the objects' directory."""

    def __init__(self, objects: Path) -> None:
        self._objects = objects
        self._memory = bytearray()
        self._file: NewObject | None = None
        #: The error that writing the file ended with, as opposed to one of an object's.
        self.failure: OSError | None = None

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return len(self._memory) + (self._file.bytes if self._file else 0)

    def write(self, data: Any, /) -> int:
        """All of `data`."""
        view = data.raw() if isinstance(data, pickle.PickleBuffer) else memoryview(data)
        if self._file is None and len(self._memory) + view.nbytes <= _memory_bytes:
            self._memory += view
            return int(view.nbytes)
        try:
            if self._file is None:
                self._file = NewObject(self._objects)
                self._file.write(self._memory)
                self._memory = bytearray()
            self._file.write(view)
        except OSError as error:
            self.failure = error
            raise
        return int(view.nbytes)

    @property
    def content(self) -> memoryview | None:
        """All of it, if it is in memory."""
        return None if self._file else memoryview(self._memory)

    def keep(self) -> str:
        """Make its file an object; the object's name."""
        assert self._file is not None
        return self._file.keep()

    def drop(self) -> None:
        """It is not needed."""
        if self._file is not None:
            self._file.drop()


class _Nowhere:
    """Takes everything and keeps nothing: to learn whether an object can be pickled."""

    def write(self, data: Any, /) -> int:
        return 0


def dump(key: Key, value: Any, stream: Stream, pickler: StatePickler) -> str:
    """Write an entry; "", or why it could not be pickled, and then the stream is of no use. OSError if that failed."""
    try:
        pickler.dump((tuple(key), value))
    except (Interrupted, NeedsKernel):
        raise
    except BaseException as error:
        # A file that would be too large is this entry's own; for anything else no other could be written either.
        if stream.failure is not None and stream.failure.errno != errno.EFBIG:
            raise stream.failure from None
        return reason(error)
    return ""


def why_not(value: Any, namespace: dict[str, Any], definitions: dict[int, str], tables: Tables, *, forked: bool) -> str:
    """Why this value cannot be pickled by itself, or ""."""
    try:
        StatePickler(_Nowhere(), namespace, definitions, tables, forked=forked).dump(value)
    except (Interrupted, NeedsKernel):
        raise
    except BaseException as error:
        return reason(error)
    return ""


class _Loader(pickle.Unpickler):
    """Finds the functions of `rebuild` under their fixed name, and the definitions by their slots."""

    def __init__(
        self, file: Any, buffers: Iterable[memoryview], namespace: dict[str, Any], definitions: dict[str, Any]
    ) -> None:
        super().__init__(file, buffers=buffers)
        self._namespace, self._definitions = namespace, definitions
        self._inputs, self._outputs = namespace.get("_ih", []), namespace.get("_oh", {})
        for _ in KNOWN:
            self.load()

    def find_class(self, module: str, name: str, /) -> Any:
        if module != rebuild.ALIAS:
            return super().find_class(module, name)
        if name == rebuild.definition.__name__:
            # No method of the loader's: its memo keeps it, and a loader that keeps itself keeps all that it has loaded.
            return functools.partial(_definition, self._definitions)
        known = {"namespace": self._namespace, "inputs": self._inputs, "outputs": self._outputs}
        if name in known:
            return lambda: known[name]
        return rebuild.LIVE[name] if name in rebuild.LIVE else getattr(rebuild, name)


def _definition(definitions: dict[str, Any], slot: str) -> Any:
    try:
        return definitions[slot]
    except KeyError:
        raise Unusable(f"needs {slot}, which is missing") from None


class LoadFailed(Unusable):
    """An entry, `key`, did not load; the text says why."""

    def __init__(self, key: Key, why: str) -> None:
        super().__init__(why)
        self.key = key


def load(
    file: Any,
    buffers: Iterable[memoryview],
    namespace: dict[str, Any],
    definitions: dict[str, Any],
    expected: list[Key],
) -> Iterator[tuple[Key, Any]]:
    """The entries of a stream, as they are loaded; LoadFailed, Interrupted. What defines fills `definitions` too."""
    loader = _Loader(file, buffers, namespace, definitions)
    for key in expected:
        try:
            written, value = loader.load()
        except Interrupted:
            raise
        except BaseException as error:
            raise LoadFailed(key, reason(error)) from None
        if key != written:
            raise LoadFailed(key, "its order is not as announced")
        if key == DEFINITIONS:
            definitions.update(value)
        else:
            yield key, value
    rebuild.finish_stream()
