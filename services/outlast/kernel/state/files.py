"""The files of checkpoints: a directory each, whole or absent, the newest kept."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import pickle
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from .refusal import Unusable

try:
    _fast: Any = importlib.import_module("xxhash").xxh3_128
except ImportError:
    _fast = None

STATE = "state.pickle"
MANIFEST = "manifest.json"

#: Checkpoints kept, the newest among them.
kept_checkpoints = 3
#: Bytes gathered before they are written.
_chunk_bytes = 1 << 20
#: A manifest is small: names and reasons.
_manifest_bytes = 64 << 20

_directory_name = re.compile(r"([0-9]{1,12})-[0-9a-f]{8}")
_temporary = ".tmp"


class Damaged(Unusable):
    """A checkpoint's files are not what they were written as; the text says in what."""


def digester(algorithm: str) -> Any:
    """A new digest; Damaged if this machine does not have the algorithm."""
    if algorithm == "xxh3_128" and _fast is not None:
        return _fast()
    if algorithm == "sha256":
        return hashlib.sha256()
    raise Damaged(f"its digest is of a kind that is not installed here ({algorithm[:20]})")


class StateFile:
    """The state file being written; counts and digests what passes."""

    def __init__(self, path: str) -> None:
        self.algorithm = "sha256" if _fast is None else "xxh3_128"
        self.failure: OSError | None = None
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._begin()

    def _begin(self) -> None:
        self._digest = digester(self.algorithm)
        self._gathered = bytearray()
        self._written = 0

    @property
    def size(self) -> int:
        return self._written + len(self._gathered)

    @property
    def digest(self) -> str:
        return str(self._digest.hexdigest())

    def restart(self) -> None:
        """Begin again with an empty file."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.ftruncate(self._descriptor, 0)
        self._begin()

    def write(self, data: Any, /) -> int:
        """All of `data`, or OSError, kept as `failure`: the pickler's caller could not tell it from an object's."""
        # Large buffers come as what they are in memory; `raw` because one may be in Fortran's order.
        view = data.raw() if isinstance(data, pickle.PickleBuffer) else memoryview(data)
        self._digest.update(view)
        if len(view) < _chunk_bytes:
            self._gathered += view
            if len(self._gathered) >= _chunk_bytes:
                self._flush()
        else:
            self._flush()
            self._put(view)
        return len(view)

    def _flush(self) -> None:
        gathered, self._gathered = self._gathered, bytearray()
        self._put(memoryview(gathered))

    def _put(self, view: memoryview) -> None:
        try:
            while view:
                count = os.write(self._descriptor, view)
                self._written += count
                view = view[count:]
        except OSError as error:
            self.failure = error
            raise

    def sync(self) -> None:
        self._flush()
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


@contextmanager
def new_checkpoint(directory: str, cell: int) -> Iterator[Path]:
    """A new directory for the checkpoint of `cell`; removed again if the block fails."""
    os.makedirs(directory, mode=0o700, exist_ok=True)
    path = Path(directory, f"{cell}-{secrets.token_hex(4)}")
    path.mkdir(mode=0o700)
    try:
        yield path
    except BaseException:
        _remove(path)
        raise


def write_manifest(checkpoint: Path, manifest: dict[str, Any]) -> None:
    """The last step of a save: once this returns, the checkpoint is durable. The state file is synced already."""
    (checkpoint / (STATE + _temporary)).rename(checkpoint / STATE)
    temporary = checkpoint / (MANIFEST + _temporary)
    with open(temporary, "xb") as file:
        file.write(json.dumps(manifest, ensure_ascii=True).encode())
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(checkpoint / MANIFEST)
    _sync_directory(checkpoint)
    _sync_directory(checkpoint.parent)


def temporary_state(checkpoint: Path) -> str:
    return str(checkpoint / (STATE + _temporary))


def read_manifest(path: str) -> dict[str, Any]:
    """Damaged if it is no manifest; OSError if it cannot be read."""
    with _open(path) as file:
        text = file.read(_manifest_bytes + 1)
    try:
        manifest = json.loads(text) if len(text) <= _manifest_bytes else None
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict):
        raise Damaged("its manifest is damaged")
    return manifest


@contextmanager
def open_state(manifest_path: str, expected: dict[str, Any]) -> Iterator[BinaryIO]:
    """The state file, at its beginning, after its size and digest were compared; Damaged if they differ."""
    digest = digester(str(expected.get("algorithm")))
    try:
        file = _open(str(Path(manifest_path).with_name(STATE)))
    except FileNotFoundError:
        raise Damaged("its state file is gone") from None
    with file:
        size = os.fstat(file.fileno()).st_size
        if size != expected.get("bytes"):
            raise Damaged(f"its state file has {size} bytes, not {expected.get('bytes')}")
        while chunk := file.read(_chunk_bytes):
            digest.update(chunk)
        if digest.hexdigest() != expected.get("digest"):
            raise Damaged("its state file is damaged (another digest than when it was written)")
        file.seek(0)
        yield file


def collect(directory: str, current: Path, base: Path | None) -> None:
    """Remove what no log can name any more; failures are left for the next time.

    Kept: `current`, `base` (the one before it, which a log may still name until this one is logged), and the newest
    of lower cells, `kept_checkpoints` in all. One of the same or a later cell than `current` was never logged, or
    `current` would not be written.
    """
    with contextlib.suppress(OSError):
        older: list[tuple[int, int, Path]] = []
        for entry in os.scandir(directory):
            named = _directory_name.fullmatch(entry.name)
            if named is None or not entry.is_dir(follow_symlinks=False):
                continue
            path = Path(entry.path)
            if path.name == current.name or (base is not None and path.resolve() == base):
                continue
            if int(named[1]) < int(current.name.partition("-")[0]) and (path / MANIFEST).exists():
                older.append((int(named[1]), entry.stat().st_mtime_ns, path))
            else:
                _remove(path)
        room = kept_checkpoints - (1 if base is None else 2)
        for _, _, path in sorted(older, reverse=True)[room:]:
            _remove(path)


def _remove(checkpoint: Path) -> None:
    """The manifest first: a checkpoint that lacks its state must not look like one."""
    with contextlib.suppress(OSError):
        (checkpoint / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(checkpoint, ignore_errors=True)


def _open(path: str) -> BinaryIO:
    return open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb")


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
