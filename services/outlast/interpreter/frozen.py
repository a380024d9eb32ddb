"""The one place that imports Open Interpreter: its loop and its texts, and nothing else of it.

Open Interpreter 0.4.3 is the last release and does not change. Importing it whole takes four seconds and
230 MB, writes an identity for its telemetry into the home directory, makes directories there, and fails for a
user without a name. All of that comes with parts that an unattended worker replaces or never uses. So the
loop (`core.core`, `core.respond`) is loaded with stand-ins for those parts; a stand-in that is called raises.

`sys.modules` is afterwards as it was: whoever imports `interpreter` or `litellm` later gets the real ones.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

# What the loop really uses is imported first, so that only Open Interpreter's own modules meet the stand-ins.
for _used in ("openai", "platformdirs"):
    importlib.import_module(_used)

VERSION = "0.4.3"


class _Overspent(Exception):
    """Stands for litellm's budget and rate-limit errors, which our model client never raises."""


def _absent(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("this part of Open Interpreter is not loaded by Outlast")


#: Module → the names that the loop imports from it.
_STAND_INS: dict[str, dict[str, object]] = {
    # 3 s, 100 MB, a price list: used only to name two exceptions.
    "litellm": {
        "exceptions": SimpleNamespace(BudgetExceededError=_Overspent, RateLimitError=_Overspent),
        "_current_cost": 0.0,
    },
    "interpreter.core.utils.telemetry": {"send_telemetry": _absent},
    # Its client retries, trims and converts; its computer runs code in this process. Both are given, never made.
    "interpreter.core.llm.llm": {"Llm": _absent},
    "interpreter.core.computer.computer": {"Computer": _absent},
    "interpreter.terminal_interface.local_setup": {"local_setup": _absent},
    "interpreter.terminal_interface.terminal_interface": {"terminal_interface": _absent},
    "interpreter.terminal_interface.utils.display_markdown_message": {"display_markdown_message": _absent},
    # The system message holds the login name; a container's user id may have none.
    "getpass": {"getuser": lambda: "user"},
}


@contextmanager
def _stand_ins() -> Iterator[None]:
    def ours(name: str) -> bool:
        return name in _STAND_INS or name.partition(".")[0] == "interpreter"

    found = importlib.util.find_spec("interpreter")
    assert found is not None and found.submodule_search_locations is not None, "open-interpreter is not installed"
    before = {name: module for name, module in sys.modules.items() if ours(name)}
    for name in before:
        del sys.modules[name]
    # The package itself without its __init__, which makes an interpreter with everything on.
    package = ModuleType("interpreter")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["interpreter"] = package
    for name, values in _STAND_INS.items():
        module = sys.modules[name] = ModuleType(name)
        module.__dict__.update(values)
    try:
        yield
    finally:
        for name in [name for name in sys.modules if ours(name)]:
            del sys.modules[name]
        sys.modules.update(before)


with _stand_ins():
    from interpreter.core.core import OpenInterpreter as _OpenInterpreter
    from interpreter.core.default_system_message import default_system_message as _default_system_message

#: The class whose `_respond_and_store` is the loop.
OpenInterpreter: Any = _OpenInterpreter

#: Its system message; the user's name in it is "user" whoever runs this.
DEFAULT_SYSTEM_MESSAGE: str = _default_system_message


def default(argument: str) -> Any:
    """The default of one of the constructor's arguments."""
    return inspect.signature(OpenInterpreter.__init__).parameters[argument].default
