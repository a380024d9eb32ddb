"""Loggers: their settings, and the handlers that cells have added."""

from __future__ import annotations

import sys
from typing import Any

from . import baseline, own
from .stream import Key

_untouched = (0, False, True)
_level_names = {50: "CRITICAL", 40: "ERROR", 30: "WARNING", 20: "INFO", 10: "DEBUG", 0: "NOTSET"}


def settings() -> Any:
    """Level, `disabled` and `propagate` of each changed logger, the level disabled for all, names of levels."""
    logging = sys.modules["logging"]
    changed = {}
    for name, logger in baseline.loggers().items():
        now = logger.level, logger.disabled, logger.propagate
        if now != baseline.logger_settings.get(name, _untouched):
            changed[name] = now
    levels = {number: name for number, name in logging._levelToName.items() if _level_names.get(number) != name}
    disabled = logging.root.manager.disable
    return (changed, disabled, levels) if changed or disabled or levels else None


def set_settings(settings: Any) -> None:
    """Put `settings()` back."""
    import logging

    changed, disabled, levels = settings
    for number, name in levels.items():
        logging.addLevelName(number, name)
    for name, (level, is_disabled, propagates) in changed.items():
        logger = logging.getLogger(name or None)
        logger.setLevel(level)
        logger.disabled, logger.propagate = is_disabled, propagates
    logging.disable(disabled)


def handlers() -> dict[Key, Any]:
    """Name of a logger and handler, one entry each.

    A handler of a logger that is named after a library counts as the library's, and so does one that does nothing.
    """
    found = {}
    for name, logger in baseline.loggers().items():
        for number, handler in enumerate(logger.handlers):
            if not (_is_from_the_start(handler) or _is_of_a_library(name, handler)):
                label = f"(logging handler {type(handler).__name__} {number} of {name or 'root'})"
                found[Key("logging handler", label)] = name, handler
    return found


def add_handler(entry: Any) -> None:
    """Put one of `handlers()` back."""
    import logging

    name, handler = entry
    logging._addHandlerRef(handler)  # type: ignore[attr-defined]  # a handler that was unpickled has not run the constructor, which calls this
    logging.getLogger(name or None).addHandler(handler)


def _is_from_the_start(handler: Any) -> bool:
    return any(handler is known for known in baseline.log_handlers)


def _is_of_a_library(name: str, handler: Any) -> bool:
    if type(handler).__name__ == "NullHandler":
        return True
    top = name.partition(".")[0]
    return top in sys.modules and top != "__main__" and not own.is_module(top)
