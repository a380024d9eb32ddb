"""The stock `rq` command as Outlast's settings say: `python -m outlast.rq_client enqueue outlast.run "…"`.

The worker's image has it as `rq`. It is RQ's own command line; what is added is where Redis is, and a sentence instead
of a traceback where Redis cannot be used.
"""

from __future__ import annotations

import sys

import redis
from rq.cli.cli import main as rq

from .log.patience import refusal_of_login

USAGE, UNREACHABLE = 2, 3


def main() -> int:
    """Run `rq`; its exit code, or 2 for a refused login, 3 for an absent Redis."""
    try:
        rq(prog_name="rq", default_map=_everywhere("outlast.rq_config"))
    except redis.RedisError as error:
        refused = refusal_of_login(error)
        print(f"outlast: {refused or f'Redis cannot be reached ({error}); is it up?'}", file=sys.stderr)
        return USAGE if refused else UNREACHABLE
    return 0


def _everywhere(config: str) -> dict[str, dict[str, str]]:
    """Click's defaults: `--config` of every command."""
    return {name: {"config": config} for name in rq.commands}


if __name__ == "__main__":
    sys.exit(main())
