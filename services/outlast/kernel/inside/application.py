"""Puts the kernel together: sockets, streams, history, and nothing that reaches out of the workspace.

Against ipykernel's own application: no heartbeat socket (the guardian watches the process itself), no history
database in HOME, no TCP port, bounded messages, and sending that waits for the reader instead of dropping.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import zmq
from ipykernel.kernelapp import IPKernelApp
from tornado.ioloop import IOLoop
from traitlets import default
from traitlets.config import Config

from . import fonts, installers
from .kernel import Kernel
from .session import BoundedSession
from .streams import ForkPipeThread

#: Seconds after the start at which what a save needs is imported, if nothing has asked for it by then.
_PRELOAD_SECONDS = 0.05


class Application(IPKernelApp):
    """See the module's docstring."""

    name = "outlast-kernel"
    kernel_class = Kernel
    outstream_class = "outlast_inside.streams.BoundedStream"
    load_state: Callable[[], ModuleType]

    @default("session")
    def _default_session(self) -> BoundedSession:
        return BoundedSession(parent=self)

    def load_config_file(self, *args: Any, **kwargs: Any) -> None:
        """Read none: a file that a cell wrote must not configure the next kernel."""
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "nocolor"
        config.InteractiveShellApp.exec_PYTHONSTARTUP = False
        self.update_config(config)

    def init_path(self) -> None:
        """Have cells import what they have written into their directory, unlike the base class under `-I`.

        Last of all, and not first as elsewhere: a file that is named like a package must not become the kernel's own.
        """
        sys.path.append("")

    def init_iopub(self, context: Any) -> None:
        """As the base class does, with sending that waits and with a Unix socket for forked children."""
        self.iopub_socket = context.socket(zmq.XPUB)
        self.iopub_socket.linger = 1000
        # Without this a full queue drops messages, the end of the cell among them.
        self.iopub_socket.setsockopt(zmq.XPUB_NODROP, 1)
        self.iopub_port: int = self._bind_socket(self.iopub_socket, self.iopub_port)
        self.configure_tornado_logger()
        self.iopub_thread = ForkPipeThread(self.iopub_socket, f"ipc://{self.ip}-fork", self.session)
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket

    def init_heartbeat(self) -> None:
        """Have none."""

    def init_kernel(self) -> None:
        """Hand the kernel the loader of `outlast_state`."""
        super().init_kernel()
        loaded: list[ModuleType] = []

        def load_state() -> ModuleType:
            if not loaded:
                loaded.append(self.load_state())
            return loaded[0]

        self.kernel.load_state = load_state
        installers.register(self.kernel.shell)

    def initialize(self, argv: list[str] | None = None) -> None:
        """As the base class does, without the colours that it asks every child process for."""
        super().initialize(argv)
        for name in ("FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE"):
            os.environ.pop(name, None)
        os.environ["TERM"] = "dumb"
        _shorten_paths_of_sockets(self.connection_file)
        installers.place()
        fonts.place()
        # Now, not with the first save: what a cell changes is told by what was there before the first cell.
        self._of_state(lambda state: state)

    def start(self) -> None:
        """Serve; import what the first save needs while the worker is busy elsewhere."""
        IOLoop.current().call_later(_PRELOAD_SECONDS, self._preload)
        super().start()

    def _preload(self) -> None:
        self._of_state(lambda state: state.prepare())

    def _of_state(self, use: Callable[[ModuleType], object]) -> None:
        try:
            use(self.kernel.load_state())
        except Exception as error:
            # Not fatal here: the save says the same to somebody who listens.
            print(f"outlast_state cannot be imported: {error}", file=sys.__stderr__)


def _shorten_paths_of_sockets(connection_file: str) -> None:
    """Have multiprocessing make its sockets in TMPDIR by the short way that lies beside the kernel's own."""
    short = Path(connection_file).parent / "t"
    try:
        (short / ".mp").mkdir(exist_ok=True)
    except OSError:
        return
    # Children inherit it. There is no other way to say this than where multiprocessing keeps it.
    multiprocessing.current_process()._config["tempdir"] = str(short / ".mp")  # type: ignore[attr-defined]  # the types leave out this dictionary
