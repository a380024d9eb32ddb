"""What the container of Redis is told, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from keeper import passwords
from keeper.errors import SettingsError
from keeper.settings import Settings, container_limit, demand_room, load


def test_without_a_variable_everything_is_as_in_the_image() -> None:
    assert load({"PATH": "/bin", "OUTLAST_LEASE": "2"}) == Settings()


@pytest.mark.parametrize(("text", "size"), [("64mb", 64 << 20), ("2gb", 2 << 30), (" 3GB ", 3 << 30)])
def test_memory_is_a_number_with_a_unit(text: str, size: int) -> None:
    assert load({"REDIS_MEMORY": text}).memory == size


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("REDIS_MEMORY", text) for text in ("", "2", "2g", "63mb", "0gb", "1.5gb", "-1gb", "lots", "2gb\nport 1")),
        *(("KEEPER_PORT", text) for text in ("", "0", "65536", "x", "²")),
        *(("KEEPER_BIND", text) for text in ("", "host name", "0.0.0.0\nport 1")),
        ("KEEPER_DATA", "data"),
    ],
)
def test_a_wrong_value_is_refused_with_its_variable_and_what_is_allowed(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load({variable: value})
    assert str(refused.value).startswith(f"{variable}={value!r} is not ")


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(SettingsError) as refused:
        load({"REDIS_MEMORY": "x", "KEEPER_PORT": "x", "KEEPER_PROT": "1"})
    assert [line.split("=")[0].split(" ")[0] for line in str(refused.value).splitlines()] == [
        "KEEPER_PORT",
        "KEEPER_PROT",
        "REDIS_MEMORY",
    ]


def test_a_container_without_room_beside_the_data_is_refused_with_both_ways_out() -> None:
    demand_room(2 << 30, 3 << 30)
    demand_room(2 << 30, None)
    with pytest.raises(SettingsError, match=r"REDIS_MEMORY=2048mb .* at least 3072mb, or set REDIS_MEMORY=1365mb\.$"):
        demand_room(2 << 30, 2 << 30)


@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [
        ("memory.max", "1048576\n", 1 << 20),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", "1048576\n", 1 << 20),
        ("memory/memory.limit_in_bytes", "9223372036854771712\n", None),
    ],
)
def test_the_containers_limit_is_read_in_both_versions_of_cgroups(
    tmp_path: Path, name: str, text: str, limit: int | None
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    assert container_limit(tmp_path) == limit


def test_no_cgroups_is_no_limit(tmp_path: Path) -> None:
    assert container_limit(tmp_path) is None


GOOD = "a" * passwords.LEAST_CHARACTERS


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    for user in ("client", "worker", "admin"):
        (tmp_path / f"redis_{user}").write_text(f"{GOOD}{user}\n")
    return tmp_path


def test_a_secret_is_its_file_without_the_line_end(secrets: Path) -> None:
    assert passwords.read(secrets) == {user: GOOD + user for user in ("client", "worker", "admin")}


@pytest.mark.parametrize("text", ["", "\n", "short", f"{GOOD} {GOOD}", f"{GOOD}\n{GOOD}", "ü" * 30, f"{GOOD}\t"])
def test_a_secret_that_will_not_do_is_named_and_never_shown(secrets: Path, text: str) -> None:
    (secrets / "redis_worker").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        passwords.read(secrets)
    assert f"{secrets}/redis_worker" in str(refused.value) and "redis_client" not in str(refused.value)
    assert len(text) < 3 or text.strip() not in str(refused.value)


def test_every_missing_secret_is_named_with_who_makes_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        passwords.read(tmp_path)
    assert str(refused.value).count("`make up` makes it") == 3
