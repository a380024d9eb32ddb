"""The users, as data; that Redis keeps to them is tested with a real one."""

from __future__ import annotations

from hashlib import sha256

from keeper.acl import ADMIN, CLIENT, HEALTH, LOG, USERS, WORKER, Rules, User, render

PASSWORDS = {user.name: f"{user.name}-0123456789" for user in USERS}


def rules_for(user: User, key: str) -> list[Rules]:
    """The user's rules that name a key pattern, for writing or for reading."""
    return [rules for rules in (user.rules, *user.selectors) if any(k.endswith(f"~{key}") for k in rules.keys)]


def test_the_file_holds_hashes_and_no_password() -> None:
    text = render(PASSWORDS)
    for name, password in PASSWORDS.items():
        assert password not in text
        assert f"user {name} on #{sha256(password.encode()).hexdigest()} " in text


def test_the_default_user_is_off_and_has_no_password_but_may_replay_everything() -> None:
    assert "user default off resetpass ~* &* +@all" in render(PASSWORDS).splitlines()


def test_a_log_is_only_read_by_the_client_and_only_appended_to_by_the_worker() -> None:
    assert all(rules.keys[0].startswith("%R~") for rules in rules_for(CLIENT, LOG))
    written = {command for rules in rules_for(WORKER, LOG) for command in rules.commands}
    assert written == {"+xadd", "+xrange", "+xrevrange", "+xread", "+xlen", "+xinfo|stream", "+eval", "+evalsha"}


def test_rules_for_our_own_keys_name_single_commands() -> None:
    for user in (CLIENT, WORKER):
        for rules in user.selectors:
            assert not any("@" in command for command in rules.commands), rules


def test_only_the_administrator_has_everything_and_the_health_check_has_no_key() -> None:
    assert [user for user in USERS if "+@all" in user.rules.commands] == [ADMIN]
    assert HEALTH.rules.keys == () and HEALTH.selectors == () and HEALTH.channels == ()
