"""What a machine may lack: a test that needs it is skipped there with the reason, and fails in CI."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest


def in_ci() -> bool:
    """Whether this run must not skip for want of anything."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def missing(reason: str) -> NoReturn:
    """Skip the test with the reason; fail it in CI, where everything must be there."""
    if in_ci():
        pytest.fail(f"{reason} (a failure because CI is set)", pytrace=False)
    pytest.skip(reason)


def require(name: str) -> str:
    """The path of a program, or the name of an importable module; `missing` where it is neither."""
    program = shutil.which(name)
    if program is not None:
        return program
    if name.isidentifier() and importlib.util.find_spec(name) is not None:
        return name
    missing(f"{name} is not on this machine")
