"""A restore from end to end; `__init__` keeps its exceptions from the caller."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import ambient, manifests, objects, rebuild
from .names import current_shell
from .objects import Damaged
from .stream import DEFINITIONS, Key, LoadFailed, load
from .versions import require_same_versions


def read(namespace: dict[str, Any], manifest_path: str, commit: Callable[[], None]) -> dict[str, Any]:
    """ "restored", "missing" and "beside". Raises, with nothing changed, if the checkpoint is damaged or does not fit.

    An entry that does not load is missing. `commit` is called once all is loaded, and may raise.
    """
    path = Path(manifest_path)
    manifest = manifests.read(manifest_path)
    require_same_versions(manifest, manifests.FORMAT)
    directory = manifests.objects_of(str(path.parent.parent))
    sizes = manifests.object_sizes(manifest)
    recorded, place, components = (manifest.get(name) for name in ("missing", "place", "components"))
    if not isinstance(recorded, dict) or not isinstance(place, dict) or not isinstance(components, list):
        raise Damaged("its manifest is damaged")
    objects.verify(directory, sizes, str(manifest.get("algorithm")))
    missing = {str(name): str(why) for name, why in recorded.items()}
    before = dict(namespace)
    loaded: dict[Key, Any] = {}
    undo = ambient.enter(place, missing)
    try:
        definitions: dict[str, Any] = {}
        failed = [
            component
            for component in components
            if not _load(component, directory, sizes, namespace, definitions, loaded, missing)
        ]
        for component in failed:
            # What its objects look up while they are loaded may be there by now.
            _load(component, directory, sizes, namespace, definitions, loaded, missing)
        rebuild.finish()
        commit()
    except BaseException:
        namespace.clear()
        namespace.update(before)
        undo()
        raise
    ambient.surround(namespace, current_shell(namespace), loaded, missing)
    manifests.base = path.name
    return {
        "restored": [key.name for key in loaded if key.kind == "name"],
        "missing": missing,
        "beside": loaded.get(Key("beside", "(beside)"), {}),
    }


def _load(
    component: dict[str, Any],
    directory: Path,
    sizes: dict[str, int],
    namespace: dict[str, Any],
    definitions: dict[str, Any],
    loaded: dict[Key, Any],
    missing: dict[str, str],
) -> bool:
    """Whether it is loaded; if not, its entries are among the missing."""
    keys = [Key(kind, name) for kind, name in component["entries"]]
    stream = component["stream"]
    if "inline" in stream:
        file: Any = io.BytesIO(base64.b64decode(stream["inline"]))
    else:
        file = objects.open_object(directory, stream["object"])
    with file:
        buffers = (objects.load(directory, name, sizes[name]) for name in component["buffers"])
        try:
            for key, value in load(file, buffers, namespace, definitions, keys):
                loaded[key] = value
                missing.pop(key.label, None)
                if key.kind in ("name", "annotations"):
                    namespace[key.name] = value
        except LoadFailed as failed:
            rebuild.forget()
            for key in keys:
                if key not in loaded and key != DEFINITIONS:
                    why = "" if key == failed.key else f"shares an object with {failed.key.label}, which "
                    missing[key.label] = f"{why}did not load ({failed})"
            return False
    return True
