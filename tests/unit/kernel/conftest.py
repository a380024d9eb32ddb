"""A place for several users."""

from __future__ import annotations

import codecs
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dependencies import missing


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that every user can pass, unlike pytest's own; only root can be other users."""
    if os.geteuid():
        missing("only root can be other users")
    # Python looks for it at its first use, which may be somebody's who cannot reach this Python.
    codecs.lookup("ascii")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)
