"""A stand-in for a kernel, run by the kernels' own Python: does the steps it is given and writes what came of each.

    python kernel_process.py PACKAGE < steps.json

Steps: ["cell", code], ["save", directory, cell], ["restore", manifest], ["shell"] (cells run in IPython from here on),
["file size limit", bytes]. The last line of the output has one dictionary a step, with what was printed during it.
"""

import contextlib
import importlib.util
import io
import json
import os
import resource
import sys
import traceback
import types


def load_package(directory, name):
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(directory, "__init__.py"), submodule_search_locations=[directory]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return package


class Kernel:
    def __init__(self, package):
        self.package = package
        self.shell = None
        # As in a kernel: the user's module takes the place of the program's.
        self.main = sys.modules["__main__"] = types.ModuleType("__main__")
        self.main.__builtins__ = __builtins__

    @property
    def namespace(self):
        return self.main.__dict__ if self.shell is None else self.shell.user_ns

    def step(self, kind, *rest):
        if kind == "cell":
            return self.cell(*rest)
        if kind == "save":
            return self.package.save(self.namespace, rest[0], cell=rest[1])
        if kind == "restore":
            return self.package.restore(self.namespace, rest[0])
        if kind == "shell":
            from IPython.core.interactiveshell import InteractiveShell

            self.shell = InteractiveShell.instance(history_length=0)
            self.shell.history_manager.enabled = False
            return {}
        if kind == "file size limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (rest[0], resource.RLIM_INFINITY))
            return {}
        raise ValueError(kind)

    def cell(self, code):
        if self.shell is not None:
            result = self.shell.run_cell(code, store_history=True)
            return {"error": "" if result.success else repr(result.error_in_exec or result.error_before_exec)}
        try:
            exec(compile(code, "<cell>", "exec"), self.namespace)
        except Exception:
            return {"error": traceback.format_exc()}
        return {"error": ""}


def main():
    (package,) = sys.argv[1:]
    steps = json.load(sys.stdin)
    # A name of its own in each process: a stream must not depend on it.
    kernel = Kernel(load_package(package, f"state_of_{os.getpid()}"))
    outcomes = []
    for step in steps:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            outcome = kernel.step(*step)
        outcomes.append({**outcome, "printed": printed.getvalue()})
    print("\n" + json.dumps(outcomes), flush=True)
    # Threads and generators that a cell left behind must not keep the test waiting.
    os._exit(0)


main()
