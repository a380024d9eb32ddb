"""Whether .env can be used: every name known, every value allowed, each mistake with its line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from ..errors import SettingsError
from ..settings import Settings
from . import dotenv
from .findings import Finding, bad, good
from .options import BY_NAME, REPLACED

CHECK = "settings"

#: What Compose and Docker read from .env themselves.
_THEIRS = ("COMPOSE_", "DOCKER_", "BUILDKIT_", "BUILDX_")
_OURS = tuple(f"OUTLAST_{setting.name.upper()}" for setting in fields(Settings))


def findings(path: Path, environ: Mapping[str, str], used: Collection[str]) -> Iterator[Finding]:
    """Every mistake, else one line; `used` are the names that the stack's own files take."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        yield bad(CHECK, f"{path.name} cannot be read ({why}).", "Mend the file, or take it away: a new one is made.")
        return
    entries = dotenv.read(text)
    mistakes = [*_mistakes(path.name, entries, used), *_overriding(environ, entries)]
    yield from mistakes
    if not mistakes:
        yield good(CHECK, f"{len(entries)} in {path.name}" if path.exists() else "all as they come, without .env")


def _mistakes(file: str, entries: list[dotenv.Entry], used: Collection[str]) -> Iterator[Finding]:
    ours: dict[str, dotenv.Entry] = {}
    for entry in entries:
        here = f"{file}:{entry.line}"
        if entry.name in REPLACED:
            said = f"{here}: {entry.name} does not reach the containers: {REPLACED[entry.name]}."
            yield bad(CHECK, said, "Take the line out.")
        elif entry.name in BY_NAME:
            yield from _wrong(here, entry.name, entry.value)
        elif entry.name.startswith("OUTLAST_"):
            ours[entry.name] = entry
        elif not entry.name.startswith(_THEIRS) and entry.name not in used:
            close = difflib.get_close_matches(entry.name, [*BY_NAME, *_OURS], n=1)
            mend = f"Did you mean {close[0]}?" if close else "See .env.example for those that are."
            yield bad(CHECK, f"{here}: {entry.name} is not a setting of this stack.", mend)
    try:
        Settings.load({name: entry.value for name, entry in ours.items()})
    except SettingsError as error:
        for sentence in str(error).splitlines():
            named = re.match(r"OUTLAST_[A-Z0-9_]*", sentence)
            entry_of = ours.get(named[0]) if named else None
            yield bad(CHECK, f"{file}:{entry_of.line}: {sentence}" if entry_of else f"{file}: {sentence}", "")


def _wrong(here: str, name: str, value: str) -> Iterator[Finding]:
    # What Compose puts together from other variables is looked at when it has done so.
    if "$" in value or (not value and not BY_NAME[name].default):
        return
    try:
        BY_NAME[name].check(value)
    except ValueError as allowed:
        yield bad(CHECK, f"{here}: {name}={value!r} is not {allowed}.", "")


def _overriding(environ: Mapping[str, str], entries: list[dotenv.Entry]) -> Iterator[Finding]:
    """The environment of the command wins over the file, as for every `docker compose`; so it is checked too."""
    for name in BY_NAME:
        if environ.get(name):
            yield from _wrong("the environment", name, environ[name])


def names_used(files: Collection[Path]) -> set[str]:
    """The variables that files of Compose take: an operator's own file may have some of its own."""
    used: set[str] = set()
    for file in files:
        try:
            used |= set(re.findall(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)", file.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            continue
    return used


def value(path: Path, name: str) -> str:
    """What the file says of one name; empty if nothing, or if it cannot be read."""
    try:
        entries = dotenv.read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""
    return next((entry.value for entry in entries if entry.name == name), "")
