"""The IPython kernel with Outlast's own requests.

| request | content | reply |
| --- | --- | --- |
| `execute_request` | as Jupyter defines it | `execute_reply` |
| `outlast_run_request` | `language` (shell or javascript), `code`, `node` | `status` as Jupyter's, `message` |
| `outlast_save_request` | `directory`, `cell`, `limit`, `deadline` | what `outlast_state.save` returns |
| `outlast_restore_request` | `manifest` (path) | what `outlast_state.restore` returns |
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.zmqshell import ZMQInteractiveShell
from IPython.core.error import StdinNotImplementedError  # what IPython raises where nobody can be asked
from traitlets import Type

from .hints import hint
from .programs import NoProgram, run_javascript, run_shell
from .shell_state import ShellState


class _Forgetful(dict[int, list[Any]]):
    """Takes the place of IPython's copies of all that cells show; every lookup gives a list that nobody keeps."""

    def __missing__(self, key: int) -> list[Any]:
        return []


class Shell(ZMQInteractiveShell):
    """IPython's shell without its exit (a cell that says `exit()` must not end the session's kernel) and without its
    copies of everything printed and displayed, which would fill memory and slow down every print."""

    def init_history(self) -> None:
        """As the base class does, but keeping no outputs (`Out` stays)."""
        super().init_history()
        self.history_manager.outputs = _Forgetful()

    @contextlib.contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        yield

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        said = hint(evalue)
        super()._showtraceback(etype, evalue, [*stb, said] if said else stb)
        if isinstance(evalue, MemoryError):
            # IPython keeps the newest error, and its frames what filled the memory, out of reach of every `del`.
            traceback.clear_frames(evalue.__traceback__)

    def ask_exit(self) -> None:
        """Say that nothing ends."""
        print("[exit() and quit() do nothing here: the session goes on]")


class Kernel(IPythonKernel):
    """See the module's docstring."""

    shell_class = Type(Shell)
    #: Imports `outlast_state`; given by the boot program.
    load_state: Callable[[], ModuleType]

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._start_directory = os.getcwd()
        #: What shell cells leave for one another.
        self.shell_state = ShellState(self._start_directory)
        for name in ("outlast_run_request", "outlast_save_request", "outlast_restore_request"):
            self.shell_handlers[name] = getattr(self, name)

    def raw_input(self, prompt: str = "", stream: Any = None) -> str:
        """Refuse `input()` and `getpass()` with a sentence that the model can act on."""
        raise StdinNotImplementedError(
            "input() is not possible here: nobody can answer. Write the value into the code."
        )

    getpass = raw_input

    def post_handler_hook(self) -> None:
        """Send what children wrote to the descriptors before the request counts as done."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "drain"):
                stream.drain()
        super().post_handler_hook()

    def outlast_run_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Run a shell or JavaScript cell."""
        content = parent["content"]
        status, texts = "ok", []
        try:
            if content["language"] == "shell":
                code = run_shell(content["code"], self.shell_state)
                texts += self.shell_state.notes
            else:
                code = run_javascript(content["code"], content["node"], self._start_directory)
        except NoProgram as error:
            status, texts = "error", [str(error)]
        except KeyboardInterrupt:
            status = "interrupted"
        else:
            if code:
                status = "error"
                texts.append(_ending(code))
        reply = {"status": status, "message": "\n".join(texts)}
        self._reply(stream, "outlast_run_reply", reply, parent, ident)

    def outlast_save_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Write a checkpoint of the variables."""
        content = parent["content"]
        self._reply(
            stream,
            "outlast_save_reply",
            self._state(
                lambda state: state.save(
                    self.shell.user_ns,
                    content["directory"],
                    cell=content["cell"],
                    limit=content.get("limit", 0),
                    deadline=content.get("deadline", 0.0),
                    beside={"shell": self.shell_state.values()},
                )
            ),
            parent,
            ident,
        )

    def outlast_restore_request(self, stream: Any, ident: Any, parent: dict[str, Any]) -> None:
        """Load the variables of a checkpoint, and what shell cells had left."""
        manifest = parent["content"]["manifest"]
        reply = self._state(lambda state: state.restore(self.shell.user_ns, manifest))
        self.shell_state.take(reply.pop("beside", {}).get("shell"))
        self._reply(stream, "outlast_restore_reply", reply, parent, ident)

    def _state(self, call: Callable[[ModuleType], dict[str, Any]]) -> dict[str, Any]:
        # `outlast_state` promises not to raise; a namespace can still break any promise, and must not cost the reply.
        try:
            return call(self.load_state())
        except BaseException as error:
            return {"error": f"{type(error).__name__}: {error}"}

    def _reply(self, stream: Any, kind: str, content: dict[str, Any], parent: dict[str, Any], ident: Any) -> None:
        for output in (sys.stdout, sys.stderr):
            output.flush()
        self.session.send(stream, kind, content, parent, ident=ident)


def _ending(code: int) -> str:
    if code >= 0:
        return f"[exit status {code}]"
    try:
        return f"[ended by {signal.Signals(-code).name}]"
    except ValueError:
        return f"[ended by signal {-code}]"
