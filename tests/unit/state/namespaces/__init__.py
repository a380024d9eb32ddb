"""Small namespaces, each with code that finds out whether it is whole; see `cases.py`."""

from __future__ import annotations

from tests.unit.state.namespaces import (
    array_views,
    arrays,
    caches,
    chance,
    classes,
    concurrency,
    containers,
    descriptors,
    enumerations,
    errors,
    extensions,
    files,
    frames,
    functions,
    hints,
    iteration,
    large,
    library,
    memory,
    metaclasses,
    methods,
    models,
    modules,
    pictures,
    protocols,
    records,
    tables,
    values,
    wrappers,
)
from tests.unit.state.namespaces.cases import Case

#: What data tables need. It is slow to import: all their kernels come from a process that has done so once.
LIBRARIES = (
    "numpy",
    "pandas",
    "pyarrow",
    "polars",
    "duckdb",
    "matplotlib.pyplot",
    "PIL.Image",
    "scipy.stats",
    "sklearn.ensemble",
)
_of_data = (array_views, arrays, chance, extensions, frames, large, models, pictures, tables)
_others = (
    caches,
    classes,
    concurrency,
    containers,
    descriptors,
    enumerations,
    errors,
    files,
    functions,
    hints,
    iteration,
    library,
    memory,
    metaclasses,
    methods,
    modules,
    protocols,
    records,
    values,
    wrappers,
)

#: Each with the modules that its kernel has imported before the first cell.
CASES: list[tuple[tuple[str, ...], Case]] = [
    *(((), case) for table in _others for case in table.CASES),
    *((LIBRARIES, case) for table in _of_data for case in table.CASES),
]
