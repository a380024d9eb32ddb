"""How a session's file is named on the command line."""

from __future__ import annotations

import pytest

from outlast.cli.address import Address, address, path_of
from outlast.cli.output import Misuse


@pytest.mark.parametrize(
    ("text", "top", "parts"),
    [
        ("s:", "files", ()),
        ("s:.", "files", ()),
        ("s:out//./a.csv", "files", ("out", "a.csv")),
        ("s:artifacts", "artifacts", ()),
        ("s:artifacts/cell-1.txt", "artifacts", ("cell-1.txt",)),
        ("s:../artifacts/cell-1.txt", "artifacts", ("cell-1.txt",)),
        ("s:./artifacts/mine", "files", ("artifacts", "mine")),
        ("s:artifacts.csv", "files", ("artifacts.csv",)),
        ("s:a:b", "files", ("a:b",)),
    ],
)
def test_a_path_is_read_as_the_sessions_own_code_means_it(text: str, top: str, parts: tuple[str, ...]) -> None:
    assert address(text) == Address("s", top, parts)
    assert address(f"s:{path_of(top, parts)}") == Address("s", top, parts)


@pytest.mark.parametrize("text", ["report.pdf", ":x", "s:/etc/passwd", "s:..", "s:a/../../b", "s:artifacts/../lock"])
def test_a_path_that_leads_out_or_names_no_session_is_refused(text: str) -> None:
    with pytest.raises(Misuse):
        address(text)


@pytest.mark.parametrize(
    ("text", "name"), [("s:a/b.csv", "b.csv"), ("s:", "s"), ("s:artifacts", "artifacts"), ("s:plots/", "plots")]
)
def test_a_copy_is_called_as_its_source(text: str, name: str) -> None:
    assert address(text).name == name
