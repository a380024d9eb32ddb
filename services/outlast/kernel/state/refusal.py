"""What cannot be saved or restored, and the few words that say so."""

from __future__ import annotations

import asyncio
import os
import sys
import types
import weakref
from typing import Any

from .calm import Interrupted

#: Characters of a reason at most: it goes into the log and to the model.
_longest = 160


class Refused(Exception):
    """An object that cannot be saved; the text is the reason, as the user reads it."""


class Unusable(Exception):
    """A checkpoint that cannot be restored here; the text says why."""


#: Reasons by class, where "module:name" is looked up only if its module is loaded. A subclass counts as its base.
_refused_classes: dict[str, str] = {
    "threading:Thread": "thread",
    "subprocess:Popen": "process",
    "multiprocessing.process:BaseProcess": "process",
    "multiprocessing.pool:Pool": "pool of processes or threads",
    "multiprocessing.managers:BaseManager": "process",
    "concurrent.futures._base:Executor": "pool of processes or threads",
    "concurrent.futures._base:Future": "result that a thread or process has yet to give",
    "socket:socket": "socket",
    "select:epoll": "open file",
    "mmap:mmap": "open file",
    "zipfile:ZipExtFile": "open file",
    "multiprocessing.connection:_ConnectionBase": "connection to another process",
    "multiprocessing.connection:Listener": "connection to another process",
    "weakref:finalize": "callback for the end of an object",
    "itertools:groupby": "iterator that is half consumed",
    "itertools:_grouper": "iterator that is half consumed",
}

_refused_builtins: dict[type, str] = {
    types.GeneratorType: "generator",
    types.CoroutineType: "coroutine",
    types.AsyncGeneratorType: "asynchronous generator",
    types.FrameType: "frame of running code",
    types.TracebackType: "traceback",
    memoryview: "memory view",
    weakref.ProxyType: "weak reference (a proxy)",
    weakref.CallableProxyType: "weak reference (a proxy)",
    asyncio.Future: "asyncio task or future",
    asyncio.AbstractEventLoop: "event loop",
}

_databases = frozenset(
    [
        "sqlite3",
        "duckdb",
        "_duckdb",
        "psycopg",
        "psycopg2",
        "pymysql",
        "MySQLdb",
        "mysql",
        "oracledb",
        "pyodbc",
        "sqlalchemy",
    ]
)
_database_words = ("Connection", "Cursor", "Engine", "Session", "Blob")


def refusal(kind: type) -> str:
    """Why no object of this class can be saved; "" if nothing is known against it."""
    for base in kind.__mro__:
        if base in _refused_builtins:
            return _refused_builtins[base]
        reason = _refused_classes.get(f"{base.__module__}:{base.__name__}", "")
        if reason:
            return reason
        if str(base.__module__).partition(".")[0] in _databases and base.__name__.endswith(_database_words):
            return f"database connection ({base.__module__}.{base.__name__})"
    return ""


def require_importable(name: str, known: dict[str, bool]) -> None:
    """Refused if a new process could not import this module: it was made by code, or its file is gone.

    A stream that names it would not load, and that would cost all the other names too. `known` is a cache.
    """
    if name not in known:
        module = sys.modules.get(name)
        spec = getattr(module, "__spec__", None)
        known[name] = spec is not None and (not _from_file(spec) or _exists(spec.origin))
    if not known[name]:
        raise Refused(f"needs the module {name}, which cannot be imported anew")


def _from_file(spec: Any) -> bool:
    return type(getattr(spec, "loader", None)).__name__ == "SourceFileLoader"


def _exists(path: Any) -> bool:
    return isinstance(path, str) and os.path.exists(path)


def reason(error: BaseException) -> str:
    """One short line, whatever the exception's own `__str__` does."""
    if isinstance(error, RecursionError):
        return "too deeply nested"
    try:
        text = str(error)
    except BaseException:
        text = ""
    line = " ".join(text.split())
    if not isinstance(error, (Refused, Unusable)):
        line = f"{type(error).__name__}: {line}" if line else type(error).__name__
    line = "".join(character if character.isprintable() else "�" for character in line)
    return line if len(line) <= _longest else line[: _longest - 1] + "…"


def cause(error: BaseException) -> str:
    """Why a save or a restore failed as a whole."""
    if isinstance(error, Interrupted):
        return "it was interrupted"
    if isinstance(error, Unusable):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    return reason(error)
