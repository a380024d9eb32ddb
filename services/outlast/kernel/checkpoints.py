"""Finding a checkpoint by its digest, and reading what the kernel says of one: hostile files, hostile replies."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import stat
from pathlib import Path

from .bounded import within

#: Bytes of a manifest that are read.
_MANIFEST_BYTES = 64 * 1024 * 1024
#: Files that are looked at for a digest, and bytes of them all: each may be a link to the same large one.
_LOOKED_AT, _LOOKED_AT_BYTES = 10_000, 1 << 30
#: Variables that are named as missing, and characters of a name and of a reason.
_NAMES, _NAME_CHARS, _REASON_CHARS = 1000, 200, 500
_MANIFEST_NAME = re.compile(r"[0-9]{1,12}-[0-9a-f]{8}\.json")
#: Where they are, below the directory of checkpoints.
_MANIFESTS = "manifests"
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def manifest_digest(directory: Path, name: object) -> str:
    """SHA-256 of the manifest of this name in `directory`, that of the session's checkpoints.

    ValueError or OSError if it is no plain, bounded file there; no link is followed on the way.
    """
    return hashlib.sha256(read_manifest(directory, name)).hexdigest()


def read_manifest(directory: Path, name: object) -> bytes:
    """The manifest's text; errors as of `manifest_digest`."""
    if not isinstance(name, str) or _MANIFEST_NAME.fullmatch(name) is None:
        raise ValueError("its manifest has no proper name")
    place = os.open(directory / _MANIFESTS, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, dir_fd=place), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MANIFEST_BYTES:
                raise ValueError(f"{name} is no manifest")
            return file.read(_MANIFEST_BYTES)
    finally:
        os.close(place)


def find_manifest(directory: Path, digest: str) -> Path | None:
    """The manifest in `directory` with this SHA-256, or None."""
    try:
        with os.scandir(directory / _MANIFESTS) as entries:
            names = [entry.name for _, entry in zip(range(_LOOKED_AT), entries, strict=False)]
    except OSError:
        return None
    left = _LOOKED_AT_BYTES
    for name in sorted(names, key=_number, reverse=True):
        try:
            text = read_manifest(directory, name)
        except (OSError, ValueError):
            continue
        if hashlib.sha256(text).hexdigest() == digest:
            return directory / _MANIFESTS / name
        left -= len(text)
        if left < 0:
            break
    return None


def _number(name: str) -> int:
    """Of the cell, in a proper name: the newest is wanted most often."""
    return int(name.partition("-")[0]) if _MANIFEST_NAME.fullmatch(name) else -1


def names_with_reasons(reply: object) -> dict[str, str]:
    """What a kernel says is missing, bounded and printable."""
    if not isinstance(reply, dict):
        return {}
    said = {
        _UNPRINTABLE.sub("�", str(name)[:_NAME_CHARS]): _UNPRINTABLE.sub("�", str(reason)[:_REASON_CHARS])
        for name, reason in itertools.islice(reply.items(), _NAMES)
    }
    fitting = len(list(within(f"{name}{reason}" for name, reason in said.items())))
    kept = dict(itertools.islice(said.items(), fitting))
    if len(kept) < len(reply):
        kept["…"] = f"and {len(reply) - len(kept)} more"
    return kept
