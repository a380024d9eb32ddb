"""Which Python and libraries a checkpoint was made with, and whether it can be read with those that are here."""

from __future__ import annotations

import importlib.metadata
import platform
import sys
from typing import Any

from .objects import Damaged
from .refusal import Unusable

#: Their pickles may not load, or load as something else, in another version.
_versioned = ("numpy", "pandas", "pyarrow", "polars", "matplotlib", "scipy", "scikit-learn", "torch")
#: Where the module is not called as what is installed.
_modules = {"scikit-learn": "sklearn"}

_known: dict[str, str] = {}


class Mismatch(Unusable):
    """The checkpoint was made by another Python, library or format; the text says which."""


def libraries() -> dict[str, str]:
    """Versions of what pickles depend on, as far as it is loaded."""
    loaded = (name for name in _versioned if _modules.get(name, name) in sys.modules)
    return {name: _version(name) for name in ("cloudpickle", *loaded)}


def require_same_versions(manifest: dict[str, Any], format_here: int) -> None:
    """Mismatch if this process is not fit to load the state."""
    if manifest.get("format") != format_here:
        raise Mismatch(f"its format is {manifest.get('format')!s:.20}, and only {format_here} can be read here")
    here, there = platform.python_version(), str(manifest.get("python"))
    if here.split(".")[:2] != there.split(".")[:2]:
        raise Mismatch(f"it was made with Python {there:.20}, and this is {here}")
    versions = manifest.get("libraries")
    if not isinstance(versions, dict):
        raise Damaged("its manifest is damaged")
    for name, version in versions.items():
        if _version(name) != version:
            raise Mismatch(f"it was made with {name} {version:.20}, and here is {_version(name) or 'none'}")


def _version(name: str) -> str:
    if name not in _known:
        try:
            _known[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            _known[name] = ""
    return _known[name]
