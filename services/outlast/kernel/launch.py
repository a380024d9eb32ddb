"""Turns a fresh child of the guardian into the kernel's process. Standard library only.

Theory of operation. The guardian forks; the child calls `become_kernel`, which never returns: it detaches from
everything that the worker's side owns, binds its life to the guardian's, bounds itself, isolates itself, and
replaces itself by the kernel environment's Python. The order matters:

1. a session and process group of its own, so that an interrupt and a kill reach what the kernel starts;
2. descriptors: nothing but /dev/null and the guardian's pipe for the last words (every other one is close-on-exec);
3. resource limits and umask, no limit of the worker's own left;
4. the place in the order in which Linux ends processes for want of memory, and behind the worker for processors;
5. the sandbox (`enter`), which may change the user id;
6. the parent-death signal, after the user id, because changing that clears it; it is sent when the *thread* that
   forked ends, which in the guardian is the main thread. The parent is checked afterwards: it may have died before;
7. exec, with an environment made here from an allow-list: no secret can slip through it.

A step that fails ends the child with status 97 and the reason on the guardian's pipe. No code has run then.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from typing import NoReturn

#: A session's processes make way for the worker's, whose heartbeats a few hundred busy ones would hold up.
NICENESS = 10
#: How much readier than the worker a kernel is to be ended when memory runs out (of 1,000), while it waits for a cell.
READY = 60
#: The same while it runs one, and for all that cells start: before a waiting kernel that has half of all memory.
BUSY = 560
#: Exit status of a child that could not become a kernel.
LAUNCH_FAILED = 97
_PR_SET_PDEATHSIG = 1

#: What the kernel may see of the worker's environment.
ALLOWED = ("LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

#: The variables that mark every process of a session's kernel.
SESSION_MARK = "OUTLAST_KERNEL_OF"
ROOT_MARK = "OUTLAST_KERNEL_ROOT"


def kernel_environment(source: Mapping[str, str], python: str, session: str, root: str) -> dict[str, str]:
    """The whole environment of the kernel of `session`, whose workspace is `root`."""
    tmp = f"{root}/tmp"  # noqa: S108  # below the session's own directory, not the machine's /tmp
    path = source.get("PATH") or "/usr/local/bin:/usr/bin:/bin"
    # What the worker's own environment has to run is not for cells; here and in a shell somebody may have put it there.
    own = os.path.dirname(sys.executable)
    path = ":".join(directory for directory in path.split(":") if directory != own)
    return {
        "LANG": "C.UTF-8",
        **{name: source[name] for name in ALLOWED if name in source},
        # First what the kernel puts there itself, in place of installers.
        "PATH": f"{root}/home/bin:{os.path.dirname(python)}:{path}",
        "HOME": f"{root}/home",
        "TMPDIR": tmp,
        # In TMPDIR, because HOME is emptied at each start and building the font list takes seconds.
        "MPLCONFIGDIR": f"{tmp}/.matplotlib",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        # Arrow's allocator would map a gigabyte in advance, all of which counts against the limit.
        "MIMALLOC_ARENA_EAGER_COMMIT": "0",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        SESSION_MARK: session,
        ROOT_MARK: root,
    }


def marks(environment: Mapping[str, str]) -> list[bytes]:
    """What `processes.marked` looks for: only processes of this session's kernels have both in their environment."""
    return [os.fsencode(f"{name}={environment[name]}") for name in (SESSION_MARK, ROOT_MARK)]


def become_kernel(
    argv: list[str],
    environment: dict[str, str],
    directory: str,
    umask: int,
    enter: Callable[[], None],
    last_words: int,
) -> NoReturn:
    """Replace this freshly forked process by the kernel; see the module's docstring."""
    try:
        parent = os.getppid()
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(last_words, 2)
        os.dup2(null, 0)
        os.dup2(null, 1)
        # The guardian ignores some of them, whoever started the worker maybe others, and exec would keep that.
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        # What bounds the worker's side is not the kernel's limit, which comes with the sandbox.
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
        # Not 0: where dumps go to a program, Linux starts that all the same, on the host and as root. 1 stops it.
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
        os.umask(umask)
        # Before the worker, when memory runs out. Afterwards nobody in there can change it.
        with open("/proc/self/oom_score_adj", "r+", encoding="ascii") as file:
            worker = int(file.read())
            file.seek(0)
            file.write(str(min(999, worker + READY)))
        os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
        enter()
        os.chdir(directory)
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "PR_SET_PDEATHSIG")
        if os.getppid() != parent:
            os._exit(LAUNCH_FAILED)
        os.execve(argv[0], argv, environment)  # noqa: S606  # the program itself: a shell would only read its arguments anew
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
    sys.stderr = None
    os._exit(LAUNCH_FAILED)
