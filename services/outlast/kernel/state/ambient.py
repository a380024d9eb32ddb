"""What surrounds the variables and makes later cells right: where the process stands, and the libraries' own state.

The place (`place`, `enter`) is needed before anything can load: imports depend on it. The surroundings (`surroundings`,
`surround`) are entries of the stream like the variables, each left out by itself if it cannot be pickled.
"""

from __future__ import annotations

import contextlib
import importlib
import linecache
import os
import random
import sys
import warnings
from collections.abc import Callable
from typing import Any

from . import baseline
from .stream import Key

#: This package, which is on no path.
_here = os.path.dirname(__file__)


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


def surroundings(namespace: dict[str, Any], shell: Any) -> dict[Key, Any]:
    """The entries beside the variables; what a library does not give is not among them."""
    entries: dict[Key, Any] = {}
    for name, (capture, _) in _parts.items():
        with contextlib.suppress(Exception):
            value = capture()
            if value is not None:
                entries[Key(name, name)] = value
    if shell is not None:
        with contextlib.suppress(Exception):
            numbers = dict(getattr(shell.compile, "_filename_map", {}))
            entries[Key("history", "(history of cells)")] = shell.execution_count, list(shell.user_ns["_ih"]), numbers
            for number, value in list(shell.user_ns["_oh"].items()):
                entries[Key("output", f"Out[{int(number)}]")] = value
            for name in ("_", "__", "___"):
                if name in namespace:
                    mine = namespace[name] is getattr(shell.displayhook, name, None)
                    entries[Key("last output", name)] = (namespace[name], mine)
    with contextlib.suppress(Exception):
        for number, manager in sys.modules["matplotlib._pylab_helpers"].Gcf.figs.items():
            entries[Key("figure", f"(figure {int(number)})")] = manager.canvas.figure
    return entries


def surround(namespace: dict[str, Any], shell: Any, loaded: dict[Key, Any], missing: dict[str, str]) -> None:
    """Put the entries back; one that cannot be goes into `missing`, the rest holds."""
    for key, value in loaded.items():
        try:
            if key.kind in _parts:
                _parts[key.kind][1](value)
            elif shell is not None and key.kind == "history":
                _set_history(shell, *value)
            elif shell is not None and key.kind == "output":
                number = int(key.name[4:-1])
                shell.user_ns["_oh"][number] = namespace[f"_{number}"] = value
            elif shell is not None and key.kind == "last output":
                namespace[key.name] = value[0]
                if value[1]:
                    setattr(shell.displayhook, key.name, value[0])
        except Exception as error:
            missing[key.label] = f"could not be put back ({type(error).__name__})"
    figures = {int(key.name[8:-1]): value for key, value in loaded.items() if key.kind == "figure"}
    if figures:
        try:
            _number_figures(figures)
        except Exception as error:
            missing["(figures)"] = f"could not be put back ({type(error).__name__})"


def _set_history(shell: Any, counter: int, inputs: list[str], numbers: dict[str, int]) -> None:
    """`numbers`: the cell that a function's file name stands for, as tracebacks show it."""
    shell.execution_count = counter
    shell.user_ns["_ih"][:] = inputs
    shell.history_manager.input_hist_raw[:] = inputs
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


def _loaded(name: str) -> Any:
    """A module that a cell has loaded; KeyError (the part is then left out) if none has."""
    return sys.modules[name]


def _submodules() -> list[str]:
    return [name for name in list(sys.modules) if "." in name and name not in baseline.modules]


def _import_submodules(names: list[str]) -> None:
    """Those of packages that are loaded here: `import xml` alone does not give `xml.etree.ElementTree`."""
    for name in names:
        if name not in sys.modules and name.rpartition(".")[0] in sys.modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _sources() -> dict[str, Any]:
    """The text of cells, for tracebacks and `inspect.getsource`: the entries that have no file behind them."""
    return {
        name: entry for name, entry in list(linecache.cache.items()) if len(entry) == 4 and not os.path.exists(name)
    }


def _numpy_printing() -> dict[str, Any]:
    options: dict[str, Any] = dict(_loaded("numpy").get_printoptions())
    options.pop("override_repr", None)
    return options


def _pandas_options() -> dict[str, Any]:
    pandas, config = _loaded("pandas"), _loaded("pandas._config.config")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            name: pandas.get_option(name)
            for name, option in config._registered_options.items()
            if name not in config._deprecated_options and pandas.get_option(name) != option.defval
        }


def _set_pandas_options(options: dict[str, Any]) -> None:
    pandas = importlib.import_module("pandas")
    for name, value in options.items():
        pandas.set_option(name, value)


def _matplotlib_settings() -> dict[str, Any]:
    matplotlib = _loaded("matplotlib")
    defaults = matplotlib.rcParamsDefault
    return {
        name: value
        for name, value in dict.items(matplotlib.rcParams)
        if dict.get(defaults, name) != value and (name != "backend" or isinstance(value, str))
    }


def _set_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]  # typed as a Sequence; it is a list
    warnings._filters_mutated()  # type: ignore[attr-defined]  # what every change of the list calls


#: Parts of the surroundings: how each is read and put back.
_parts: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "(imported submodules)": (_submodules, _import_submodules),
    "(sources of cells)": (_sources, linecache.cache.update),
    "(warning filters)": (lambda: list(warnings.filters), _set_filters),
    "(numpy print options)": (
        _numpy_printing,
        lambda options: importlib.import_module("numpy").set_printoptions(**options),
    ),
    "(pandas options)": (_pandas_options, _set_pandas_options),
    "(matplotlib settings)": (
        _matplotlib_settings,
        lambda settings: importlib.import_module("matplotlib").rcParams.update(settings),
    ),
    "(state of random)": (random.getstate, random.setstate),
    "(state of numpy.random)": (
        lambda: _loaded("numpy.random").get_state(),
        lambda state: importlib.import_module("numpy.random").set_state(state),
    ),
}
