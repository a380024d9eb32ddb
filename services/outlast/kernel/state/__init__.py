"""Checkpoint of a kernel's variables, and their return in another kernel.

This package runs inside the kernel. It needs the standard library and cloudpickle (xxhash where it is installed) and
imports nothing of the rest of Outlast: the launcher loads it by its path, under any name, once. It must do so before
the first cell: what cells change of the process (environment, paths, imported modules) is told from how it was when
this package was loaded. Loading takes no time; `prepare` then imports the rest, at a moment when nobody waits.

    save(namespace, directory, cell=7)    → {"manifest": "7-0f3a9c1e/manifest.json", "missing": {…}, "error": ""}
    restore(namespace, path_of_manifest)  → {"restored": […], "missing": {…}, "error": ""}

Neither raises, prints, or lets an object of the user's do so, whatever such an object does while it is pickled. An
interrupt (SIGINT) ends a save or a restore with an error.

Theory of operation
    All names are pickled, one after the other, by one pickler with one memo into one stream: what two names share is
    written once and shared again after a restore. A name that cannot be pickled is left out with its reason, and the
    rest is pickled again from the start, so that no half-written object stays in the stream.

    cloudpickle gives each unpickled function globals of its own, a copy of what it used. Here the namespace is in the
    pickler's memo from the start, as an object that the loader replaces by its own namespace; functions, and
    `globals()` kept by the user, are thereby rebuilt onto the live one. Functions that the code of an imported module
    made come back onto that module. Variables that closures share stay shared. Methods that act while a class is being
    made (`__init_subclass__`, those of a metaclass) are put on after everything is loaded: they did their work once.

    Loading binds modules first, then functions and classes, then the rest, each as soon as it is there, for what the
    user's own `__setstate__` may look up. If one of them fails, all is taken back: names, environment, directory.

Files
    directory/<cell>-<8 hexadecimal digits>/state.pickle, then manifest.json beside it; each written under another
    name, synced, renamed; then the directories are synced. A directory without a manifest is the rest of a save that
    was cut off, and the next save removes it. It then keeps its own checkpoint, the one that was saved or restored
    before it in this process (the last one that the log can name), and the newest of lower cells, three in all.

    manifest.json, format 1: {"format", "cell", "python", "libraries": {name: version}, "state": {"file", "bytes",
    "algorithm", "digest"}, "saved": {name: {"type", "bytes"}}, "missing": {name: reason}}. `bytes` of a name is what
    it added to the stream; what it shares counts for the first name. The digest tells damage; against a swapped file
    the digest of the manifest, kept elsewhere, is the defence.

    state.pickle: pickles of protocol 5, one memo for all: the stand-ins of the namespace and of the builtins, where the
    process was (a dictionary of plain values) and the order of what follows, then one pair (key, value) each.

Guarantees
    A checkpoint is whole or is not there: a failed or killed save leaves the ones before it as they were.
    A restore is whole or changes no name. It refuses another format, another minor version of Python, other versions
    of cloudpickle, numpy, pandas, pyarrow or matplotlib than the saved state was made with, and a file of another size
    or digest.

Saved
    Every name of the user's (`names.py`), imports and what is reachable from them, functions and classes made in cells,
    figures that pyplot holds; the working directory, changes of the environment, additions to sys.path, imported
    submodules, the states of `random` and `numpy.random`, warning filters, print options of numpy, options of pandas,
    settings of matplotlib; IPython's counter, In, Out, `_`, and the source lines that tracebacks show.

Refused, with the reason
    Generators, coroutines, open files, sockets, threads, processes, pools, database connections, locks that are held,
    memory views, modules made by code, whatever names itself as an attribute of `__main__`, and all that pickle and
    cloudpickle refuse. A closed file comes back as a closed file, a free lock as a new one, a cached function without
    its cache.

Not saved
    That one array is a view of another (both are copies afterwards); the identity of numbers and strings; tracebacks
    of exceptions; the state of modules, be they the user's own or patched by a cell; logging handlers, signal
    handlers, magics; numbers that stand for resources, such as file descriptors. An object that pickles but does not
    load makes the restore fail, with an error that names it.
"""

from __future__ import annotations

from typing import Any

from . import baseline as _baseline  # noqa: F401  # reads the process now, see above

__all__ = ["prepare", "restore", "save"]


def prepare() -> None:
    """Import what the first save or restore would import; ImportError if this environment lacks it."""
    from . import checkpoint  # noqa: F401  # for the import itself


def save(
    namespace: dict[str, Any],
    directory: str,
    *,
    cell: int,
    limit: int = 0,
    deadline: float = 0.0,
    beside: dict[str, Any] | None = None,
    fork: bool = True,
) -> dict[str, Any]:
    """Write a checkpoint of `namespace` below `directory`; "manifest" is its name in `directory/manifests`.

    `limit`: bytes that it may have (0: any); the largest variables are left out for that. `deadline`: seconds that
    the child may take (0: any). `beside`: plain values of the caller's that a restore gives back. Without `fork` all
    is done in this process. "pause" is for how many seconds the fork stopped it. On an "error" there is no new
    checkpoint and "manifest" is empty.
    """
    result: dict[str, Any] = {"manifest": "", "missing": {}, "error": "", "bytes": 0, "pause": 0.0}
    try:
        from . import calm, checkpoint

        with calm.interruptible() as interrupts:
            result.update(
                checkpoint.write(
                    namespace,
                    directory,
                    cell,
                    limit=limit,
                    deadline=deadline,
                    beside=beside,
                    fork=fork,
                    commit=interrupts.commit,
                )
            )
    except BaseException as error:
        result.update(manifest="", missing={}, error=f"The state was not saved: {_cause(error)}.")
    return result


def restore(namespace: dict[str, Any], manifest_path: str) -> dict[str, Any]:
    """Put a checkpoint's names into `namespace`, that of a fresh kernel; on an "error" it is as it was.

    "missing" repeats what the save left out and adds what did not load and what only this machine lacks (a working
    directory that is gone). "beside" is what the save was given.
    """
    result: dict[str, Any] = {"restored": [], "missing": {}, "error": "", "beside": {}}
    try:
        from . import calm, checkpoint

        with calm.interruptible() as interrupts, calm.undisturbed():
            result.update(checkpoint.read(namespace, manifest_path, interrupts.commit))
    except BaseException as error:
        result["error"] = f"The state was not restored: {_cause(error)}."
    return result


def _cause(error: BaseException) -> str:
    """The error as the user reads it, whatever its own `__str__` does."""
    from .refusal import cause

    return cause(error)
