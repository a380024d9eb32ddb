"""`outlast cp ID:PATH… DEST`: files of a session, out of its workspace: here, or in the stack's worker container."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing

from . import archive, beneath
from .address import Address, address, path_of
from .elsewhere import asked
from .output import Misuse, Output, Trouble, complain
from .saving import Destination, Item, Short, chunks
from .source import Source
from .text import file_name, plural, size

STDOUT = "-"

#: Files left out that are named; a session may have made a million FIFOs.
_NAMED = 20


class _Report:
    """What was not copied, or not as it is now. `failed` is whether that was for want of something."""

    def __init__(self) -> None:
        self.failed = False
        self._said = 0

    def say(self, path: str, what: str, *, failed: bool = False) -> None:
        """A sentence about one file."""
        self.failed |= failed
        self._said += 1
        if self._said <= _NAMED:
            complain(f"{file_name(path[:300])} {what}.")

    def end(self) -> None:
        if self._said > _NAMED:
            complain(f"… and {plural(self._said - _NAMED, 'more file')} not copied, or changed meanwhile.")


def run(given: argparse.Namespace, source: Source, out: Output) -> int:
    """Copy; 0, or 1 if something could not be copied, with a sentence for it."""
    sources = [address(text) for text in given.source]
    _check(sources, given)
    report = _Report()
    items: Iterator[Item]
    with ExitStack() as stack:
        here: list[tuple[int, Address]] = []
        for item in sources:
            workspace = beneath.enter_workspace(given.settings.workspaces, item.session)
            if workspace is not None:
                stack.callback(os.close, workspace)
                here.append((workspace, item))
        if len(here) == len(sources):
            items = stack.enter_context(closing(_items(here, given.recursive, report)))
        else:
            for item in sources:
                source.known(item.session)
            flags = ["--recursive"] * given.recursive + ["--tar"] * (given.tar or given.dest != STDOUT)
            arguments = ["cp", *flags, "--", *given.source, STDOUT]
            stream = stack.enter_context(asked(arguments, sources[0].session, given.settings.workspaces))
            if given.dest == STDOUT:
                shutil.copyfileobj(stream, sys.stdout.buffer)
                return 0
            items = archive.read(stream)
        if given.dest == STDOUT:
            _print(items, given.tar)
        else:
            destination = Destination(given.dest, [item.name for item in sources])
            stack.callback(destination.close)
            _save(items, destination, given.dest, report, out)
    report.end()
    return int(report.failed)


def _check(sources: list[Address], given: argparse.Namespace) -> None:
    if len({item.name for item in sources}) < len(sources):
        raise Misuse("two of the sources have the same name, and one copy would replace the other; copy them apart.")
    if given.tar and given.dest != STDOUT:
        raise Misuse("--tar is for writing to standard output; give - as the destination.")
    if given.dest != STDOUT:
        return
    if not given.tar and (given.recursive or len(sources) > 1):
        raise Misuse("more than one file needs --tar to go to standard output.")
    if sys.stdout.isatty():
        raise Misuse("standard output is a terminal, which would obey what is in the file; add `| less`, or `> FILE`.")


def _items(here: list[tuple[int, Address]], recursive: bool, report: _Report) -> Generator[Item, None, None]:
    for workspace, source in here:
        with closing(_below(workspace, source, recursive, report)) as items:
            yield from beneath.each_as(beneath.identity_of(workspace), items)


def _below(workspace: int, source: Address, recursive: bool, report: _Report) -> Generator[Item, None, None]:
    shown = f"{source.session}:{path_of(source.top, source.parts)}"
    try:
        top = beneath.enter(workspace, source.top)
    except OSError as error:
        raise Trouble(f"{source.top}/ of session {source.session} cannot be read: {error.strerror}.") from error
    try:
        with beneath.found(top, source.parts, shown) as entry:
            yield from _found(entry, source, shown, recursive, report)
    finally:
        os.close(top)


def _found(entry: beneath.Entry, source: Address, shown: str, recursive: bool, report: _Report) -> Iterator[Item]:
    if entry.kind != "directory":
        if entry.kind != "file":
            raise Trouble(f"{file_name(shown)} {_not_copied(entry)}.")
        yield from _file(entry, (source.name,), shown, report)
        return
    if not recursive:
        raise Trouble(f"{file_name(shown)} is a directory; -r copies it.")
    try:
        inner = beneath.enter(entry.directory, entry.parts[-1] if entry.parts else ".")
    except OSError as error:
        raise Trouble(f"{file_name(shown)} cannot be read: {error.strerror}.") from error
    try:
        yield Item((source.name,))
        with closing(beneath.walk(inner)) as entries:
            for below in entries:
                path = path_of(source.top, source.parts + below.parts)
                parts = (source.name, *below.parts)
                if below.error:
                    report.say(path, f"cannot be read: {below.error}", failed=True)
                elif below.kind == "directory":
                    yield Item(parts)
                elif below.kind == "file":
                    yield from _file(below, parts, path, report)
                else:
                    report.say(path, _not_copied(below))
    finally:
        os.close(inner)


def _not_copied(entry: beneath.Entry) -> str:
    if entry.kind == "link":
        return f"is a link to {file_name(entry.link[:300])} and was not copied, for links are not followed"
    return f"is a {entry.kind} and was not copied"


def _file(entry: beneath.Entry, parts: tuple[str, ...], path: str, report: _Report) -> Iterator[Item]:
    try:
        content = beneath.open_file(entry.directory, entry.parts[-1])
    except FileNotFoundError:
        report.say(path, "vanished before it was copied", failed=len(parts) == 1)
        return
    except OSError as error:
        report.say(path, f"cannot be read: {error.strerror}", failed=True)
        return
    with content:
        before = os.fstat(content.fileno())
        yield Item(parts, before.st_size, content)
        after = os.fstat(content.fileno())
        if content.tell() < before.st_size:
            return  # Not copied, and said.
        if after.st_size != before.st_size:
            report.say(path, f"had {before.st_size} bytes, which were copied, and has {after.st_size} now")
        elif after.st_mtime_ns != before.st_mtime_ns:
            report.say(path, "was changed while it was copied; the copy may be half old and half new")


def _save(items: Iterator[Item], destination: Destination, name: str, report: _Report, out: Output) -> None:
    count = total = 0
    for item in items:
        try:
            path = destination.save(item)
        except Short as short:
            report.say("/".join(item.parts), f"was not copied: {short}", failed=True)
            continue
        if item.content is not None:
            count, total = count + 1, total + item.size
            if out.json:
                out.emit({"copied": str(path), "size": item.size})
    if not out.json:
        out.line(f"{plural(count, 'file')}, {size(total)}, copied to {file_name(name)}")


def _print(items: Iterator[Item], as_archive: bool) -> None:
    """To standard output. An archive that cannot be completed is cut off, so that nobody takes it for whole."""
    stream = sys.stdout.buffer
    try:
        if as_archive:
            archive.write(items, stream)
        else:
            for item in items:
                for chunk in chunks(item):
                    stream.write(chunk)
        stream.flush()
    except Short as short:
        raise Trouble(f"a file was not copied, nor anything after it: {short}.") from short
