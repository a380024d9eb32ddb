"""Takes a namespace apart into components: what shares an object is pickled together, all else by itself.

Theory of operation
    The functions and classes made in cells come first, in one stream, the definitions; what is pickled after them
    refers to them by their slots. Every other entry is pickled by itself. A pickler's memo then tells which objects it
    met, and entries that met the same one are united: pickled once more, in one stream, in which they go on sharing
    it. So an entry that cannot be pickled, or whose pickle kills the process, costs nobody else; and what did not
    change since the last checkpoint gives the same bytes again.

    An object that two entries reach by different ways is referred to at least twice; most are not, and are passed over.
    Weak references do not count as such, so where one was met all objects are compared.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import re
import sys
import types
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from pickle import PickleBuffer
from typing import Any

import cloudpickle.cloudpickle as cloud

from .pickling import KNOWN, LARGE_BYTES, StatePickler, Tables
from .stream import DEFINITIONS, Key, Stream, dump, why_not

#: Whether two entries have the same one of these makes no difference.
_plain = (
    str,
    bytes,
    int,
    float,
    complex,
    bool,
    type(None),
    type(...),
    type(NotImplemented),
    range,
    slice,
    types.CodeType,
)
_immutable = (
    *(datetime.date, datetime.time, datetime.timedelta, datetime.tzinfo, decimal.Decimal, fractions.Fraction),
    *(re.Pattern, uuid.UUID, PurePath, enum.Enum, types.ModuleType, types.BuiltinFunctionType),
)
#: Values of these types, if they are short, go into one stream: nothing can be wrong with them.
_atoms = frozenset((str, bytes, int, float, complex, bool, type(None)))
_short = 4096
#: So do a few of them in one of these, which weak references cannot lead to, if only the namespace refers to it.
_containers, _few = frozenset((list, tuple, dict)), 100


@dataclass(eq=False)
class Component:
    """One stream. `sizes`: bytes of each entry by itself, its buffers included."""

    keys: list[Key]
    stream: Stream
    buffers: list[PickleBuffer]
    may_not_load: bool = False
    sizes: dict[Key, int] = field(default_factory=dict)
    #: Objects that others may have met too, by their ids; kept alive, or an id could be given to another object.
    met: dict[int, Any] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """How much it takes, if none of its buffers is anywhere else."""
        return self.stream.size + sum(buffer.raw().nbytes for buffer in self.buffers)


@dataclass
class Parts:
    """A namespace in components."""

    definitions: Component | None
    others: list[Component]
    missing: dict[Key, str]

    def in_order(self, entries: dict[Key, Any]) -> list[Component]:
        """As they have to be loaded: modules, then the definitions, which may need them, then the rest."""
        modules = [part for part in self.others if _is_module(entries[part.keys[0]])]
        rest = [part for part in self.others if part not in modules]
        return [*modules, *([self.definitions] if self.definitions else []), *rest]


class Dissector:
    """Makes `Parts`, once. `on_entry` is told what is being pickled, and None when nothing is any more."""

    def __init__(
        self,
        namespace: dict[str, Any],
        objects: Path,
        on_entry: Callable[[Key | None], None],
        *,
        forked: bool,
        weak: bool = False,
    ) -> None:
        self._namespace, self._objects, self._on_entry, self._forked = namespace, objects, on_entry, forked
        #: Ids of functions and classes that the definitions hold, and their slots.
        self._slots: dict[int, str] = {}
        self._weak = weak
        self._has_weak = False
        self._missing: dict[Key, str] = {}
        self._tables = Tables()
        self._held_once = _references_if_held_once(namespace, objects)

    def take_apart(self, entries: dict[Key, Any], suspects: Iterable[Key]) -> Parts:
        """The components of these entries. `suspects` could not be pickled the last time. OSError."""
        suspected = frozenset(suspects)
        modules = [key for key, value in entries.items() if key.kind == "name" and _is_module(value)]
        defined = [key for key, value in entries.items() if key.kind == "name" and _is_definition(value)]
        of_an_entry = _references_of_an_entry()
        atoms = [key for key, value in entries.items() if _is_atom(value, of_an_entry)]
        apart = {*modules, *defined, *atoms}
        definitions = self._together(defined, entries, suspected, defines=True) if defined else None
        components = [self._one(key, entries[key]) for key in modules]
        components += [self._together(atoms, entries, frozenset())] if atoms else []
        components += [self._one(key, value) for key, value in entries.items() if key not in apart]
        made = [component for component in components if component is not None]
        if self._has_weak and not self._weak:
            # Once more, and this time with a look at every object.
            for component in made:
                component.stream.drop()
            again = Dissector(self._namespace, self._objects, self._on_entry, forked=self._forked, weak=True)
            return again.take_apart(entries, [*suspected, *self._missing])
        parts = self._unite(definitions, made, entries)
        self._on_entry(None)
        return parts

    def without(self, component: Component, key: Key, entries: dict[Key, Any], *, defines: bool) -> Component | None:
        """A component made again without one of its entries; None if none is left."""
        component.stream.drop()
        return self._together([one for one in component.keys if one != key], entries, frozenset(), defines=defines)

    def _one(self, key: Key, value: Any) -> Component | None:
        return self._write([key], {key: value}, defines=False)

    def _together(
        self, keys: list[Key], entries: dict[Key, Any], suspects: frozenset[Key], *, defines: bool = False
    ) -> Component | None:
        """One component of all that can be pickled.

        Each failure has all written from the start, because the memo then knows objects that are not in the stream. The
        first one therefore has all the others looked for, each alone; the suspects are looked at in advance.
        """
        left = {key: entries[key] for key in keys}

        def search(some: Iterable[Key]) -> None:
            for key in some:
                self._on_entry(key)
                slots = {} if defines else self._slots
                if why := why_not(left[key], self._namespace, slots, self._tables, forked=self._forked):
                    self._missing[key] = why
                    del left[key]

        search([key for key in keys if key in suspects])
        searched = False
        while left:
            before = dict(self._missing)
            component = self._write(list(left), left, defines=defines)
            if component is not None:
                return component
            (failed,) = self._missing.keys() - before.keys()
            after = list(left)[list(left).index(failed) + 1 :]
            del left[failed]
            if not searched:
                search(after)
                searched = True
        return None

    def _write(self, keys: list[Key], entries: dict[Key, Any], *, defines: bool) -> Component | None:
        """A component of these entries; None, and why in `missing`, if one fails."""
        stream = Stream(self._objects)
        slots = {} if defines else self._slots
        pickler = StatePickler(stream, self._namespace, slots, self._tables, forked=self._forked)
        component = Component(keys, stream, pickler.buffers)
        for key in keys:
            self._on_entry(key)
            before = stream.size + pickler.buffer_bytes
            why = dump(key, entries[key], stream, pickler)
            if why:
                stream.drop()
                self._missing[key] = why
                return None
            component.sizes[key] = stream.size + pickler.buffer_bytes - before
        if defines:
            self._slots = {id(value): slot for slot, value in pickler.written.items()}
            pickler.dump((tuple(DEFINITIONS), pickler.written))
        component.may_not_load = pickler.may_not_load
        self._has_weak = self._has_weak or pickler.has_weak
        self._note_met(component, pickler)
        return component

    def _note_met(self, component: Component, pickler: StatePickler) -> None:
        least = self._held_once - self._weak
        memo: Any = pickler.memo
        written = {id(value) for value in pickler.written.values()}
        for index, obj in memo.copy().values():
            # Those at its beginning are in every memo.
            if index >= len(KNOWN) and sys.getrefcount(obj) > least and not _is_same_when_equal(obj):
                number = id(obj)
                if issubclass(type(obj), (types.FunctionType, type)) and (
                    number in self._slots or number not in written
                ):
                    continue
                component.met[number] = obj

    def _unite(self, definitions: Component | None, components: list[Component], entries: dict[Key, Any]) -> Parts:
        every = ([definitions] if definitions else []) + components
        leader = list(range(len(every)))

        def lead(index: int) -> int:
            while leader[index] != index:
                leader[index] = leader[leader[index]]
                index = leader[index]
            return index

        first: dict[int, int] = {}
        for index, component in enumerate(every):
            for number in component.met:
                one, other = sorted((lead(first.setdefault(number, index)), lead(index)))
                leader[other] = one
        groups: dict[int, list[int]] = {}
        for index in range(len(every)):
            groups.setdefault(lead(index), []).append(index)
        united: list[Component | None] = []
        for members in groups.values():
            if len(members) == 1:
                united.append(every[members[0]])
                continue
            sizes = {key: size for index in members for key, size in every[index].sizes.items()}
            for index in members:
                every[index].stream.drop()
            keys = [key for index in members for key in every[index].keys]
            together = self._together(keys, entries, frozenset(), defines=definitions is not None and members[0] == 0)
            if together is not None:
                together.sizes = {key: sizes[key] for key in together.keys}
            united.append(together)
        has_definitions = definitions is not None
        return Parts(
            united[0] if has_definitions else None,
            [component for component in united[has_definitions:] if component is not None],
            self._missing,
        )


def _is_module(value: Any) -> bool:
    # Not `isinstance`, which asks the object too.
    return issubclass(type(value), types.ModuleType)


def _is_definition(value: Any) -> bool:
    """Whether it is a function or class that no import would bring back."""
    try:
        return issubclass(type(value), (types.FunctionType, type)) and not cloud._should_pickle_by_reference(value)
    except Exception:
        return False


def _is_atom(value: Any, of_an_entry: int) -> bool:
    """Whether nothing can be wrong with the value: one of those types, or a few of them in a container that nobody else
    refers to."""
    kind = type(value)
    if kind in _atoms:
        return kind not in (str, bytes) or len(value) <= _short
    if kind not in _containers or len(value) > _few or _references(value) > of_an_entry:
        return False
    parts = value if kind is not dict else [*value, *value.values()]
    return all(type(part) in _atoms and (type(part) not in (str, bytes) or len(part) <= _short) for part in parts)


# How often an object is referred to while one looks at it depends on how one looks, and on Python's version. So it is
# found out with objects of which it is known who else refers to them, looked at in the very same way.


def _references(value: Any) -> int:
    return sys.getrefcount(value)


def _references_of_an_entry() -> int:
    """What `_is_atom` sees of a container that only the namespace refers to, and the table of entries."""
    namespace = {"name": [0]}
    entries = dict(namespace)

    def look(value: Any, _: int) -> int:
        return _references(value)

    (count,) = [look(value, 0) for key, value in entries.items()]
    return count


def _references_if_held_once(namespace: dict[str, Any], objects: Path) -> int:
    """What `_note_met` sees of an object that only one other refers to."""
    pickler = StatePickler(Stream(objects), namespace, {}, Tables(), forked=True)
    pickler.dump([[0]])
    memo: Any = pickler.memo
    counts = []
    for index, obj in memo.copy().values():
        if index >= len(KNOWN) and obj == [0]:
            counts.append(sys.getrefcount(obj))
    (count,) = counts
    return count


_kinds: dict[type, bool] = {}


def _is_same_when_equal(obj: Any) -> bool:
    """Whether nobody could tell the object from an equal one. Long texts count as others do: for their size."""
    kind = type(obj)
    if kind is str or kind is bytes:
        return len(obj) < LARGE_BYTES
    if kind not in _kinds:
        numpy = sys.modules.get("numpy")
        of_numpy = numpy is not None and issubclass(kind, (numpy.dtype, numpy.generic, numpy.ufunc))
        _kinds[kind] = of_numpy or kind in _plain or issubclass(kind, _immutable)
    return _kinds[kind]
