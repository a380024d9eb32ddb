"""Checkpoint of a kernel's variables, and their return in another kernel.

This package runs inside the kernel. It needs the standard library and cloudpickle (xxhash where it is installed) and
imports nothing of the rest of Outlast: the launcher loads it by its path, under any name, once. It must do so before
the first cell: what cells change of the process (environment, paths, imported modules) is told from how it was when
this package was loaded. Loading takes no time; `prepare` then imports the rest, at a moment when nobody waits.

    save(namespace, directory, cell=7)    → {"manifest": "7-0f3a9c1e.json", "missing": {…}, "error": "", …}
    restore(namespace, path_of_manifest)  → {"restored": […], "missing": {…}, "error": "", …}

Neither raises, prints, or lets an object of the user's do so, whatever such an object does while it is pickled. An
interrupt (SIGINT) ends a save or a restore with an error.

Theory of operation
    A save forks (`fork.py`). The child sees the process as of one moment and pickles it; whatever an object does there
    (hang, crash, change others) happens to the child. If the child dies, what it was at is left out, named, and another
    child does the rest. Objects of polars and others that work through threads are not there in a child: then the
    kernel itself saves, and is busy for as long.

    The namespace is taken apart (`components.py`): functions and classes made in cells go into one stream, the
    definitions; every other name is pickled by itself, and names that share an object are united in one stream, in
    which they go on sharing it. So what cannot be pickled costs nobody else, and what has not changed gives the same
    bytes as before.

    cloudpickle gives each unpickled function globals of its own, a copy of what it used. Here the namespace is in every
    pickler's memo from the start, as an object that the loader replaces by its own namespace (`stream.py`); functions,
    and `globals()` kept by the user, are thereby rebuilt onto the live one. Functions that the code of an imported
    module made come back onto that module. Variables that closures share stay shared. Methods that act while a class is
    being made (`__init_subclass__`, those of a metaclass) are put on afterwards: they did their work once.

    numpy's arrays that look into the memory of one another go on doing so, except within pandas, whose copy-on-write
    would not know (`arrays.py`). Their memory is not copied: buffers of 64 KiB and more are contents of their own,
    named by their digest, and written only if they are not there yet (`objects.py`).

    What has code of its own for being loaded is loaded once in the child, to prove that it can be (`proof.py`).

    A restore compares all digests first. Large contents are mapped, private to the process: they are read when they are
    used and copied when they are changed. Loading binds modules first, then functions and classes, then the rest, each
    as soon as it is there, for what the user's own `__setstate__` may look up; what fails is tried once more.

Files
    directory/objects/<32 hexadecimal digits>: contents by the xxh3-128 of their bytes (64 digits: SHA-256, where there
    is no xxhash). directory/manifests/<cell>-<8 hexadecimal digits>.json: a checkpoint each, named by the beginning of
    its own digest. Each is written under another name, synced, renamed, and its directory synced: all objects first,
    the manifest last. There is no file that names the newest: that is for the log to say.

    A manifest, format 2: {"format", "cell", "python", "libraries": {name: version}, "algorithm", "place" (directory,
    paths, environment), "components": [{"entries": [[kind, name]], "stream": {"inline": base64} or {"object": name},
    "buffers": [name]}] in the order of loading, "objects": {name: bytes}, "bytes" (of streams and objects together),
    "saved": {name: {"type", "bytes"}}, "missing": {name: reason}}. `bytes` of a name is its size by itself.

    A stream is pickles of protocol 5 with one memo: the stand-ins of what every loader knows, then a pair (key, value)
    for each entry, and after the definitions a table of them. Each save removes objects that neither the newest three
    manifests nor the one saved or restored before it (the last one that the log can name) need, and all but the newest
    fifty manifests: of those that cannot be restored any more, the lists of names remain.

Guarantees
    A checkpoint is whole or is not there: a failed or killed save leaves the ones before it as they were.
    A restore that fails as a whole (damage, other versions, an interrupt) changes no name. It refuses another format,
    another minor version of Python and other versions of the libraries whose objects it holds. One entry that does not
    load is missing, with whatever shares objects with it.
    The digests tell damage; against a swapped file the SHA-256 of the manifest, kept elsewhere, is the defence.

Saved
    Every name of the user's (`names.py`), imports and what is reachable from them, functions and classes made in cells,
    figures that pyplot holds; and what surrounds them, see `ambient.py`.

Refused, with the reason
    Generators, coroutines, open files, sockets, threads, processes, pools, database connections, locks that are held,
    memory views, arrays whose memory is a file, weak references with a callback, modules made by code, whatever names
    itself as an attribute of `__main__`, and all that pickle and cloudpickle refuse. A closed file comes back as a
    closed file, a free lock as a new one, a cached function without its cache.

Not saved, and not named
    The identity of numbers and short strings; tracebacks of exceptions; numbers that stand for resources, such as file
    descriptors; that an array of a mebibyte or more owns its memory (`resize` then refuses, loudly).
"""

from __future__ import annotations

from typing import Any

from . import baseline as _baseline  # noqa: F401  # it notes, when it is imported, what the process is before the first cell

__all__ = ["prepare", "restore", "save"]


def prepare() -> None:
    """Import what the first save or restore would import; ImportError if this environment lacks it."""
    from . import restoring, saving  # noqa: F401  # now, while nobody waits: `save` and `restore` import them too


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
        from . import calm, saving

        with calm.interruptible() as interrupts:
            result.update(
                saving.write(
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
        from . import ambient, calm, restoring

        with calm.interruptible() as interrupts, calm.undisturbed():
            result.update(restoring.read(namespace, manifest_path, interrupts.commit))
        ambient.settle()
    except BaseException as error:
        result["error"] = f"The state was not restored: {_cause(error)}."
    return result


def _cause(error: BaseException) -> str:
    """The error as the user reads it, whatever its own `__str__` does."""
    from .refusal import cause

    return cause(error)
