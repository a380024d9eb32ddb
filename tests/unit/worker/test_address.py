"""The address of Redis: the user in the settings, the password in a file."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from outlast.errors import SettingsError
from outlast.settings import Settings


def _settings(url: str, password_file: Path | str) -> Settings:
    return Settings.load({"OUTLAST_REDIS_URL": url, "OUTLAST_REDIS_PASSWORD_FILE": str(password_file)})


@pytest.mark.parametrize(
    ("url", "user", "place"),
    [
        ("redis://worker@redis:6379/0", "worker", ("redis", 6379, 0)),
        ("redis://worker:@redis:6379/3", "worker", ("redis", 6379, 3)),
        ("rediss://worker@[::1]:1/0?socket_timeout=2", "worker", ("::1", 1, 0)),
        ("redis://redis", "", ("redis", 6379, 0)),
    ],
)
def test_the_password_of_the_file_joins_the_user_of_the_address(
    tmp_path: Path, url: str, user: str, place: tuple[str, int, int]
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("p@ss:w/rd %\n")
    connection = redis.Redis.from_url(_settings(url, secret).redis_address())
    options = connection.connection_pool.connection_kwargs
    assert (options.get("username", ""), options["password"]) == (user, "p@ss:w/rd %")
    assert (options["host"], options.get("port", 6379), options.get("db", 0)) == place


def test_a_unix_socket_takes_a_password_too(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("word")
    options = redis.Redis.from_url(
        _settings("unix://worker@/run/redis.sock", secret).redis_address()
    ).connection_pool.connection_kwargs
    assert (options["username"], options["password"], options["path"]) == ("worker", "word", "/run/redis.sock")


def test_without_a_file_the_address_stays_as_it_is() -> None:
    settings = Settings.load({"RQ_REDIS_URL": "redis://a:b@c:1/2"})
    assert settings.redis_address() == "redis://a:b@c:1/2"


def test_the_password_is_not_part_of_the_settings(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("very-secret")
    settings = _settings("redis://worker@redis", secret)
    settings.redis_address()
    assert "very-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("content", "url", "sentence"),
    [
        (None, "redis://w@r", "cannot be read (No such file or directory)"),
        (b"", "redis://w@r", "is empty"),
        (b" \n", "redis://w@r", "is empty"),
        (b"\xff\xfe", "redis://w@r", "cannot be read (it is no text)"),
        (b"word", "redis://w:other@r", "has a password, and OUTLAST_REDIS_PASSWORD_FILE names another"),
    ],
)
def test_a_password_file_that_is_of_no_use_is_one_sentence(
    tmp_path: Path, content: bytes | None, url: str, sentence: str
) -> None:
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    with pytest.raises(SettingsError, match=re.escape(sentence)) as told:
        _settings(url, secret).redis_address()
    assert "\n" not in str(told.value) and "other" not in str(told.value).replace("another", "")


def test_a_queue_must_be_named() -> None:
    assert Settings.load({"OUTLAST_QUEUES": "fast slow"}).queues.split() == ["fast", "slow"]
    with pytest.raises(SettingsError, match="OUTLAST_QUEUES names no queue"):
        Settings.load({"OUTLAST_QUEUES": " "})


def test_there_is_at_least_one_worker() -> None:
    with pytest.raises(SettingsError, match="OUTLAST_WORKERS='0' is not a whole number of at least 1"):
        Settings.load({"OUTLAST_WORKERS": "0"})


def test_a_directory_for_sockets_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    settings = replace(Settings(), workspaces=str(tmp_path), runtime_dir="/proc/no")
    with pytest.raises(SettingsError, match="OUTLAST_RUNTIME_DIR=/proc/no cannot be made"):
        settings.demand_places()


def test_a_kernel_that_gives_no_handles_for_processes_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: int) -> int:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(os, "pidfd_open", gone)
    with pytest.raises(SettingsError, match=r"no handles for processes \(Function not implemented\); use 5.3 or newer"):
        replace(Settings(), workspaces=str(tmp_path), runtime_dir=str(tmp_path)).demand_places()
