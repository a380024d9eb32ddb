"""cloudpickle behind the interface of `outlast.kernel.state`, for the tests of correctness: all names in one stream."""

from __future__ import annotations

import importlib
import pickle
import re
from pathlib import Path
from typing import Any

#: What is there before the first cell, and what IPython adds.
_theirs = re.compile(r"__\w*__|_{1,3}|_i{1,3}|_i?\d+|_[iod]h|_exit_code|In|Out|get_ipython|exit|quit|open|display")


def prepare() -> None:
    """Import what is needed."""
    importlib.import_module("cloudpickle")  # Now, so that the first save does not take the import's time.


def save(namespace: dict[str, Any], directory: str, *, cell: int) -> dict[str, Any]:
    """One stream; "error" is what raised."""
    path = Path(directory, "manifests", f"{cell}.pickle")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        import cloudpickle

        names = {name: value for name, value in namespace.items() if not _theirs.fullmatch(name)}
        with path.open("wb") as file:
            cloudpickle.dump(names, file)
    except BaseException as error:
        return {"manifest": "", "missing": {}, "error": f"{type(error).__name__}: {error}"}
    return {"manifest": path.name, "missing": {}, "error": ""}


def restore(namespace: dict[str, Any], manifest_path: str) -> dict[str, Any]:
    """ "error" is what loading it raised."""
    try:
        with open(manifest_path, "rb") as file:
            names = pickle.load(file)
    except BaseException as error:
        return {"restored": [], "missing": {}, "error": f"{type(error).__name__}: {error}"}
    namespace.update(names)
    return {"restored": sorted(names), "missing": {}, "error": ""}
