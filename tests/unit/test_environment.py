"""What `make` finds out about an environment before it installs anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import environment
from tools.environment import Environment

ROLES = ("build", "worker", "demo")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with four locks and no environment."""
    (tmp_path / "requirements").mkdir()
    for role in (*ROLES, "dev"):
        (tmp_path / f"requirements/{role}.txt").write_text(f"{role}==1\n")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.x]\ny = 1\n")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    return tmp_path


def finish(made: Environment) -> None:
    """Leave what a set-up leaves."""
    made.python.parent.mkdir(parents=True, exist_ok=True)
    made.python.touch()
    (made.path / environment.STAMP).write_text(json.dumps(made.stamp))


def test_a_finished_environment_needs_nothing(root: Path) -> None:
    finish(Environment(".venv", ROLES))
    assert Environment(".venv", ROLES).missing() == ()


def test_an_environment_without_a_stamp_is_made_anew(root: Path) -> None:
    made = Environment(".venv", ROLES)
    finish(made)
    (made.path / environment.STAMP).unlink()
    assert Environment(".venv", ROLES).missing() == (*ROLES, "project")


def test_a_role_that_was_not_there_is_added_alone(root: Path) -> None:
    finish(Environment(".venv", ROLES))
    assert Environment(".venv", (*ROLES, "dev")).missing() == ("dev",)


def test_an_environment_with_more_than_is_asked_for_is_left_alone(root: Path) -> None:
    finish(Environment(".venv", (*ROLES, "dev")))
    assert Environment(".venv", ROLES).missing() == ()


@pytest.mark.parametrize("role", ROLES)
def test_an_environment_whose_lock_has_changed_is_made_anew(root: Path, role: str) -> None:
    finish(Environment(".venv", (*ROLES, "dev")))
    (root / f"requirements/{role}.txt").write_text(f"{role}==2\n")
    assert Environment(".venv", ROLES).missing() == (*ROLES, "project")


def test_tools_whose_lock_has_changed_are_renewed_in_place_and_only_when_asked_for(root: Path) -> None:
    finish(Environment(".venv", (*ROLES, "dev")))
    (root / "requirements/dev.txt").write_text("dev==2\n")
    assert Environment(".venv", ROLES).missing() == ()
    assert Environment(".venv", (*ROLES, "dev")).missing() == ("dev",)


def test_an_environment_that_was_moved_is_made_anew(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finish(Environment(".venv", ROLES))
    moved = root.parent / (root.name + "-moved")
    root.rename(moved)
    monkeypatch.setattr(environment, "ROOT", moved)
    assert Environment(".venv", ROLES).missing() == (*ROLES, "project")


def test_only_a_change_of_the_projects_own_metadata_installs_it_again(root: Path) -> None:
    finish(Environment(".venv", ROLES))
    (root / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.x]\ny = 2\n")
    assert Environment(".venv", ROLES).missing() == ()
    (root / "pyproject.toml").write_text("[project]\nname = 'z'\n")
    assert Environment(".venv", ROLES).missing() == ("project",)
