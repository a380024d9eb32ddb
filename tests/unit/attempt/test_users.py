"""A user id is given once, and not while files are there that belong to it."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
import redis

from outlast.attempt import users
from outlast.errors import Refused
from outlast.kernel.confine import Confinement
from outlast.kernel.sandbox.identity import Identity
from outlast.kernel.workspace import FIRST_UID
from outlast.log.patience import Patience
from outlast.log.records import SessionOpened
from outlast.settings import Settings


class Counter:
    """What stands for Redis: `incr`, of which the first calls may fail."""

    def __init__(self, failures: int = 0) -> None:
        self._numbers, self._failures = itertools.count(1), failures

    def incr(self, key: str, by: int = 1) -> int:
        number = next(self._numbers)
        if number <= self._failures:
            raise redis.ConnectionError("gone")
        return number + (by - 1 if by > 1 else 0)


def with_users(monkeypatch: pytest.MonkeyPatch, *layers: str) -> None:
    monkeypatch.setattr(users, "confinement", lambda settings: Confinement("strict", layers))


def new(counter: Any, workspaces: Path) -> int:
    return users.new(counter, Settings(workspaces=str(workspaces)), Patience(pause=lambda seconds: None))


def test_a_deployment_begins_somewhere_and_counts_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_users(monkeypatch, "user")
    first = {new(Counter(), tmp_path) for _ in range(20)}
    assert len(first) > 10 and min(first) > FIRST_UID + 1000 and max(first) < 2**31


def test_ids_are_counted_and_an_answer_that_was_lost_costs_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_users(monkeypatch, "user")
    counter = Counter(failures=2)
    assert [new(counter, tmp_path / "none"), new(counter, tmp_path)] == [FIRST_UID + 3, FIRST_UID + 4]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory to another group")
def test_an_id_whose_files_are_still_there_is_not_given_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_users(monkeypatch, "user")
    (tmp_path / "left").mkdir()
    os.chown(tmp_path / "left", 0, FIRST_UID + 2)
    counter = Counter()
    counter.incr("a session before")
    assert new(counter, tmp_path) == FIRST_UID + 3


def test_where_sessions_have_no_users_they_are_the_workers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_users(monkeypatch, "files")
    assert new(None, tmp_path) == os.getuid()
    assert users.identity(SessionOpened("p", uid=FIRST_UID + 1), Settings()) is None


def test_a_session_that_was_opened_without_a_user_does_not_get_one_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with_users(monkeypatch, "user")
    assert users.identity(SessionOpened("p", uid=FIRST_UID + 1), Settings()) == Identity(FIRST_UID + 1)
    with pytest.raises(Refused, match="was opened without the sandbox's layer `user`"):
        users.identity(SessionOpened("p", uid=10001), Settings())
