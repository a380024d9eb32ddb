"""Is a model's directory complete? Standard library only: the host's pre-flight and the launcher both ask this.

python -m launcher.model DIRECTORY     prints what is wrong, one sentence a line; exit code 0: complete, 1: not
"""

from __future__ import annotations

import json
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: A directory needs one file of these to have a tokenizer.
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")
INDEX = "model.safetensors.index.json"
#: Longest header that the format allows, in bytes.
_HEADER = 100_000_000


def problems(directory: Path) -> list[str]:
    """Sentences on what is missing or broken; none if the model is complete. Reads headers, never weights."""
    try:
        return list(_problems(directory)) if directory.is_dir() else [f"There is no directory {directory}."]
    except PermissionError as error:
        return [f"{error.filename} cannot be read: run chmod -R a+rX on the model's directory."]


def _problems(directory: Path) -> Iterator[str]:
    # Only what the container sees: what lies above the directory that is mounted does not count.
    for place in (directory.parent, directory):
        if not place.stat().st_mode & stat.S_IXOTH:
            yield f"{place} is closed to the model server's user: run chmod -R a+rX {place}"
    config = directory / "config.json"
    if not config.is_file():
        yield f"{config} is missing."
    elif _json(config) is None:
        yield f"{config} is not whole."
    if not any((directory / name).is_file() for name in TOKENIZERS):
        yield f"{directory} has no tokenizer ({', '.join(TOKENIZERS)})."
    for part in sorted(directory.rglob("*.incomplete")):
        yield f"{part} was not downloaded to its end."
    shards = _shards(directory)
    if shards is None:
        yield f"{directory / INDEX} is not whole."
    elif not shards:
        yield f"{directory} has no weights (*.safetensors)."
    for shard in shards or ():
        yield from _shard(directory / shard)


def _shards(directory: Path) -> list[str] | None:
    """Names of the files with weights: those in the index, where there is one. None: the index is broken."""
    index = directory / INDEX
    if not index.is_file():
        return sorted(path.name for path in directory.glob("*.safetensors"))
    found = _json(index)
    names = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(names, dict) or not all(isinstance(name, str) for name in names.values()):
        return None
    return sorted(set(names.values()))


def _shard(path: Path) -> Iterator[str]:
    if not path.is_file():
        yield f"{path} is missing."
        return
    found = path.stat()
    if not found.st_mode & stat.S_IROTH:
        yield f"{path} is closed to the model server's user: run chmod -R a+rX {path.parent}"
    expected = _size(path)
    if expected is None:
        yield f"{path} is damaged: it does not begin as a safetensors file does."
    elif expected != found.st_size:
        yield f"{path} has {found.st_size} bytes of {expected}."


def _size(path: Path) -> int | None:
    """Bytes that a safetensors file has by its own header: length, header, tensors. None: there is no such header."""
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else _HEADER + 1
        if length > _HEADER:
            return None
        try:
            header = json.loads(file.read(length))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
            return 8 + int(length) + max(ends, default=0)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


def main(arguments: list[str]) -> int:
    """The command line; 2 where it is not one directory."""
    if len(arguments) != 1:
        print("usage: python -m launcher.model DIRECTORY", file=sys.stderr)
        return 2
    found = problems(Path(arguments[0]))
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
