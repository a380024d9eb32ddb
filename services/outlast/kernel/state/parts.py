"""Settings of Python and of libraries: how each is read and put back, a line or two for each."""

from __future__ import annotations

import _locale
import contextlib
import gc
import importlib
import json
import linecache
import os
import random
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

from . import baseline, loggers


class Part(NamedTuple):
    """`capture` returns None, or raises, where there is nothing to save.

    `early`: it is read in the kernel's own thread, before the fork: it belongs to that thread, or a save changes it.
    `late`: it is put back after the restore, which would undo it.
    """

    capture: Callable[[], Any]
    put_back: Callable[[Any], Any]
    early: bool = False
    late: bool = False


def _loaded(name: str) -> Any:
    """A module that a cell has loaded; KeyError (the part is then left out) if none has."""
    return sys.modules[name]


def _call(module: str, function: str) -> Callable[[Any], Any]:
    """Call a function of a module with the value."""
    return lambda value: getattr(importlib.import_module(module), function)(value)


def _if_changed(now: Any, before: Any) -> Any:
    return None if now == before else now


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


def _set_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]  # typed as a Sequence; it is a list
    warnings._filters_mutated()  # type: ignore[attr-defined]  # else Python goes by the filters that it has cached


def _numpy_printing() -> dict[str, Any]:
    options: dict[str, Any] = dict(_loaded("numpy").get_printoptions())
    options.pop("override_repr", None)
    return options


def _pandas_options() -> dict[str, Any] | None:
    pandas, config = _loaded("pandas"), _loaded("pandas._config.config")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = {
            name: pandas.get_option(name)
            for name, option in config._registered_options.items()
            if name not in config._deprecated_options and pandas.get_option(name) != option.defval
        }
    return changed or None


def _set_pandas_options(options: dict[str, Any]) -> None:
    pandas = importlib.import_module("pandas")
    for name, value in options.items():
        pandas.set_option(name, value)


def _pandas_accessors() -> list[Any] | None:
    """What cells registered: class, name and accessor."""
    found = []
    for name in ("DataFrame", "Series", "Index"):
        kind = getattr(_loaded("pandas"), name)
        for attribute, value in list(vars(kind).items()):
            accessor = getattr(value, "_accessor", None)
            if getattr(accessor, "__module__", None) == "__main__":
                found.append((name, attribute, accessor))
    return found or None


def _register_pandas_accessors(found: list[Any]) -> None:
    extensions = importlib.import_module("pandas.api.extensions")
    for name, attribute, accessor in found:
        getattr(extensions, f"register_{name.lower()}_accessor")(attribute)(accessor)


def _matplotlib_settings() -> dict[str, Any] | None:
    matplotlib = _loaded("matplotlib")
    defaults = matplotlib.rcParamsDefault
    changed = {
        name: value
        for name, value in dict.items(matplotlib.rcParams)
        if dict.get(defaults, name) != value and (name != "backend" or isinstance(value, str))
    }
    return changed or None


#: Those of its settings that polars does not keep in the environment.
_polars_defaults = {
    "set_fmt_float": "mixed",
    "set_float_precision": None,
    "set_thousands_separator": "",
    "set_decimal_separator": ".",
    "set_trim_decimal_zeros": False,
}


def _polars_settings() -> Any:
    return _if_changed(json.loads(_loaded("polars").Config.save())["direct"], _polars_defaults)


def _set_polars_settings(settings: dict[str, Any]) -> None:
    importlib.import_module("polars").Config.load(json.dumps({"environment": {}, "direct": settings}))


def _csv_dialects() -> Any:
    names = (
        "delimiter",
        "doublequote",
        "escapechar",
        "lineterminator",
        "quotechar",
        "quoting",
        "skipinitialspace",
        "strict",
    )
    csv = _loaded("_csv")
    dialects = {
        name: {option: getattr(csv.get_dialect(name), option) for option in names}
        for name in csv.list_dialects()
        if name not in ("excel", "excel-tab", "unix")
    }
    return dialects or None


def _register_csv_dialects(dialects: dict[str, dict[str, Any]]) -> None:
    csv = importlib.import_module("csv")
    for name, options in dialects.items():
        csv.register_dialect(name, **options)


def _set_collector(settings: tuple[bool, tuple[int, int, int]]) -> None:
    collecting, thresholds = settings
    gc.set_threshold(*thresholds)
    (gc.enable if collecting else gc.disable)()


PARTS: dict[str, Part] = {
    "(imported submodules)": Part(_submodules, _import_submodules),
    "(sources of cells)": Part(_sources, linecache.cache.update),
    "(warning filters)": Part(lambda: list(warnings.filters), _set_filters),
    # ---------------------------------------------------------------------------------------------- of the process
    "(locale)": Part(
        lambda: _if_changed(_locale.setlocale(_locale.LC_ALL), baseline.locale),
        lambda name: _locale.setlocale(_locale.LC_ALL, name),
    ),
    "(time zone)": Part(lambda: _if_changed(time.tzname, baseline.time_zone), lambda _: time.tzset()),
    "(mask of file modes)": Part(lambda: _if_changed(baseline.file_mode_mask(), baseline.mask), os.umask),
    "(recursion limit)": Part(
        lambda: _if_changed(sys.getrecursionlimit(), baseline.recursion_limit),
        sys.setrecursionlimit,
        early=True,
        late=True,
    ),
    "(garbage collector)": Part(
        lambda: _if_changed((gc.isenabled(), gc.get_threshold()), baseline.collector),
        _set_collector,
        early=True,
        late=True,
    ),
    "(digits of integers)": Part(
        lambda: _if_changed(sys.get_int_max_str_digits(), baseline.text_digits), sys.set_int_max_str_digits
    ),
    # -------------------------------------------------------------------------------------- of the standard library
    "(state of random)": Part(random.getstate, random.setstate),
    "(decimal context)": Part(lambda: _loaded("decimal").getcontext(), _call("decimal", "setcontext"), early=True),
    "(loggers)": Part(loggers.settings, loggers.set_settings),
    "(csv field size limit)": Part(
        lambda: _if_changed(_loaded("_csv").field_size_limit(), 131072), _call("csv", "field_size_limit")
    ),
    "(csv dialects)": Part(_csv_dialects, _register_csv_dialects),
    "(socket timeout)": Part(lambda: _loaded("_socket").getdefaulttimeout(), _call("socket", "setdefaulttimeout")),
    # ---------------------------------------------------------------------------------------------------- of others
    "(numpy print options)": Part(
        _numpy_printing,
        lambda options: importlib.import_module("numpy").set_printoptions(**options),
        early=True,
    ),
    "(numpy error handling)": Part(
        lambda: _loaded("numpy").geterr(), lambda modes: importlib.import_module("numpy").seterr(**modes), early=True
    ),
    "(state of numpy.random)": Part(
        lambda: _loaded("numpy.random").get_state(), _call("numpy.random", "set_state"), early=True
    ),
    "(pandas options)": Part(_pandas_options, _set_pandas_options),
    "(pandas accessors)": Part(_pandas_accessors, _register_pandas_accessors),
    "(polars settings)": Part(_polars_settings, _set_polars_settings, early=True),
    "(matplotlib settings)": Part(
        _matplotlib_settings,
        lambda settings: importlib.import_module("matplotlib").rcParams.update(settings),
    ),
    "(state of torch's random numbers)": Part(
        lambda: _loaded("torch").get_rng_state().numpy(),
        lambda state: (torch := importlib.import_module("torch")).set_rng_state(torch.from_numpy(state)),
        early=True,
    ),
}
