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
    mistakes = [*_mistakes(path.name, entries, used), *_overriding(environ)]
    yield from (finding for _, finding in sorted(mistakes, key=lambda mistake: mistake[0]))
    if not mistakes:
        yield good(CHECK, f"{len(entries)} in {path.name}" if path.exists() else "all as they come, without .env")


def _mistakes(
    file: str, entries: list[dotenv.Entry], used: Collection[str]
) -> Iterator[tuple[int, Finding]]:
    """Each with its line."""
    ours: dict[str, dotenv.Entry] = {}
    for entry in entries:
        if entry.name.startswith("OUTLAST_") and entry.name not in REPLACED and entry.name not in BY_NAME:
            ours[entry.name] = entry
            continue
        said, mend = _wrong(entry.name, entry.value), ""
        if entry.name in REPLACED:
            said = f"{entry.name} does not reach the containers: {REPLACED[entry.name]}."
            mend = "Take the line out."
        elif entry.name not in BY_NAME and not entry.name.startswith(_THEIRS) and entry.name not in used:
            close = difflib.get_close_matches(entry.name, [*BY_NAME, *_OURS], n=1)
            said = f"{entry.name} is not a setting of this stack."
            mend = f"Did you mean {close[0]}?" if close else "See .env.example for those that are."
        if said:
            yield entry.line, bad(CHECK, f"{file}:{entry.line}: {said}", mend)
    try:
        Settings.load({name: entry.value for name, entry in ours.items()})
    except SettingsError as error:
        for sentence in str(error).splitlines():
            line = ours[sentence.split()[0].partition("=")[0]].line
            yield line, bad(CHECK, f"{file}:{line}: {sentence}", "")


def _wrong(name: str, value: str) -> str:
    """The sentence about a value that is not allowed; empty for one that is, and for a name that is none of these."""
    option = BY_NAME.get(name)
    # What Compose puts together from other variables is looked at when it has done so.
    if option is None or "$" in value or (not value and not option.default):
        return ""
    try:
        option.check(value)
    except ValueError as allowed:
        return f"{name}={value!r} is not {allowed}."
    return ""


def _overriding(environ: Mapping[str, str]) -> Iterator[tuple[int, Finding]]:
    """The environment of the command wins over the file, as for every `docker compose`; so it is checked too."""
    for name in BY_NAME:
        if environ.get(name) and (said := _wrong(name, environ[name])):
            yield 0, bad(CHECK, f"the environment: {said}", "")


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
