"""A save from end to end, mostly in a child; `__init__` keeps its exceptions from the caller."""

from __future__ import annotations

import functools
import platform
import random
from collections.abc import Callable
from typing import Any

from . import ambient, calm, manifests, objects, points, proof
from .components import Component, Dissector, Parts
from .fork import ChildEnded, Note, in_child
from .names import current_shell, user_names
from .reducers import NeedsKernel
from .refusal import Unusable, cause
from .stream import Key
from .versions import libraries
from .writing import Writer

#: Children that may end without an answer, one after the other, each time without what the one before died of.
_tries = 4
#: Kind and name of an entry in the note that a child leaves.
_between = "\0"

#: What the save before could not pickle.
_suspects: list[Key] = []
#: What a child died of, as long as the name stands for the same object: its id, and the reason.
_deadly: dict[Key, tuple[int, str]] = {}
#: What a child was at, with the object's id, when somebody killed it: perhaps for want of memory, perhaps by chance.
_doubtful: dict[Key, int] = {}
#: Whether something is among the variables that only the kernel itself can save.
_needs_kernel = False


def write(
    namespace: dict[str, Any],
    directory: str,
    cell: int,
    *,
    limit: int,
    deadline: float,
    beside: dict[str, Any] | None,
    fork: bool,
    commit: Callable[[], None],
) -> dict[str, Any]:
    """ "manifest", "missing", "bytes" and "pause" of a new checkpoint. Raises whatever prevents one.

    `commit` is called before the last step of a save without a child, and may raise.
    """
    global _suspects, _needs_kernel
    shell = current_shell(namespace)
    manifests.make_directories(directory)
    ambient.observe(namespace, shell)
    # Looked up here, where it is remembered for the next child.
    libraries()
    work = _Work(namespace, shell, directory, cell, limit, beside)
    pause = 0.0
    answer: dict[str, Any] = {"needs kernel": True}
    if fork and not _needs_kernel:
        answer, pause = _by_child(work, deadline)
    if answer.get("needs kernel"):
        _needs_kernel = fork
        with calm.undisturbed():
            answer = work.run(forked=False, on_entry=lambda key: None, commit=commit)
    if answer["error"]:
        raise Unusable(answer["error"])
    points.reach("saved")
    _suspects = [Key(kind, name) for kind, name in answer["suspects"]]
    proof.remember(answer["proved"])
    manifests.base = answer["manifest"]
    return {
        "manifest": answer["manifest"],
        "missing": answer["missing"],
        "bytes": answer["bytes"],
        "pause": round(pause, 6),
    }


def _by_child(work: _Work, deadline: float) -> tuple[dict[str, Any], float]:
    """The answer of a child, and how long its fork took. What kills a child is left out of the next one's work."""
    for_now: list[Key] = []
    try:
        return _without_the_deadly(work, deadline, for_now)
    finally:
        for key in for_now:
            del _deadly[key]


def _without_the_deadly(work: _Work, deadline: float, for_now: list[Key]) -> tuple[dict[str, Any], float]:
    for tries in range(1, _tries + 1):
        note = Note()
        try:
            # The state of `random` is read here: Python seeds it anew in a child.
            return in_child(functools.partial(_in_child, work, note, random.getstate()), note, deadline)
        except ChildEnded as ended:
            kind, _, name = ended.note.partition(_between)
            key = Key(kind, name)
            if tries == _tries or not kind or key in _deadly:
                raise Unusable(ended.how) from None
            number = id(work.namespace.get(name))
            _deadly[key] = number, f"could not be saved: {ended.how}"
            if ended.was_killed and _doubtful.get(key) != number:
                # Once more with the next cell.
                _doubtful[key] = number
                for_now.append(key)
    raise AssertionError("unreachable")


def _in_child(work: _Work, note: Note, chance: Any) -> dict[str, Any]:
    random.setstate(chance)
    points.reach("forked")
    with calm.undisturbed(deep=True):
        return work.run(
            forked=True,
            on_entry=lambda key: note.write(_between.join(key) if key else ""),
            commit=lambda: None,
        )


class _Work:
    """What is done for one save, here or in a child."""

    def __init__(
        self,
        namespace: dict[str, Any],
        shell: Any,
        directory: str,
        cell: int,
        limit: int,
        beside: dict[str, Any] | None,
    ) -> None:
        self.namespace, self._shell, self._directory, self._cell = namespace, shell, directory, cell
        self._limit, self._beside = limit, beside
        self._objects = manifests.objects_of(directory)

    def run(
        self, *, forked: bool, on_entry: Callable[[Key | None], None], commit: Callable[[], None]
    ) -> dict[str, Any]:
        """Plain values: "manifest", "missing", "bytes", "suspects", "proved", "error"; or "needs kernel"."""
        answer: dict[str, Any] = {"manifest": "", "missing": {}, "bytes": 0, "suspects": [], "proved": [], "error": ""}
        try:
            self._run(answer, forked, on_entry, commit)
        except NeedsKernel:
            return {"needs kernel": True}
        except calm.Interrupted:
            raise
        except BaseException as error:
            answer["error"] = cause(error)
        return answer

    def _run(
        self,
        answer: dict[str, Any],
        forked: bool,
        on_entry: Callable[[Key | None], None],
        commit: Callable[[], None],
    ) -> None:
        place = ambient.place()
        missing: dict[Key, str] = {}
        entries = self._entries(missing)
        dissector = Dissector(self.namespace, self._objects, on_entry, forked=forked)
        parts = dissector.take_apart(entries, _suspects)
        missing.update(parts.missing)
        answer["suspects"] = [tuple(key) for key in parts.missing]
        if self._limit:
            missing.update(_within(parts, self._limit))
        writer = Writer(self._objects)
        components = []
        prover = proof.Prover(self.namespace)
        for component in parts.in_order(entries):
            defines = component is parts.definitions
            left: Component | None = component
            while left is not None:
                written = writer.write(left, defines=defines)
                # Without a fork what loads would act on the kernel itself.
                failed = prover.failure(left, defines=defines, on_entry=on_entry) if forked else None
                if failed is None:
                    components.append(written)
                    break
                missing[failed.key] = f"could be saved but not loaded again ({failed})"
                left = dissector.without(left, failed.key, entries, defines=defines)
        on_entry(None)
        saved = {key for component in components for key in component["keys"]}
        writer.sync()
        named = ambient.unsaved(self.namespace, self._shell)
        answer["missing"] = named | {key.label: why for key, why in missing.items()}
        answer["proved"] = prover.proved
        commit()
        sizes = {
            key: size
            for component in [parts.definitions, *parts.others]
            if component
            for key, size in component.sizes.items()
        }
        total = sum(writer.objects.values()) + writer.inline
        answer["manifest"] = manifests.write(
            self._directory,
            self._cell,
            {
                "format": manifests.FORMAT,
                "cell": self._cell,
                "python": platform.python_version(),
                "libraries": libraries(),
                "algorithm": objects.ALGORITHM,
                "place": place,
                "components": [
                    {"entries": component["entries"], "stream": component["stream"], "buffers": component["buffers"]}
                    for component in components
                ],
                "objects": writer.objects,
                "bytes": total,
                "saved": {
                    key.name: {"type": _type_name(entries[key]), "bytes": sizes.get(key, 0)}
                    for key in entries
                    if key.kind == "name" and key in saved
                },
                "missing": answer["missing"],
            },
        )
        answer["bytes"] = total
        manifests.collect(self._directory, answer["manifest"])

    def _entries(self, missing: dict[Key, str]) -> dict[Key, Any]:
        entries = {Key("name", name): self.namespace[name] for name in user_names(self.namespace)}
        if self.namespace.get("__annotations__"):
            entries[Key("annotations", "__annotations__")] = self.namespace["__annotations__"]
        entries.update(ambient.surroundings(self.namespace, self._shell))
        if self._beside is not None:
            entries[Key("beside", "(beside)")] = self._beside
        for key, (number, why) in _deadly.items():
            if key in entries and (key.kind != "name" or id(entries[key]) == number):
                missing[key] = why
                del entries[key]
        return entries


def _within(parts: Parts, limit: int) -> dict[Key, str]:
    """Take the largest components out until the rest fits; what was taken out, and why."""
    taken: dict[Key, str] = {}
    total = sum(component.bytes for component in [parts.definitions, *parts.others] if component)
    for component in sorted(parts.others, key=lambda component: component.bytes, reverse=True):
        if total <= limit:
            break
        size = component.bytes
        total -= size
        component.stream.drop()
        parts.others.remove(component)
        why = f"was left out: with its {size:,} bytes the state would be larger than the limit of {limit:,}"
        taken.update(dict.fromkeys(component.keys, why))
    return taken


def _type_name(value: Any) -> str:
    """Module and name of the class, for people; "" where a class hides them."""
    try:
        kind = type(value)
        module = kind.__module__
        return kind.__qualname__[:200] if module == "builtins" else f"{module}.{kind.__qualname__}"[:200]
    except Exception:
        return ""
