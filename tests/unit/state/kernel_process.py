"""A stand-in for a kernel, run by the kernels' own Python: does the steps it is given and says what came of each.

    python kernel_process.py PACKAGE < steps.json       one kernel, started cold
    python kernel_process.py PACKAGE MODULE,MODULE      a nursery: a kernel for each line of its input, forked from here

Steps: ["cell", code], ["save", directory, cell, options], ["restore", manifest], ["shell"] (cells run in IPython from
here on), ["file size limit", bytes], ["copy", from, to], ["describe", name, …] (see `shapes.py`), and what a save
meets, see `mishaps.py`: ["kill", victim, moment, value], ["fail", point, number of an error], ["count"].

The last line of a cold kernel's output has one dictionary a step, with what was printed during it. A nursery imports
the modules once, in the order that a cell would: after the package. It answers a line {"steps", "directory",
"patience"} with {"status", "outcomes"}: how the kernel ended, and the same dictionaries. `patience`: the seconds that
what the kernel left behind may go on before it is killed; no answer comes while any of it lives.
"""

import contextlib
import gc
import importlib
import importlib.util
import io
import json
import os
import resource
import runpy
import shutil
import signal
import sys
import time
import traceback
import types

_here = os.path.dirname(os.path.abspath(__file__))


def load_package(directory):
    # A name of its own in each process: a stream must not depend on it.
    name = f"state_of_{os.getpid()}"
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(directory, "__init__.py"), submodule_search_locations=[directory]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return package


def load_beside(name):
    """A module of the tests, which nobody may take for one that the user's cells have imported."""
    return types.SimpleNamespace(**runpy.run_path(os.path.join(_here, f"{name}.py")))


class Kernel:
    def __init__(self, package):
        self.package = package
        self.shell = None
        self._mishaps = None
        # As in a kernel: the user's module takes the place of the program's.
        self.main = sys.modules["__main__"] = types.ModuleType("__main__")
        self.main.__builtins__ = __builtins__

    @property
    def namespace(self):
        return self.main.__dict__ if self.shell is None else self.shell.user_ns

    @property
    def mishaps(self):
        if self._mishaps is None:
            self._mishaps = load_beside("mishaps").Mishaps(self.package)
        return self._mishaps

    def steps(self, steps):
        outcomes = []
        for kind, *rest in steps:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                outcome = self.step(kind, *rest)
            outcomes.append({**outcome, "printed": printed.getvalue()})
        return outcomes

    def step(self, kind, *rest):
        if kind == "cell":
            return self.cell(*rest)
        if kind == "save":
            directory, cell, *options = rest
            before = time.monotonic()
            with self._mishaps.armed() if self._mishaps else contextlib.nullcontext():
                outcome = self.package.save(self.namespace, directory, cell=cell, **(options[0] if options else {}))
            return {**outcome, "seconds": time.monotonic() - before}
        if kind == "restore":
            return self.package.restore(self.namespace, rest[0])
        if kind == "shell":
            from IPython.core.interactiveshell import InteractiveShell

            self.shell = InteractiveShell.instance(history_length=0)
            self.shell.history_manager.enabled = False
        elif kind == "file size limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (rest[0], resource.RLIM_INFINITY))
        elif kind == "copy":
            shutil.copytree(*rest, symlinks=True)
        elif kind == "describe":
            return {"shape": load_beside("shapes").describe(self.namespace, rest)}
        elif kind == "kill":
            self.mishaps.kill(*rest)
        elif kind == "fail":
            self.mishaps.fail(*rest)
        elif kind == "count":
            return {"calls": self.mishaps.count()}
        else:
            raise ValueError(kind)
        return {}

    def cell(self, code):
        if self.shell is not None:
            result = self.shell.run_cell(code, store_history=True)
            return {"error": "" if result.success else repr(result.error_in_exec or result.error_before_exec)}
        try:
            exec(compile(code, "<cell>", "exec"), self.namespace)
        except Exception:
            return {"error": traceback.format_exc()}
        return {"error": ""}


def serve(package, channel):
    """Answer requests until there are none; a kernel gets a copy of this process and nothing of the channel."""
    import ctypes

    become_subreaper = 36
    ctypes.CDLL(None).prctl(become_subreaper, 1)
    # A collection in a kernel would go through, and so copy, all that was imported here.
    gc.collect()
    gc.freeze()
    print(json.dumps("ready"), file=channel, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        told = os.memfd_create("outcomes")
        pid = os.fork()
        if pid == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 0)
            os.close(channel.fileno())
            os.setsid()
            os.chdir(request["directory"])
            outcomes = Kernel(package).steps(request["steps"])
            os.write(told, json.dumps(outcomes).encode())
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        reap(time.monotonic() + request["patience"])
        outcomes = os.pread(told, os.fstat(told).st_size, 0).decode()
        os.close(told)
        answer = {"status": os.waitstatus_to_exitcode(status), "outcomes": json.loads(outcomes or "[]")}
        print(json.dumps(answer), file=channel, flush=True)


def reap(until):
    """Wait for the kernel's processes, which are this process's children once the kernel is gone."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                if time.monotonic() >= until:
                    with open(f"/proc/self/task/{os.getpid()}/children") as children:
                        for child in children.read().split():
                            with contextlib.suppress(ProcessLookupError):
                                os.kill(int(child), signal.SIGKILL)
                time.sleep(0.001)


def main():
    directory, *modules = sys.argv[1:]
    if not modules:
        outcomes = Kernel(load_package(directory)).steps(json.load(sys.stdin))
        print("\n" + json.dumps(outcomes), flush=True)
        # Threads and generators that a cell left behind must not keep the test waiting.
        os._exit(0)
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    package = load_package(directory)
    package.prepare()
    for name in filter(None, modules[0].split(",")):
        importlib.import_module(name)
    serve(package, channel)


main()
