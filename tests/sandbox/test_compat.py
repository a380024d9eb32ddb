"""What must work all the same, in the worker's container, each topic in a session of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sandbox import compat
from tests.sandbox.case import WORKS, Allowed
from tests.sandbox.cells import Cells

_CASES = [
    pytest.param(topic, allowed, id=allowed.what) for topic, several in compat.TOPICS.items() for allowed in several
]


@pytest.fixture(scope="module")
def session(request: pytest.FixtureRequest, cells: Cells) -> Iterator[str]:
    """The session of a topic, whose kernel ends with the last of its cells."""
    name = f"compat-{request.param}"
    yield name
    cells.close(name)


def test_names_are_unique() -> None:
    names = [allowed.what for allowed in compat.ALLOWED]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(("session", "allowed"), _CASES, indirect=["session"], scope="module")
def test_works(cells: Cells, session: str, allowed: Allowed) -> None:
    outcome = cells.run(session, allowed.code, allowed.language, allowed.timeout)
    assert outcome.status == "ok", outcome.output
    assert outcome.output.rstrip().splitlines()[-1:] == [WORKS], outcome.output
