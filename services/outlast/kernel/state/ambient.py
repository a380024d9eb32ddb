"""What surrounds the variables and makes later cells right: where the process stands, and the libraries' own state.

The place (`place`, `enter`) is needed before anything can load: imports depend on it. The surroundings (`surroundings`,
`surround`, `settle`) are entries of the stream like the variables, each left out by itself if it cannot be pickled.
What a child of the kernel's would not have is read before the fork (`observe`), and what no checkpoint holds is told
(`unsaved`).

Saved
    Working directory, changes of the environment, additions to sys.path, imported submodules.
    Settings and random states of Python and of libraries, as far as they are loaded: the table in `parts.py`.
    Values of context variables that a name of the user's stands for.
    The state of the user's own modules: values of attributes, also of classes; of functions the defaults, attributes
    and closures (`module_state.py`).
    What cells wrote to attributes of modules and imported classes, if the text of a cell names them (`patches.py`).
    Settings of loggers and the handlers that cells added to them (`loggers.py`).
    Figures that pyplot holds; IPython's counter, In, Out, `_`, and the source lines that tracebacks show.

Named, but not saved (`reports.py`)
    Signal handlers, timers, threads and asyncio tasks that no name stands for, exit functions, trace functions; magics,
    extensions, callbacks, transformers and formatters of IPython; a module whose file is not what was imported;
    attributes that `setattr` set under computed names.

Neither
    What a cell changes within objects of a library that are no attributes of modules or classes (an entry of a
    registry, tables in duckdb's default connection); attributes written by scripts that `%run` runs or text that
    `exec` is given as a variable; handlers of loggers that are named after a library; a replaced sys.stdout.
"""

from __future__ import annotations

import contextlib
import contextvars
import os
import sys
from collections.abc import Callable
from typing import Any

from . import baseline, loggers, module_state, patches, reports
from .parts import PARTS
from .stream import Key

#: This package, which is on no path.
_here = os.path.dirname(__file__)

#: What was read in the kernel's own thread just before a fork.
_observed: dict[Key, Any] = {}
#: What is left to put back when a restore is over.
_late: list[tuple[Callable[[Any], Any], Any]] = []


def place() -> dict[str, Any]:
    """Working directory, changes of the environment and of sys.path, and where the user's own modules lie."""
    try:
        directory = os.getcwd()
    except OSError:  # A cell removed it.
        directory = ""
    now = dict(os.environ)
    paths = [entry for entry in sys.path if isinstance(entry, str)]
    first_own = next((index for index, entry in enumerate(paths) if entry in baseline.path), len(paths))
    return {
        "directory": directory,
        "set": {name: value for name, value in now.items() if baseline.environment.get(name) != value},
        "unset": [name for name in baseline.environment if name not in now],
        "front": [entry for entry in paths[:first_own] if entry not in baseline.path],
        "back": [entry for entry in paths[first_own:] if entry not in baseline.path],
        "module directories": _module_directories(directory),
    }


def _module_directories(directory: str) -> list[str]:
    """Where modules were imported from that the present sys.path does not find: before a cell changed the directory."""
    found = {entry or directory for entry in sys.path if isinstance(entry, str)} | {_here}
    more: dict[str, None] = {}
    for name in list(sys.modules):
        if name in baseline.modules or "." in name:
            continue
        spec = getattr(sys.modules.get(name), "__spec__", None)
        origin = getattr(spec, "origin", None)
        if isinstance(origin, str) and getattr(spec, "has_location", False):
            package = getattr(spec, "submodule_search_locations", None) is not None
            parent = os.path.dirname(os.path.dirname(origin) if package else origin)
            if parent not in found:
                found.add(parent)
                more[os.path.abspath(parent)] = None
    return list(more)


def enter(place: dict[str, Any], missing: dict[str, str]) -> Callable[[], None]:
    """Make the process stand there; a directory that is gone goes into `missing`. Returns how to undo it."""
    environment, path, directory = dict(os.environ), list(sys.path), os.getcwd()

    def undo() -> None:
        os.chdir(directory)
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)

    os.environ.update(place["set"])
    for name in place["unset"]:
        os.environ.pop(name, None)
    if place["directory"]:
        try:
            os.chdir(place["directory"])
        except OSError as error:
            missing["(working directory)"] = f"{place['directory']}: {error.strerror}"
    else:
        missing["(working directory)"] = "had been removed"
    # The modules' directories stay on the path: what is imported lazily from them later must be found too.
    sys.path[:] = [*place["front"], *path, *place["back"], *place["module directories"]]
    return undo


def observe(namespace: dict[str, Any], shell: Any) -> None:
    """To be called in the kernel's own thread just before a save, outside of `calm`."""
    _observed.clear()
    for name, part in PARTS.items():
        if part.early:
            with contextlib.suppress(Exception):
                _observed[Key(name, name)] = part.capture()
    for name, variable in list(namespace.items()):
        if type(variable) is contextvars.ContextVar and isinstance(name, str):
            with contextlib.suppress(LookupError):
                _observed[Key("context variable", f"(value of {name})")] = variable, variable.get()
    for look in (module_state.observe, lambda: reports.observe(namespace), lambda: _read_cells(namespace, shell)):
        with contextlib.suppress(Exception):
            look()


def _read_cells(namespace: dict[str, Any], shell: Any) -> None:
    if shell is not None:
        patches.observe(namespace, shell.user_ns.get("_ih"))


def unsaved(namespace: dict[str, Any], shell: Any) -> dict[str, str]:
    """What a cell has set up and a checkpoint does not hold, and why."""
    return reports.unsaved(shell)


def surroundings(namespace: dict[str, Any], shell: Any) -> dict[Key, Any]:
    """The entries beside the variables, after `observe`; what a library does not give is not among them."""
    entries = {key: value for key, value in _observed.items() if value is not None}
    for name, part in PARTS.items():
        if not part.early:
            with contextlib.suppress(Exception):
                value = part.capture()
                if value is not None:
                    entries[Key(name, name)] = value
    for others in (
        module_state.entries,
        loggers.handlers,
        patches.entries,
        _figures,
        lambda: _history(namespace, shell),
    ):
        with contextlib.suppress(Exception):
            entries.update(others())
    return entries


def _figures() -> dict[Key, Any]:
    if "matplotlib._pylab_helpers" not in sys.modules:
        return {}
    managers = sys.modules["matplotlib._pylab_helpers"].Gcf.figs
    return {
        Key("figure", f"(figure {int(number)})"): manager.canvas.figure for number, manager in list(managers.items())
    }


def _history(namespace: dict[str, Any], shell: Any) -> dict[Key, Any]:
    if shell is None:
        return {}
    numbers = dict(getattr(shell.compile, "_filename_map", {}))
    found: dict[Key, Any] = {
        Key("history", "(history of cells)"): (shell.execution_count, list(shell.user_ns["_ih"]), numbers)
    }
    for number, value in list(shell.user_ns["_oh"].items()):
        found[Key("output", f"Out[{int(number)}]")] = value
    for name in ("_", "__", "___"):
        if name in namespace:
            mine = namespace[name] is getattr(shell.displayhook, name, None)
            found[Key("last output", name)] = (namespace[name], mine)
    return found


def surround(namespace: dict[str, Any], shell: Any, loaded: dict[Key, Any], missing: dict[str, str]) -> None:
    """Put the entries back; one that cannot be goes into `missing`, the rest holds."""
    _late.clear()
    for key, value in loaded.items():
        try:
            _put_back(key, value, namespace, shell)
        except Exception as error:
            missing[key.label] = f"could not be put back ({type(error).__name__})"
    figures = {int(key.name[8:-1]): value for key, value in loaded.items() if key.kind == "figure"}
    if figures:
        try:
            _number_figures(figures)
        except Exception as error:
            missing["(figures)"] = f"could not be put back ({type(error).__name__})"
    if shell is not None:
        patches.skip(shell.user_ns.get("_ih"))


def settle() -> None:
    """To be called when a restore is over and nothing of `calm` holds any more; raises nothing."""
    for put_back, value in _late:
        with contextlib.suppress(Exception):
            put_back(value)
    _late.clear()


def _put_back(key: Key, value: Any, namespace: dict[str, Any], shell: Any) -> None:
    if key.kind in PARTS:
        part = PARTS[key.kind]
        if part.late:
            _late.append((part.put_back, value))
        else:
            part.put_back(value)
    elif key.kind == "context variable":
        variable, content = value
        variable.set(content)
    elif key.kind in ("module", "module attribute", "module function"):
        module_state.put_back(key, value)
    elif key.kind == "patch":
        patches.put_back(value)
    elif key.kind == "logging handler":
        loggers.add_handler(value)
    elif shell is not None and key.kind == "history":
        _set_history(shell, *value)
    elif shell is not None and key.kind == "output":
        number = int(key.name[4:-1])
        shell.user_ns["_oh"][number] = namespace[f"_{number}"] = value
    elif shell is not None and key.kind == "last output":
        namespace[key.name] = value[0]
        if value[1]:
            setattr(shell.displayhook, key.name, value[0])


def _set_history(shell: Any, counter: int, inputs: list[str], numbers: dict[str, int]) -> None:
    """`numbers`: the cell that a function's file name stands for, as tracebacks show it."""
    shell.execution_count = counter
    shell.user_ns["_ih"][:] = inputs
    manager = shell.history_manager
    manager.input_hist_raw[:] = inputs
    shell.user_ns.update((f"_i{number}", text) for number, text in enumerate(inputs) if number)
    # The last one becomes `_i` with the next cell.
    last = ["", "", "", "", *inputs][-4:]
    manager._iii, manager._ii, manager._i, manager._i00 = last
    shell.user_ns.update(_iii=last[0], _ii=last[1], _i=last[2])
    getattr(shell.compile, "_filename_map", {}).update(numbers)


def _number_figures(figures: dict[int, Any]) -> None:
    """pyplot's figures under the numbers they had; unpickled, they are numbered from 1."""
    pyplot = sys.modules["matplotlib._pylab_helpers"].Gcf
    by_figure = {id(manager.canvas.figure): manager for manager in pyplot.figs.values()}
    pyplot.figs.clear()
    for number, figure in figures.items():
        manager = by_figure[id(figure)]
        manager.num = number
        pyplot._set_new_active_manager(manager)
