"""What a save meets in the tests: kills at a named point, at the n-th call or after a time, and calls that fail.

Runs in the kernel's process; see `kernel_process.py`. Victims: "child" (the process that saves), "kernel", "both". What
is set up holds for the next save only.
"""

import contextlib
import importlib
import mmap
import os
import signal
import sys
import threading
import time


class Mishaps:
    def __init__(self, package):
        self.points = importlib.import_module(package.__name__ + ".points")
        self.kernel = os.getpid()
        # Shared with the child: the calls that it made during the last save whose calls were counted.
        self._calls = mmap.mmap(-1, 8)
        self._at_call = None
        self._killer = None

    def kill(self, victim, moment, value, time=1):
        """Kill at the point named `value` when it is reached that often, at call number `value`, or after seconds."""

        def fatal():
            if victim in ("kernel", "both"):
                os.kill(self.kernel, signal.SIGKILL)
            if victim in ("child", "both"):
                os.kill(os.getpid(), signal.SIGKILL)

        if moment == "point":
            self.points.hook = self._at(value, time, fatal)
        elif moment == "call":
            self._at_call = value, fatal
        elif moment == "seconds":
            self._killer = victim, value
        else:
            raise ValueError(moment)

    def fail(self, point, number, time=1):
        """Raise an OSError at this point."""

        def full():
            raise OSError(number, os.strerror(number))

        self.points.hook = self._at(point, time, full)

    def count(self):
        """The calls that the child made in the save before; those of the next save will be counted."""
        self._at_call = 0, lambda: None
        return int.from_bytes(self._calls[:], "little")

    @staticmethod
    def _at(point, time, act):
        reached = []

        def hook(at):
            if at == point:
                reached.append(at)
                if len(reached) == time:
                    act()

        return hook

    @contextlib.contextmanager
    def armed(self):
        killer = self._start_killer(*self._killer) if self._killer else None
        if self._at_call is not None:
            threading.setprofile(self._count)
        try:
            yield
        finally:
            threading.setprofile(None)
            if killer is not None:
                os.kill(killer, signal.SIGKILL)
                os.waitpid(killer, 0)
            self._killer = self._at_call = None
            self.points.hook = None

    def _count(self, frame, event, argument):
        """Count the calls of the thread in which the child works: it begins with this one."""
        calls, (last, act) = 0, self._at_call
        done = self._calls

        def count(frame, event, argument):
            nonlocal calls
            if event == "call" or event == "c_call":
                calls += 1
                if calls == last:
                    act()
                elif not last:
                    done[:] = calls.to_bytes(8, "little")

        sys.setprofile(count)

    def _start_killer(self, victim, seconds):
        """A process that sleeps and kills; it has nothing else of a kernel."""
        pid = os.fork()
        if pid:
            return pid
        time.sleep(seconds)
        with contextlib.suppress(OSError):
            with open(f"/proc/{self.kernel}/task/{self.kernel}/children") as children:
                others = [int(child) for child in children.read().split() if int(child) != os.getpid()]
            for pid in others if victim in ("child", "both") else []:
                os.kill(pid, signal.SIGKILL)
            if victim in ("kernel", "both"):
                os.kill(self.kernel, signal.SIGKILL)
        os._exit(0)
