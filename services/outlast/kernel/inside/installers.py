"""What stands where a cell looks for an installer: a sentence at once, instead of a minute of attempts at a network.

They are small scripts in a directory of HOME that comes first in PATH, and a module for `python -m pip`; HOME is empty
at each start of a kernel.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

_PROGRAMS = ("pip", "pip3", "conda", "mamba", "micromamba", "uv", "pipx", "poetry", "apt", "apt-get", "npm", "npx")
_SCRIPT = """\
#!/bin/sh
echo "[$(basename "$0") can install nothing: there is no network. These Python packages are installed:"
cd '{packages}' && ls -d ./*.dist-info | sed 's,^./,,; s,-[0-9].*,,' | tr '\\n' ' '
echo "]"
exit 1
"""
_MODULE = "import subprocess, sys\nsys.exit(subprocess.call(['pip', *sys.argv[1:]]))\n"


def place() -> None:
    """Write the scripts; without a HOME that can be written to there are none."""
    home = Path(os.environ.get("HOME", "/"))
    directory, module = home / "bin", home / "lib/pip"
    script = _SCRIPT.format(packages=sysconfig.get_path("purelib"))
    try:
        directory.mkdir(exist_ok=True)
        for name in _PROGRAMS:
            (directory / name).write_text(script)
            (directory / name).chmod(0o755)
        module.mkdir(parents=True, exist_ok=True)
        (module / "__main__.py").write_text(_MODULE)
    except OSError:
        return
    # For the programs that cells start; the kernel itself has its path already.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(module.parent), os.environ.get("PYTHONPATH", "")]))


def register(shell: Any) -> None:
    """Have the magics of these names say the same."""
    for name in ("pip", "conda", "mamba", "micromamba", "uv"):

        def say(line: str, name: str = name) -> None:
            done = subprocess.run([name], check=False, capture_output=True, text=True)
            print(done.stdout.strip())

        shell.register_magic_function(say, "line", name)
