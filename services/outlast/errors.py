"""Every error that Outlast raises on purpose.

    OutlastError
    ├── SettingsError        a setting is malformed or unknown: nothing starts
    ├── Refused              a job that can never succeed: it fails at once and is not retried
    ├── LogError
    │   ├── Fenced           a newer attempt is open: this one is over and appends nothing more
    │   ├── LogDamaged       the log is shorter than its head says, or its digest chain is broken
    │   └── RedisAway        the caller gave up waiting for Redis (a drain, say)
    ├── ModelError
    │   ├── ModelAway        the server is down, overloaded or cut the stream: wait, then ask again
    │   ├── ContextTooLong   the server refused the request for its length: shorten, then ask again
    │   └── ModelRefused     the server refuses the request for good (wrong model name, bad key)
    ├── KernelError
    │   ├── KernelDied       the kernel's process ended while a cell ran or its state was kept
    │   └── KernelUnusable   no kernel can be started here: the session waits or fails, no cell ran
    ├── BackupError          a backup cannot be made, is damaged, or cannot be put back: nothing was changed
    └── Stopped              the attempt was told to stop (drain, cancel, time used up)

A message says what happened, to which id, and what to do next, in one sentence.
"""


class OutlastError(Exception):
    """The root: catch it where any deliberate error may pass."""


class SettingsError(OutlastError):
    """A setting is malformed or unknown; the message names variable, value and what is allowed."""


class Refused(OutlastError):
    """A request that cannot succeed however often it is tried; the message is shown to the user as it is."""


class LogError(OutlastError):
    """Anything about the log."""


class Fenced(LogError):
    """A newer attempt has opened the session; the process that gets this must stop at once."""


class LogDamaged(LogError):
    """The log contradicts itself or its head; nothing is appended to it."""


class RedisAway(LogError):
    """Redis did not answer for as long as the caller was willing to wait."""


class ModelError(OutlastError):
    """Anything about the model server."""


class ModelAway(ModelError):
    """The request may succeed later unchanged; not before `retry_after` seconds, if the server said."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class ContextTooLong(ModelError):
    """The conversation exceeds the model's window; the request may succeed once shortened."""


class ModelRefused(ModelError):
    """The request will never succeed unchanged."""


class KernelError(OutlastError):
    """Anything about the process that runs the cells (never about the code in them)."""


class KernelDied(KernelError):
    """The kernel's process is gone; `cause` is a sentence, and `by` the word for it in `kernel.causes`.

    `by_cell` is False where the cell cannot be what did it (the worker was stopped, the guardian was killed).
    """

    def __init__(self, cause: str, *, by: str = "", by_cell: bool = True) -> None:
        super().__init__(cause)
        self.cause, self.by, self.by_cell = cause, by, by_cell


class KernelUnusable(KernelError):
    """A kernel cannot be started or reached; this says nothing about the code."""


class BackupError(OutlastError):
    """A backup cannot be made, is damaged, or cannot be put back; whatever was there before is there still."""


class Stopped(OutlastError):
    """Raised at a point where nothing is half-done, because a stop was asked for; `reason` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
