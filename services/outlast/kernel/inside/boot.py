"""The kernel's first program: `<kernel python> -I boot.py <connection file>`.

Theory of operation. The launcher has made this process the leader of its own session and process group, has
tied its life to the guardian's, and has closed every descriptor but 0, 1 and 2 (the last is a pipe of which
the guardian keeps the end, to explain a start that fails). From here on everything is inside the sandbox:
the worker on the other end of the sockets trusts nothing that this process says.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def load_package(name: str, directory: Path) -> ModuleType:
    """Import the package in `directory` under `name`, leaving `sys.path` as it is."""
    spec = importlib.util.spec_from_file_location(
        name, directory / "__init__.py", submodule_search_locations=[str(directory)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{directory} is not a package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Run a kernel on the sockets that the connection file names, until it is killed."""
    here = Path(__file__).resolve().parent
    load_package("outlast_inside", here)
    # Not an `import`: no path leads to a package of this name.
    application = importlib.import_module("outlast_inside.application").Application
    app = application.instance(connection_file=sys.argv[1])
    app.load_state = lambda: load_package("outlast_state", here.parent / "state")
    app.initialize([])
    app.start()


if __name__ == "__main__":
    main()
