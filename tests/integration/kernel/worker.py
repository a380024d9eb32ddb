"""A worker's child for the tests of deaths: starts a kernel, runs one cell, names its processes, waits to be killed.

`python -m tests.integration.kernel.worker <settings as JSON> <session> <code>` prints one JSON object when the cell
has ended: the pids of guardian and kernel, and the cell's output.
"""

from __future__ import annotations

import json
import signal
import sys

from outlast.kernel.client import Kernel
from outlast.kernel.workspace import Workspace
from outlast.settings import Settings
from outlast.stop import StopSignal


def main() -> None:
    settings, session, code = Settings(**json.loads(sys.argv[1])), sys.argv[2], sys.argv[3]
    stop = StopSignal()
    kernel = Kernel.launch(Workspace.open(settings, session), settings, session=session)
    kernel.ready(stop)
    result = kernel.run("python", code, cell=1, stop=stop, on_output=lambda _: None, cell_timeout=0, cell_stall=0)
    print(json.dumps({"pids": [kernel.guardian_pid, kernel.kernel_pid], "output": result.output}), flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
