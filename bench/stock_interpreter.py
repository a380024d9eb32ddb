"""Stock Open Interpreter, as its documentation has it, against the scripted model.

`python -m bench.stock_interpreter URL` is a program of its own, so that nothing of Outlast is near it. It makes one
chat and ends; what it did is read from the model's arrivals and from what the cells write. Only what keeps it from
calling home is switched off.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def chat(url: str) -> None:
    """One conversation, to its end."""
    from interpreter import OpenInterpreter

    stock = OpenInterpreter(offline=True, auto_run=True, disable_telemetry=True, conversation_history=False)
    stock.llm.model = "openai/scripted-model"
    stock.llm.api_base = url
    stock.llm.api_key = "none"
    stock.llm.context_window = 32768
    stock.llm.max_tokens = 4096
    stock.llm.supports_functions = False
    stock.llm.supports_vision = False
    stock.chat("go", display=False, stream=False)


def run(url: str, directory: Path, patience: float) -> None:
    """`chat` in a process of its own, in `directory`; RuntimeError with its last words if it fails."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OUTLAST_", "RQ_"))}
    with (directory / "stock-interpreter.log").open("wb") as log:
        done = subprocess.run(
            [sys.executable, "-m", "bench.stock_interpreter", url],
            cwd=directory,
            env=kept | {"PYTHONPATH": str(ROOT), "HOME": str(directory), "PYTHONWARNINGS": "ignore"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=patience,
            check=False,
        )
    if done.returncode:
        raise RuntimeError((directory / "stock-interpreter.log").read_text(errors="replace")[-2000:])


if __name__ == "__main__":
    chat(sys.argv[1])
