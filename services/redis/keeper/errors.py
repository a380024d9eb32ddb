"""What stops a start: each is one sentence (a runbook may follow), and an exit code.

    KeeperError
    ├── SettingsError    2  a setting or a secret is wrong; nothing was looked at
    ├── PlaceError       3  the data directory cannot be used; nothing was changed
    └── DamageError      4  the data is damaged beyond a torn end; nothing was changed
"""


class KeeperError(Exception):
    """The root; `exit_code` is the process's."""

    exit_code = 1


class SettingsError(KeeperError):
    """Names the variable or file, its value (never a secret's) and what is allowed."""

    exit_code = 2


class PlaceError(KeeperError):
    """The directory is full, read-only, somebody else's, or in use."""

    exit_code = 3


class DamageError(KeeperError):
    """The message ends with the runbook."""

    exit_code = 4
