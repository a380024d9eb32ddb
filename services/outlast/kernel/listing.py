"""What a checkpoint holds, read from its manifest without loading anything: for people, and outside of the kernel.

A manifest is the kernel's word, and so hostile: it counts only if it has the SHA-256 that the log names, its shape is
checked and its parts are counted before they are used, and every text in a `Listing` is cut and printable.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from .checkpoints import read_manifest

#: The only format that is known here; see `state/__init__.py`.
FORMAT = 2
#: Variables, and names that are missing.
_MOST_NAMES = 100_000
#: Entries of any other list: there are as many components as variables, and a few for what surrounds them.
_MOST_ENTRIES = 2 * _MOST_NAMES
_MOST_LIBRARIES = 100
#: What opens or divides something in JSON. Each may cost some sixty bytes of memory; 100,000 variables have 3 million.
_MOST_MARKS = 4_000_000
#: Characters of a name, of a class's name and of a reason that are kept.
_NAME_CHARS, _TYPE_CHARS, _REASON_CHARS = 200, 200, 500
_MOST_BYTES = 1 << 62
_MOST_CELLS = 10**12
#: Names in the directory that are looked at, and files that are read for one cell, which has one by rights.
_LOOKED_AT, _FILES_OF_A_CELL = 10_000, 4

_VERSION = re.compile(r"[0-9A-Za-z.!+_-]{0,40}")
_LIBRARY = re.compile(r"[0-9A-Za-z._-]{1,100}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
#: They lie together because they are short, not because they share anything.
_PLAIN_TYPES = frozenset(("str", "bytes", "int", "float", "complex", "bool", "NoneType"))


@dataclass(frozen=True, slots=True)
class Variable:
    """`bytes` is what it takes by itself."""

    name: str
    type: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Listing:
    """A checkpoint: its variables, the largest first, and what is missing, with the reason.

    `bytes` counts shared objects once and holds, besides the variables, what surrounds them. `checkpoint` is the
    SHA-256 of the manifest. `shared` has groups of names that have an object in common.
    """

    cell: int
    checkpoint: str
    bytes: int
    python: str
    libraries: Mapping[str, str]
    variables: tuple[Variable, ...]
    shared: tuple[tuple[str, ...], ...]
    missing: Mapping[str, str]

    def plain(self) -> dict[str, Any]:
        """As `of_plain` reads it."""
        return {
            "cell": self.cell, "checkpoint": self.checkpoint, "bytes": self.bytes, "python": self.python,
            "libraries": dict(self.libraries),
            "variables": [asdict(each) for each in self.variables],
            "shared": [list(group) for group in self.shared], "missing": dict(self.missing),
        }  # fmt: skip


def find(directory: Path, cell: int, digest: str, most: int = 1 << 62) -> bytes:
    """The manifest of `cell` with this SHA-256 in `directory`, that of the session's checkpoints.

    ValueError, which says why, if there is none: it was changed, given up, has more than `most` bytes, or cannot be
    read.
    """
    names = _names_of(directory, cell, most)
    for name in names:
        try:
            text = read_manifest(directory, name)
        except (OSError, ValueError):
            continue
        if hashlib.sha256(text).hexdigest() == digest:
            return text
    if names:
        raise ValueError("its manifest was changed since it was logged (it has another digest), and is not believed")
    raise ValueError("its manifest is not kept any more: those of the newest 50 cells are")


def _names_of(directory: Path, cell: int, most: int) -> list[str]:
    try:
        with os.scandir(directory / "manifests") as entries:
            files = [entry for _, entry in zip(range(_LOOKED_AT), entries, strict=False)]
        own = [each for each in files if each.name.startswith(f"{cell}-") and each.name.endswith(".json")]
        # The newest first: an older one of the same cell is that of a run that was cut off.
        facts = sorted(
            ((each.stat(follow_symlinks=False), each.name) for each in own), key=lambda each: -each[0].st_mtime
        )
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ValueError(f"its manifest cannot be read ({error.strerror})") from error
    if any(fact.st_size > most for fact, _ in facts):
        raise ValueError(f"its manifest has more than {most:,} bytes")
    return [name for _, name in facts[:_FILES_OF_A_CELL]]


def parse(text: bytes, cell: int) -> Listing:
    """What the manifest of `cell` says; ValueError with a sentence if it is none."""
    manifest = _object(_json(text), "it")
    if manifest.get("format") != FORMAT or type(manifest["format"]) is not int:
        said = manifest.get("format")
        raise ValueError(f"its format is {_shown(said)}, and only {FORMAT} is known here")
    if manifest.get("cell") != cell:
        raise ValueError(f"its manifest says that it is of cell {_shown(manifest.get('cell'))}")
    saved = _bounded(manifest.get("saved"), _MOST_NAMES, "variables")
    variables = [_variable(name, facts) for name, facts in saved]
    return _listing(
        manifest, hashlib.sha256(text).hexdigest(), variables, _shared(manifest.get("components"), variables)
    )


def of_plain(text: bytes) -> Listing:
    """What `Listing.plain` wrote, read with no more trust than a manifest; ValueError."""
    told = _object(_json(text), "it")
    digest = _matching(_DIGEST, told.get("checkpoint"), "its digest")
    variables = [_variable(_object(each, "a variable").get("name"), each) for each in _list(told.get("variables"))]
    groups = [_list(group) for group in _list(told.get("shared"))]
    return _listing(told, digest, variables, [tuple(_text(name, _NAME_CHARS) for name in group) for group in groups])


def _listing(
    told: dict[str, Any], digest: str, variables: Iterable[Variable], shared: Iterable[tuple[str, ...]]
) -> Listing:
    libraries = _bounded(told.get("libraries"), _MOST_LIBRARIES, "libraries")
    missing = _bounded(told.get("missing"), _MOST_NAMES, "missing names")
    return Listing(
        cell=_count(told.get("cell"), _MOST_CELLS, "its cell"),
        checkpoint=digest,
        bytes=_count(told.get("bytes"), _MOST_BYTES, "its size"),
        python=_matching(_VERSION, told.get("python"), "its version of Python"),
        libraries={
            _matching(_LIBRARY, name, "the name of a library"): _matching(_VERSION, version, "the version of a library")
            for name, version in libraries
        },
        variables=tuple(sorted(variables, key=lambda each: (-each.bytes, each.name))),
        shared=tuple(shared),
        missing={_text(name, _NAME_CHARS): _text(why, _REASON_CHARS) for name, why in missing},
    )


def _variable(name: object, facts: object) -> Variable:
    told = _object(facts, "a variable")
    size = _count(told.get("bytes"), _MOST_BYTES, "the size of a variable")
    return Variable(_text(name, _NAME_CHARS), _text(told.get("type"), _TYPE_CHARS), size)


def _shared(components: object, variables: Iterable[Variable]) -> list[tuple[str, ...]]:
    """Groups of names that have objects in common.

    Functions and classes lie together without sharing anything, and so do short plain values.
    """
    plain = {each.name for each in variables if each.type in _PLAIN_TYPES}
    groups = []
    for component in _list(components):
        pairs = [_pair(entry) for entry in _list(_object(component, "a component").get("entries"))]
        names = tuple(name for kind, name in pairs if kind == "name" and name not in plain)
        if len(names) > 1 and all(kind != "definitions" for kind, _ in pairs):
            groups.append(names)
    return groups


def _pair(entry: object) -> tuple[str, str]:
    match entry:
        case [str(kind), str(name)]:
            return kind, _text(name, _NAME_CHARS)
    _refuse("an entry has no kind and name")


def _json(text: bytes) -> object:
    if sum(text.count(mark) for mark in b"[{,:") > _MOST_MARKS:
        _refuse("it has more parts than any checkpoint")
    try:
        return json.loads(text.decode("utf-8"), parse_constant=lambda name: _refuse(f"{name} is no number of it"))
    except (ValueError, RecursionError) as error:
        raise ValueError("its manifest is damaged: it is no JSON") from error


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(f"{what} is no object")
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MOST_ENTRIES:
        _refuse("a list in it is none, or too long")
    return value


def _bounded(value: object, most: int, what: str) -> list[tuple[str, Any]]:
    values = _object(value, f"its list of {what}")
    if len(values) > most:
        _refuse(f"it has {len(values):,} {what}, and {most:,} are the most")
    return list(values.items())


def _count(value: object, most: int, what: str) -> int:
    if type(value) is not int or not 0 <= value <= most:
        _refuse(f"{what} is no whole number from 0 to {most:,}")
    return value


def _matching(pattern: re.Pattern[str], value: object, what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        _refuse(f"{what} is malformed")
    return value


def _text(value: object, most: int) -> str:
    """At most `most` characters, each of them printable."""
    if not isinstance(value, str):
        _refuse("a name or reason in it is no text")
    kept = value if len(value) <= most else value[: most - 1] + "…"
    return kept if kept.isprintable() else "".join(each if each.isprintable() else "�" for each in kept)


def _shown(value: object) -> str:
    return _text(str(value)[:20], 20) if isinstance(value, str | int | float) else "none"


def _refuse(what: str) -> NoReturn:
    raise ValueError(f"its manifest is damaged: {what}")
