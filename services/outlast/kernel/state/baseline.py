"""The process as it was before the first cell; what differs from it later, a cell has changed.

What a restore changes counts as changed by a cell, so that it is in the next checkpoint too.
"""

from __future__ import annotations

import _locale
import gc
import os
import signal
import sys
import threading
import time
import warnings
from typing import Any


def file_mode_mask() -> int | None:
    """The umask, without setting it: another thread may be making a file just now. None if the system does not tell."""
    try:
        with open("/proc/self/status", encoding="utf-8", errors="replace") as status:
            return next((int(line.split()[1], 8) for line in status if line.startswith("Umask:")), None)
    except OSError:
        return None


def loggers() -> dict[str, Any]:
    """The root logger (under "") and all that somebody has asked for."""
    logging = sys.modules.get("logging")
    if logging is None:
        return {}
    named = {name: logger for name, logger in logging.root.manager.loggerDict.items() if hasattr(logger, "handlers")}
    return {"": logging.root, **named}


environment = dict(os.environ)
path = list(sys.path)
modules = frozenset(sys.modules)
mask = file_mode_mask()
locale = _locale.setlocale(_locale.LC_ALL)
time_zone = time.tzname
recursion_limit = sys.getrecursionlimit()
text_digits = sys.get_int_max_str_digits()
collector = gc.isenabled(), gc.get_threshold()
threads = frozenset(thread.ident for thread in threading.enumerate())
signal_handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
excepthook = sys.excepthook
logger_settings = {name: (logger.level, logger.disabled, logger.propagate) for name, logger in loggers().items()}
#: Kept alive, so that none of a cell's can have the address of one of them.
log_handlers = [handler for logger in loggers().values() for handler in logger.handlers]

#: Lists and tables that Python itself goes on using.
live = {"paths": sys.path, "arguments": sys.argv, "modules": sys.modules, "filters": warnings.filters}
