"""Pickling parts of a namespace into streams, to be loaded onto another namespace.

What cannot be seen from one object is here: what is referred to instead of being written, what is kept beside a stream,
and what was met on the way. How objects of each kind are written is in `reducers.py`.
"""

from __future__ import annotations

import copyreg
import pickle
from typing import Any, Protocol

import cloudpickle.cloudpickle as cloud

from . import rebuild, singletons
from .arrays import Alone, Given
from .reducers import HARMLESS, PROTOCOL, Reducer, Reducers, library_of, module_of, usual_reducer
from .refusal import Refused, refusal

#: What is never written, but referred to: the namespace, the names of the builtins, In, Out, and what `rebuild` names.
#: Every stream begins with calls that give them. A loader runs these and has the results in its memo, by their order,
#: where a pickler takes them to be.
KNOWN = tuple(
    b"\x80\x05c%s\n%s\n)R\x94." % (rebuild.ALIAS.encode(), name.encode())
    for name in ("namespace", "builtin_names", "inputs", "outputs", *rebuild.LIVE)
)

_beginning = b"".join(KNOWN)

#: Bytes from which on a buffer is kept beside the stream, where it is compared with what was there before.
LARGE_BYTES = 1 << 16


class Sink(Protocol):
    """Where a stream goes."""

    def write(self, data: Any, /) -> int: ...


class Tables:
    """What the picklers of one save know in common."""

    def __init__(self) -> None:
        # A plain dictionary: pickle looks into it once an object, and cloudpickle's own is a slow ChainMap.
        self.dispatch: dict[type, Any] = {**copyreg.dispatch_table, **cloud.Pickler._dispatch_table}
        #: By the ids of classes, because a class may be unhashable, by way of its metaclass: the reducer, whether its
        #: objects load wherever they could be pickled, and the class, which so keeps its id.
        self.reducers: dict[int, tuple[Reducer | None, bool, type]] = {}
        self.importable: dict[str, bool] = {}
        self._memo: dict[int, tuple[int, Any]] = {}

    def memo(self, namespace: dict[str, Any]) -> Any:
        """Where a pickler takes what is known to be."""
        if not self._memo:
            inputs, outputs = namespace.get("_ih", []), namespace.get("_oh", {})
            known = namespace, rebuild.builtin_names(), inputs, outputs, *(find() for find in rebuild.LIVE.values())
            self._memo = {id(value): (index, value) for index, value in enumerate(known)}
        return self._memo


class StatePickler(Reducers, pickle.Pickler):
    """Writes entries with one memo; `namespace` is never written, only referred to.

    `definitions` (id: slot) are the functions and classes that another stream holds; here they are referred to.
    """

    def __init__(
        self, sink: Sink, namespace: dict[str, Any], definitions: dict[int, str], tables: Tables, *, forked: bool
    ) -> None:
        self.dispatch_table = tables.dispatch
        pickle.Pickler.__init__(self, sink, PROTOCOL, buffer_callback=self._out_of_band)
        Reducers.__init__(self)
        self.namespace = namespace
        self.definitions = definitions
        #: Large buffers, in the order of the stream.
        self.buffers: list[pickle.PickleBuffer] = []
        self.buffer_bytes = 0
        #: Whether anything was met that has code of its own for being loaded, which might fail.
        self.may_not_load = False
        #: Whether anything was met that knows others without holding them.
        self.has_weak = False
        self._forked = forked
        self._reducers = tables.reducers
        self.importable = tables.importable
        sink.write(_beginning)
        self.memo = tables.memo(namespace)

    def _out_of_band(self, buffer: pickle.PickleBuffer) -> bool:
        size = buffer.raw().nbytes
        if size < LARGE_BYTES:
            return True
        self.buffers.append(buffer)
        self.buffer_bytes += size
        return False

    def reducer_override(self, obj: Any) -> Any:
        """Called for all but the plainest objects: one look into a table of classes decides."""
        kind = type(obj)
        known = self._reducers.get(id(kind))
        if known is None:
            harmless = library_of(kind) in HARMLESS or kind in (Alone, Given)
            known = self._reducers[id(kind)] = self._reducer(kind), harmless, kind
        reducer, harmless, _ = known
        if not harmless:
            self.may_not_load = True
        return NotImplemented if reducer is None else reducer(self, obj)

    def _reducer(self, kind: type) -> Reducer | None:
        why = refusal(kind)
        if why:
            raise Refused(why)
        usual = usual_reducer(kind, forked=self._forked, dispatch=self.dispatch_table)
        ones = singletons.of_kind(kind, str(module_of(kind)))
        if not ones:
            return usual

        def reduce(self: StatePickler, obj: Any) -> Any:
            if id(obj) in ones:
                return rebuild.imported, ones[id(obj)]
            return NotImplemented if usual is None else usual(self, obj)

        return reduce
