"""dill behind the interface of `outlast.kernel.state`, for the tests of correctness: the whole module `__main__`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any


def prepare() -> None:
    """Nothing: dill looks at `__main__` when it is imported, which is not the kernel's yet."""


def save(namespace: dict[str, Any], directory: str, *, cell: int) -> dict[str, Any]:
    """dump_module; "error" is what it raised."""
    path = Path(directory, "manifests", f"{cell}.dill")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        importlib.import_module("dill").dump_module(str(path), module=sys.modules["__main__"])
    except BaseException as error:
        return {"manifest": "", "missing": {}, "error": f"{type(error).__name__}: {error}"}
    return {"manifest": path.name, "missing": {}, "error": ""}


def restore(namespace: dict[str, Any], manifest_path: str) -> dict[str, Any]:
    """load_module; "error" is what it raised."""
    before = set(namespace)
    try:
        importlib.import_module("dill").load_module(manifest_path)
    except BaseException as error:
        return {"restored": [], "missing": {}, "error": f"{type(error).__name__}: {error}"}
    return {"restored": sorted(set(namespace) - before), "missing": {}, "error": ""}
