from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.unit.state.kernels import Kernels, Nursery


@pytest.fixture
def kernels(kernel_python: Path, tmp_path: Path) -> Kernels:
    """Kernels that share a directory, each started cold; the test decides what they do."""
    return Kernels(kernel_python, tmp_path)


@pytest.fixture(scope="session")
def _nurseries(kernel_python: Path) -> Iterator[Callable[[tuple[str, ...]], tuple[Nursery, Nursery]]]:
    """Two for each set of modules, started when they are first asked for."""
    started: dict[tuple[str, ...], tuple[Nursery, Nursery]] = {}

    def of(modules: tuple[str, ...]) -> tuple[Nursery, Nursery]:
        if modules not in started:
            started[modules] = Nursery(kernel_python, modules), Nursery(kernel_python, modules)
            for nursery in started[modules]:
                nursery.start()
        return started[modules]

    yield of
    for pair in started.values():
        for nursery in pair:
            nursery.close()


@pytest.fixture
def warm_kernels(
    kernel_python: Path, tmp_path: Path, _nurseries: Callable[[tuple[str, ...]], tuple[Nursery, Nursery]]
) -> Callable[..., Kernels]:
    """Makes kernels that share a directory and have imported these modules: a hundred take the time of a cold one."""

    def of(*modules: str) -> Kernels:
        return Kernels(kernel_python, tmp_path, _nurseries(modules))

    return of
