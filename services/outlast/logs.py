"""The worker's log: one event a line, a static name, ids as fields.

    log.info("job.taken", extra={"job": "etl", "session": "etl", "queue": "default"})

Text on a terminal (`12:00:01 job.taken job=etl …`), one JSON object a line otherwise. Standard error, so that
nothing a session prints is mixed in.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

#: What every log record has; all else came as `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """The fields of an event; empty ones are left out."""
    return {name: value for name, value in vars(record).items() if name not in _STANDARD and value not in (None, "")}


class TextFormatter(logging.Formatter):
    """For people."""

    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%H:%M:%S", time.localtime(record.created))
        level = "" if record.levelno <= logging.INFO else f" {record.levelname.lower()}"
        fields = "".join(f" {name}={_shown(value)}" for name, value in fields_of(record).items())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{at}{level} {record.getMessage()}{fields}{trace}"


class JsonFormatter(logging.Formatter):
    """For machines."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": round(record.created, 3),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "pid": record.process,
            **fields_of(record),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure(log_format: str, level: str | int | None = None) -> None:
    """Send the events of `outlast.*` to standard error; `log_format` is text, json or auto. Again changes nothing."""
    text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if text else JsonFormatter())
    logger = logging.getLogger("outlast")
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(level.upper() if isinstance(level, str) else level or logging.INFO)


def _shown(value: object) -> str:
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)
