"""Fits `rq worker` to Outlast: it waits for what it can wait for, and says in one sentence what it cannot.

RQ's command line asks Redis whether the workers are suspended before it makes the worker, and exits if Redis does
not answer or says yes. Both are things a worker waits for, not reasons to leave. The one place to wait in is that
question, so it is answered here: once Redis answers, and always with no, for `Worker` looks for itself.
RQ is pinned; `tests/integration/queue` starts a worker with Redis down.

What stops a start for good, a wrong setting, RQ would show as a traceback; here it is the sentence alone, and exit code
2 as for the `outlast` command.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis

from outlast.errors import SettingsError
from outlast.log.patience import Patience
from outlast.settings import Settings, redis_url_of_our_own

#: Exit code of a worker that was started with wrong settings or options.
WRONG_USAGE = 2


def await_redis(connection: redis.Redis) -> None:
    """Return once Redis answers. SIGTERM and Ctrl-C end the process as usual."""

    def tell(sentence: str) -> None:
        print(f"{sentence} RQ_REDIS_URL, or --url, says where it is.", file=sys.stderr)

    Patience(on_wait=tell, pause=time.sleep).ask(connection.ping)


@contextmanager
def in_a_sentence() -> Iterator[None]:
    """End the process with the sentence of a SettingsError; it is raised as it is where no command line is."""
    try:
        yield
    except SettingsError as mistake:
        if "rq.cli.workers" not in sys.modules:
            raise
        print(f"outlast: {mistake}", file=sys.stderr)
        raise SystemExit(WRONG_USAGE) from None


def _one_redis(connection: redis.Redis) -> None:
    """SettingsError if OUTLAST_REDIS_URL names another Redis than RQ's command line uses: half would be in each."""
    url = redis_url_of_our_own()
    if not url:
        return
    try:
        ours = redis.Redis.from_url(url).connection_pool.connection_kwargs
    except ValueError as mistake:
        raise SettingsError(f"OUTLAST_REDIS_URL is no address of a Redis ({mistake}).") from None
    wanted, used = _place(ours), _place(connection.connection_pool.connection_kwargs)
    if wanted != used:
        raise SettingsError(
            f"OUTLAST_REDIS_URL names {wanted}, but `rq` uses {used}; "
            "set RQ_REDIS_URL, which both read, and leave OUTLAST_REDIS_URL out."
        )


def _place(options: dict[str, Any]) -> str:
    where = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    return f"{where}/{options.get('db') or 0}"


def _not_suspended(connection: redis.Redis) -> bool:
    # First, for waiting mends no setting.
    with in_a_sentence():
        Settings.load()
        _one_redis(connection)
    await_redis(connection)
    return False


def install() -> None:
    """Answer the question of `rq worker`, if this process is one."""
    commands = sys.modules.get("rq.cli.workers")
    if commands is not None:
        commands.is_suspended = _not_suspended  # type: ignore[attr-defined]  # a name RQ imports there
