"""Finding a checkpoint by its digest, and reading what the kernel says of one: hostile files, hostile replies."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

#: Bytes of a manifest that are read.
_MANIFEST_BYTES = 64 * 1024 * 1024
#: Files that are looked at for a digest.
_LOOKED_AT = 10_000
#: Variables that are named as missing, and characters of a name and of a reason.
_NAMES, _NAME_CHARS, _REASON_CHARS = 1000, 200, 500
_MANIFEST_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,199})/(manifest\.json)")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


def manifest_digest(directory: Path, name: object) -> str:
    """SHA-256 of the manifest `<checkpoint>/manifest.json` in `directory`.

    ValueError or OSError if it is no plain, bounded file there; no link is followed on the way.
    """
    match = _MANIFEST_NAME.fullmatch(name) if isinstance(name, str) else None
    if match is None:
        raise ValueError("its manifest has no proper name")
    checkpoint = os.open(directory / match[1], os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(match[2], flags, dir_fd=checkpoint), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MANIFEST_BYTES:
                raise ValueError(f"{name} is no manifest")
            return hashlib.sha256(file.read(_MANIFEST_BYTES)).hexdigest()
    finally:
        os.close(checkpoint)


def find_manifest(directory: Path, digest: str) -> Path | None:
    """The manifest in `directory` with this SHA-256, or None."""
    with os.scandir(directory) as entries:
        names = [entry.name for _, entry in zip(range(_LOOKED_AT), entries, strict=False)]
    for name in names:
        try:
            if manifest_digest(directory, f"{name}/manifest.json") == digest:
                return directory / name / "manifest.json"
        except (OSError, ValueError):
            continue
    return None


def names_with_reasons(reply: object) -> dict[str, str]:
    """What a kernel says is missing, bounded and printable."""
    if not isinstance(reply, dict):
        return {}
    return {
        _UNPRINTABLE.sub("�", str(name)[:_NAME_CHARS]): _UNPRINTABLE.sub("�", str(reason)[:_REASON_CHARS])
        for name, reason in list(reply.items())[:_NAMES]
    }
