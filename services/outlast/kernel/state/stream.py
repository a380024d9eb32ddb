"""The stream of a checkpoint: entries written one after the other with one memo, and read in the same order."""

from __future__ import annotations

import contextlib
import pickle
import types
from collections.abc import Callable, Collection
from typing import Any, NamedTuple, Protocol

from . import rebuild
from .calm import Interrupted
from .pickling import StatePickler
from .refusal import Unusable, reason


class Key(NamedTuple):
    """What an entry is: `kind` "name" for the user's names, others for what `ambient` knows."""

    kind: str
    name: str

    @property
    def label(self) -> str:
        """How it is called where it is missing."""
        return self.name


class RestartableSink(Protocol):
    """Where a checkpoint goes. `failure`: the write error that ended it, as opposed to an error of an object."""

    failure: OSError | None

    @property
    def size(self) -> int: ...
    def write(self, data: Any, /) -> int: ...
    def restart(self) -> None: ...


class _NullSink:
    """Takes everything and keeps nothing: to learn whether an object can be pickled."""

    def write(self, data: Any, /) -> int:
        return 0


def write(
    sink: RestartableSink,
    namespace: dict[str, Any],
    place: dict[str, Any],
    entries: dict[Key, Any],
    suspects: Collection[Key],
) -> tuple[dict[Key, int], dict[Key, str]]:
    """Write what can be pickled of `entries`: the bytes that each added, and why the others could not be.

    Each round writes all from the start, because the memo knows objects of a failed entry that are not in the stream.
    The first failure therefore has all the others looked for, each alone; the `suspects`, those of the save before,
    are looked at in advance. OSError if the sink fails.
    """
    left = {key: entries[key] for key in sorted(entries, key=lambda key: _rank(key, entries[key]))}
    missing: dict[Key, str] = {}

    def search(keys: Collection[Key]) -> None:
        for key in keys:
            why = _alone(namespace, left[key])
            if why:
                missing[key] = why
                del left[key]

    search([key for key in suspects if key in left])
    searched = False
    while True:
        failed, why, sizes = _attempt(sink, namespace, place, left)
        if failed is None:
            return sizes, missing
        missing[failed] = why
        after = list(left)[list(left).index(failed) + 1 :]
        del left[failed]
        if not searched:
            search(after)
            searched = True


def _rank(key: Key, value: Any) -> int:
    """Modules first, then functions and classes, then the user's other names, then what surrounds them."""
    if key.kind != "name":
        return 3
    kind = type(value)
    return 0 if issubclass(kind, types.ModuleType) else 1 if issubclass(kind, (types.FunctionType, type)) else 2


def _attempt(
    sink: RestartableSink, namespace: dict[str, Any], place: dict[str, Any], entries: dict[Key, Any]
) -> tuple[Key | None, str, dict[Key, int]]:
    """One round: the first entry that failed and why, or the sizes of all."""
    sink.restart()
    pickler = _pickler(sink, namespace, {**place, "order": [tuple(key) for key in entries]})
    sizes: dict[Key, int] = {}
    for key, value in entries.items():
        before = sink.size
        try:
            pickler.dump((tuple(key), value))
        except Interrupted:
            raise
        except BaseException as error:
            if sink.failure is not None:
                raise sink.failure from None
            return key, reason(error), {}
        sizes[key] = sink.size - before
    return None, "", sizes


def _pickler(sink: Any, namespace: dict[str, Any], place: dict[str, Any]) -> StatePickler:
    pickler = StatePickler(sink, namespace)
    # First, while the memo is small: each copies it.
    pickler.stand_in(rebuild.namespace, namespace)
    pickler.stand_in(rebuild.builtin_names, rebuild.builtin_names())
    pickler.dump(place)
    return pickler


def _alone(namespace: dict[str, Any], value: Any) -> str:
    """Why this value cannot be pickled, or ""."""
    try:
        _pickler(_NullSink(), namespace, {}).dump(value)
    except Interrupted:
        raise
    except BaseException as error:
        return reason(error)
    return ""


class _Loader(pickle.Unpickler):
    """Finds the functions of `rebuild` under their fixed name, and the live namespace by its stand-in."""

    def __init__(self, file: Any, namespace: dict[str, Any]) -> None:
        super().__init__(file)
        self._namespace = namespace

    def find_class(self, module: str, name: str, /) -> Any:
        if module != rebuild.ALIAS:
            return super().find_class(module, name)
        return (lambda: self._namespace) if name == rebuild.namespace.__name__ else getattr(rebuild, name)


class LoadFailed(Unusable):
    """An entry did not load; the text names it."""


def read(
    file: Any,
    namespace: dict[str, Any],
    enter: Callable[[dict[str, Any]], Callable[[], None]],
    commit: Callable[[], None],
) -> dict[Key, Any]:
    """Load all entries; those of kind "name" are bound in `namespace` at once.

    `enter` gets the place first (directory, paths, environment), makes the process stand there and returns how to undo
    it; `commit` is called at the end. On a failure, also of `commit`, that is undone, all bindings are taken back, and
    LoadFailed is raised.
    """
    loader = _Loader(file, namespace)
    before = dict(namespace)
    undo: Callable[[], None] | None = None
    at = "its beginning"
    loaded: dict[Key, Any] = {}
    try:
        loader.load()  # the stand-in of the namespace
        loader.load()  # and of the builtins
        place = loader.load()
        undo = enter(place)
        for kind, name in place["order"]:
            key = Key(kind, name)
            at = key.label
            written, value = loader.load()
            if key != written:
                raise LoadFailed("its order is not as announced")
            loaded[key] = value
            if kind == "name":
                namespace[name] = value
        rebuild.finish()
        commit()
    except BaseException as error:
        rebuild.forget()
        namespace.clear()
        namespace.update(before)
        if undo is not None:
            with contextlib.suppress(OSError):
                undo()
        if isinstance(error, Interrupted):
            raise
        raise LoadFailed(f"{at} did not load ({reason(error)})") from None
    return loaded
