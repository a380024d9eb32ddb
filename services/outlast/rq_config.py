"""RQ's settings, from ours: `rq worker -c outlast.rq_config`, or RQ_CONFIG=outlast.rq_config for every `rq` command.

So the password is read from its file by the process that needs it, and is in no environment and on no command line.
An RQ_REDIS_URL in the environment, or --url, would be taken instead: leave both out.
"""

import sys

from .errors import SettingsError
from .settings import Settings

try:
    _settings = Settings.load()
    REDIS_URL = _settings.redis_address()
except SettingsError as mistake:
    # RQ would show a traceback.
    print(f"outlast: {mistake}", file=sys.stderr)
    raise SystemExit(2) from None

QUEUES = _settings.queues.split()
