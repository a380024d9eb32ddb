"""The users' passwords: three are secrets that Compose mounts as files, one is made here."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import SettingsError

#: Fewer characters than this can be guessed through a published port.
LEAST_CHARACTERS = 16


def read(directory: Path) -> dict[str, str]:
    """The passwords of `client`, `worker` and `admin`; SettingsError names each file that will not do."""
    passwords: dict[str, str] = {}
    mistakes: list[str] = []
    for user in ("client", "worker", "admin"):
        file = directory / f"redis_{user}"
        try:
            password = file.read_text(encoding="ascii").rstrip("\r\n")
        except OSError as error:
            mistakes.append(f"the secret {file} cannot be read ({error.strerror}); `make up` makes it.")
            continue
        except UnicodeDecodeError:
            password = ""
        if len(password) < LEAST_CHARACTERS or not password.isprintable() or " " in password:
            mistakes.append(f"the secret {file} must be one line of {LEAST_CHARACTERS} or more letters and digits.")
        passwords[user] = password
    if mistakes:
        raise SettingsError("\n".join(mistakes))
    return passwords


def new() -> str:
    """A random one."""
    return os.urandom(24).hex()
