"""What cells have set up that no checkpoint holds: it is only told, with the reason.

Nothing that IPython or a library has set up for itself is told: what belongs to nobody in particular counts as the
user's if its code is (`own.made`), or if it is not as it was before the first cell and has no code.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from . import baseline, module_state, own, patches

#: What a forked child does not have, as it was in the kernel just before the fork.
_running: dict[str, str] = {}

_timers = {signal.ITIMER_REAL: "real", signal.ITIMER_VIRTUAL: "virtual", signal.ITIMER_PROF: "profiling"}


def observe(namespace: dict[str, Any]) -> None:
    """Look at what a child of this process would not have, and no variable is."""
    _running.clear()
    for timer, name in _timers.items():
        if signal.getitimer(timer) != (0.0, 0.0):
            _running[f"(timer {name})"] = "timers are not saved"
    for name, hook in (("settrace", sys.gettrace()), ("setprofile", sys.getprofile())):
        if hook is not None and own.made(hook):
            _running[f"(sys.{name})"] = "trace functions are not saved"
    named = {id(value) for value in list(namespace.values())}
    for thread in threading.enumerate():
        target = getattr(thread, "_target", None) or thread
        if thread.ident not in baseline.threads and id(thread) not in named and own.made(target):
            _running[f"(thread {thread.name})"] = "threads are not saved"
    with contextlib.suppress(RuntimeError):  # There is no loop.
        for task in asyncio.all_tasks():
            code_of = getattr(getattr(task.get_coro(), "cr_frame", None), "f_globals", None)
            if code_of is namespace and id(task) not in named:
                _running[f"(task {task.get_name()})"] = "asyncio tasks are not saved"


def unsaved(shell: Any) -> dict[str, str]:
    """Labels and reasons."""
    found = dict(_running)
    for look in (_signals, _hooks, _modules, lambda: _of_ipython(shell)):
        with contextlib.suppress(Exception):
            found.update(look())
    return found


def _signals() -> Iterator[tuple[str, str]]:
    for number in signal.valid_signals():
        # The kernel sets that for SIGINT anew with each cell.
        if number == signal.SIGINT:
            continue
        handler, before = signal.getsignal(number), baseline.signal_handlers.get(number)
        is_plain = handler in (signal.SIG_DFL, signal.SIG_IGN)
        if handler != before and (is_plain or own.made(handler)):
            name = signal.Signals(number).name if number in signal.Signals.__members__.values() else str(int(number))
            yield f"(signal handler {name})", "signal handlers are not saved"


def _hooks() -> Iterator[tuple[str, str]]:
    is_saved = sys.excepthook is baseline.excepthook or patches.is_known("sys", "excepthook")
    if not is_saved and own.made(sys.excepthook):
        yield "(sys.excepthook)", "is saved only if a cell sets it by name"
    if patches.registers_exit_functions():
        yield "(exit functions)", "what atexit registers is not saved"
    for holder in patches.unnamed():
        yield f"(attributes of {holder})", "a cell has set attributes whose names cannot be told; they are not saved"


def _modules() -> dict[str, str]:
    return module_state.changed_files()


def _of_ipython(shell: Any) -> Iterator[tuple[str, str]]:
    if shell is None:
        return
    for kind, magics in shell.magics_manager.magics.items():
        for name, function in magics.items():
            if own.made(function):
                yield f"({'%' if kind == 'line' else '%%'}{name})", "magics are not saved"
    for name, callbacks in shell.events.callbacks.items():
        if any(own.made(callback) for callback in callbacks):
            yield f"({name} of IPython)", "callbacks of IPython's events are not saved"
    for name in ("input_transformers_cleanup", "input_transformers_post", "ast_transformers"):
        if any(own.made(transformer) for transformer in getattr(shell, name, ())):
            yield f"({name} of IPython)", "transformers of cells are not saved"
    for kind, formatter in shell.display_formatter.formatters.items():
        printers = [*formatter.type_printers.values(), *formatter.deferred_printers.values()]
        if any(own.made(printer) for printer in printers):
            yield f"(formatters for {kind})", "formatters of displayed objects are not saved"
    for name in sorted(shell.extension_manager.loaded):
        name = name.removeprefix("IPython.extensions.")
        if name != "storemagic":
            yield f"(extension {name})", "extensions of IPython are not loaded again"
