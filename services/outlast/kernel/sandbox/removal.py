"""Removing what a session has made, however deep and whosever it is. Standard library only."""

from __future__ import annotations

import os
import signal
import stat
from contextlib import suppress

from .identity import Identity, acting_as, become

_REMOVE, _OPEN = ["/bin/rm", "-rf"], ["/bin/chmod", "-R", "u+rwx"]


def remove(path: str, identity: Identity | None) -> None:
    """Remove the tree at `path` as far as it can be: as the session's user what is its, then as this process the rest.

    By `rm`, because a tree can be deeper than Python's calls and longer than any path. It follows no link. Not within
    `acting_as`: the program would have this process's own rights.
    """
    for who in (identity, None) if identity else (None,):
        # What cannot be entered is opened first; that is rare, and looks at everything once more.
        for words in (_REMOVE, _OPEN, _REMOVE):
            if not os.path.lexists(path):
                return
            _run([*words, "--", path], who)


def remove_shared_memory(identity: Identity) -> None:
    """Remove what this user has in shared memory, which no end of a process empties."""
    with suppress(OSError), os.scandir("/dev/shm") as entries:  # noqa: S108  # looked through, not written to
        for entry in entries:
            with suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                if facts.st_uid != identity.uid:
                    continue
                if stat.S_ISDIR(facts.st_mode):
                    remove(entry.path, identity)
                else:  # A program for each of a million files would take half an hour.
                    with acting_as(identity):
                        os.unlink(entry.path)


def _run(words: list[str], who: Identity | None) -> None:
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            null = os.open(os.devnull, os.O_RDWR)
            for standard in (0, 1, 2):
                os.dup2(null, standard)
            if who:
                become(who)
            os.execv(words[0], words)  # noqa: S606  # no shell reads the path
        os._exit(127)
    _, status = os.waitpid(child, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        # By a process of that user; what it keeps from being removed is its own.
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
