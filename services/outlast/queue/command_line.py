"""Lets `rq worker` start while Redis is away or the workers are suspended.

RQ's command line asks Redis whether the workers are suspended before it makes the worker, and exits if Redis does
not answer or says yes. Both are things a worker waits for, not reasons to leave. The one place to wait in is that
question, so it is answered here: once Redis answers, and always with no, for `Worker` looks for itself.
RQ is pinned; `tests/integration/queue` starts a worker with Redis down.
"""

from __future__ import annotations

import sys
import time

import redis

from outlast.log.patience import Patience


def await_redis(connection: redis.Redis) -> None:
    """Return once Redis answers. SIGTERM and Ctrl-C end the process as usual."""
    Patience(on_wait=lambda sentence: print(sentence, file=sys.stderr), pause=time.sleep).ask(connection.ping)


def _not_suspended(connection: redis.Redis) -> bool:
    await_redis(connection)
    return False


def install() -> None:
    """Answer the question of `rq worker`, if this process is one."""
    commands = sys.modules.get("rq.cli.workers")
    if commands is not None:
        commands.is_suspended = _not_suspended  # type: ignore[attr-defined]
