"""The usual way, behind the interface of `driver.py`: Open Interpreter's own languages in a container, as its one user.

Each session is an Open Interpreter of its own, in a directory of its own. Nothing of Outlast's runs here; but for the
library that Open Interpreter imports and does not use for this, everything is as its package has it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import types
from pathlib import Path
from typing import Any

SESSIONS = Path("/var/lib/outlast/sessions")
PYTHON = "/opt/kernel/bin/python"
#: Seconds that a language has to end after its cell was given up.
_PATIENCE = 5.0


def _prepare() -> None:
    """What Open Interpreter's Python needs: a kernel by the name `python3`, and something to import as litellm."""
    sys.modules["litellm"] = types.ModuleType("litellm")
    place = Path("/tmp/jupyter/kernels/python3")  # in a container of this suite's own
    place.mkdir(parents=True, exist_ok=True)
    argv = [PYTHON, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (place / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python", "language": "python"}))
    # Or else a language model is asked what a person would type, whenever a cell is silent for 15 seconds.
    os.environ["INTERPRETER_TERMINAL_INPUT_PATIENCE"] = "86400"
    os.environ["JUPYTER_PATH"] = str(place.parent.parent)
    os.environ["PATH"] = f"/opt/kernel/bin:{os.environ['PATH']}"


class Sessions:
    """By name, the languages that a session has used."""

    def __init__(self) -> None:
        self._languages: dict[tuple[str, str], Any] = {}

    def run(self, session: str, code: str, language: str = "python", timeout: float = 60.0) -> dict[str, Any]:
        """Run one cell; after `timeout` seconds it is given up, and its language with it."""
        began = time.monotonic()
        pieces: list[str] = []
        status = "ok"

        def work() -> None:
            nonlocal status
            try:
                for chunk in self._language(session, language).run(code):
                    if chunk.get("format") == "output":
                        pieces.append(str(chunk.get("content")))
            except Exception as error:
                status = "died"
                pieces.append(f"{type(error).__name__}: {error}")

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(timeout)
        if thread.is_alive():
            status = "timeout"
            self.close(session)
        return {"status": status, "output": "".join(pieces)[-20_000:], "seconds": time.monotonic() - began}

    def close(self, session: str) -> None:
        """End its languages, as Open Interpreter ends them."""
        for key in [key for key in self._languages if key[0] == session]:
            language = self._languages.pop(key)
            ending = threading.Thread(target=language.terminate, daemon=True)
            ending.start()
            ending.join(_PATIENCE)

    def _language(self, session: str, name: str) -> Any:
        from interpreter.core.computer.terminal.languages.javascript import JavaScript
        from interpreter.core.computer.terminal.languages.jupyter_language import JupyterLanguage
        from interpreter.core.computer.terminal.languages.shell import Shell

        key = session, name
        if key not in self._languages:
            directory = SESSIONS / session / "files"
            directory.mkdir(parents=True, exist_ok=True)
            os.chdir(directory)
            computer = types.SimpleNamespace(interpreter=types.SimpleNamespace(), emit_images=True)
            kinds = {"python": lambda: JupyterLanguage(computer), "shell": Shell, "javascript": JavaScript}
            self._languages[key] = kinds[name]()
        return self._languages[key]


def main() -> None:
    """Serve until the end of the input."""
    _prepare()
    sessions = Sessions()
    # What Open Interpreter prints for people is no answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    say({"pid": os.getpid(), "layers": []})
    for line in sys.stdin:
        asked = json.loads(line)
        if asked.pop("close", False):
            sessions.close(asked["session"])
            say({"status": "closed"})
        else:
            say(sessions.run(**asked))


if __name__ == "__main__":
    main()
