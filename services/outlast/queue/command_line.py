"""Fits `rq worker` to Outlast: it waits for what it can wait for, and says in one sentence what it cannot.

RQ's command line asks Redis whether the workers are suspended before it makes the worker, and exits if Redis does
not answer or says yes. Both are things a worker waits for, not reasons to leave. The one place to wait in is that
question, so it is answered here: once Redis answers, and always with no, for `Worker` looks for itself.
RQ is pinned; `tests/integration/queue` starts a worker with Redis down.

What stops a start for good, a wrong setting or password, RQ would show as a traceback; here it is the sentence alone,
and exit code 2 as for the `outlast` command. A password that Redis has stopped to accept under a running worker is
waited out: secrets are renewed one process after the other.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis

from outlast import heartbeat, logs
from outlast.errors import SettingsError
from outlast.log.patience import Patience, refusal_of_login
from outlast.settings import Settings, redis_url_of_our_own

log = logging.getLogger(__name__)

#: Exit code of a worker that was started with wrong settings or options.
WRONG_USAGE = 2


def await_redis(connection: redis.Redis, settings: Settings, ask: Callable[[], object] = lambda: None) -> None:
    """Return once Redis answers, and has answered what `ask` asks, perhaps more than once; SettingsError if it refuses
    the login. SIGTERM and Ctrl-C end the process as usual.
    """

    def ping() -> None:
        try:
            connection.ping()
            ask()
        except redis.AuthenticationError as error:
            raise SettingsError(refusal_of_login(error)) from None

    def tell(sentence: str) -> None:
        logs.configure(settings.log_format)
        where = place(connection.connection_pool.connection_kwargs)
        log.warning("redis.awaited", extra={"place": where, "why": sentence})

    def pause(seconds: float) -> None:
        heartbeat.beat(settings.runtime_path, heartbeat.State.WAITING)
        time.sleep(seconds)

    Patience(on_wait=tell, pause=pause).ask(ping)


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
    wanted, used = place(ours), place(connection.connection_pool.connection_kwargs)
    if wanted != used:
        raise SettingsError(
            f"OUTLAST_REDIS_URL names {wanted}, but `rq` uses {used}; give `rq` the option -c outlast.rq_config, with "
            "which it reads the same (and no RQ_REDIS_URL), or set RQ_REDIS_URL alone, which both read."
        )


def place(options: dict[str, Any]) -> str:
    """Where a connection leads: `host:port/database`; no user, no password."""
    where = options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}"
    return f"{where}/{options.get('db') or 0}"


def _not_suspended(connection: redis.Redis) -> bool:
    # First, for waiting mends no setting.
    with in_a_sentence():
        settings = Settings.load()
        _one_redis(connection)
        await_redis(connection, settings)
    return False


def install() -> None:
    """Answer the question of `rq worker`, if this process is one."""
    commands = sys.modules.get("rq.cli.workers")
    if commands is not None:
        commands.is_suspended = _not_suspended  # type: ignore[attr-defined]  # RQ imports this name there and does not export it
