"""Which names of a namespace are the user's, and which IPython's or the module's."""

from __future__ import annotations

import re
import sys
from typing import Any

#: What Python and IPython keep in the namespace of `__main__` under these names whatever their value is.
_always = frozenset(
    [
        "__name__",
        "__doc__",
        "__builtin__",
        "__builtins__",
        "__package__",
        "__loader__",
        "__spec__",
        "__file__",
        "__cached__",
        "__annotations__",
        "__warningregistry__",
        "__session__",
        "_",
        "__",
        "___",
        "_i",
        "_ii",
        "_iii",
        "_ih",
        "_oh",
        "_dh",
        "_exit_code",
    ]
)

#: IPython's too, unless a cell has given them another value.
_unless_changed = ("In", "Out", "exit", "quit", "get_ipython", "open", "display")

_history = re.compile(r"_i?[0-9]+")


def user_names(namespace: dict[str, Any]) -> list[str]:
    """The user's names, in their order. Names that no code can spell (keys that are no strings) are not among them."""
    shell = current_shell(namespace)
    hidden: dict[str, Any] = getattr(shell, "user_ns_hidden", {})
    found = []
    for name, value in list(namespace.items()):
        if not isinstance(name, str) or name in _always or _history.fullmatch(name):
            continue
        if name in hidden and hidden[name] is value:
            continue
        if shell is None and name in _unless_changed and type(value).__module__.startswith("IPython."):
            continue
        found.append(name)
    return found


def current_shell(namespace: dict[str, Any]) -> Any:
    """The IPython shell whose cells run in `namespace`, or None."""
    try:
        shell = sys.modules["IPython.core.getipython"].get_ipython()
    except (KeyError, AttributeError):
        return None
    return shell if shell is not None and shell.user_ns is namespace else None
