"""Objects that a library has one of, and that act only as long as they are that one: `os.environ`, pyplot's `rcParams`,
the generator behind the functions of `random`. A copy would be written to without any effect.
"""

from __future__ import annotations

import sys

from . import own


def of_kind(kind: type, module: str) -> dict[int, tuple[str, str]]:
    """Instances of this very class, which is of that module, that the module or the package it is part of has as
    attributes: ids, and where an import finds them. None of a module of the user's, whose objects are saved, and none
    that a cell has put there."""
    if module in ("__main__", "builtins") or own.is_module(module):
        return {}
    found: dict[int, tuple[str, str]] = {}
    for name in (module.partition(".")[0], module):
        for attribute, value in list(vars(sys.modules[name]).items() if name in sys.modules else ()):
            if type(value) is kind and isinstance(attribute, str) and (name, attribute) not in own.written_to:
                found[id(value)] = name, attribute
    return found
