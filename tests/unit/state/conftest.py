from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.state.kernels import Kernels


@pytest.fixture
def kernels(kernel_python: Path, tmp_path: Path) -> Kernels:
    """Kernels that share a directory; the test decides what they do."""
    return Kernels(kernel_python, tmp_path)
