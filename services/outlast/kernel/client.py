"""One session's kernel as the attempt sees it.

    with Kernel.launch(workspace, settings, session=...) as kernel:
        kernel.ready(stop)
        kernel.restore(checkpoint, stop)
        kernel.run("python", "x = 1", cell=1, stop=stop, ...)
        kernel.save(1, stop)

After KernelDied or Stopped the kernel is of no more use: close it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..errors import KernelDied, KernelUnusable, SettingsError, Stopped
from ..settings import Settings
from ..stop import StopSignal
from .artifacts import sweep_parts
from .bounded import within
from .cell import CellOutput
from .channel import Channel
from .checkpoints import find_manifest, names_with_reasons
from .exchange import Exchanges
from .guard import Guard
from .limits import Watch
from .results import CellResult, Restored, Saved
from .runtime import close_runtime, make_runtime
from .sandbox.identity import acting_as
from .sandbox.removal import remove
from .save import Save
from .workspace import Workspace

#: Seconds that a kernel has to answer once it may start.
_START_SECONDS = 60.0

_HELD = "another kernel still holds the session's directory; waiting until its last process is gone"
_LANGUAGES = {
    **dict.fromkeys(("python", "py", "python3", "ipython"), "python"),
    **dict.fromkeys(("shell", "bash", "sh"), "shell"),
    **dict.fromkeys(("javascript", "js", "node", "nodejs"), "javascript"),
}


class Kernel:
    """See the module's docstring; made by `launch`."""

    def __init__(self, workspace: Workspace, settings: Settings, runtime: Path, channel: Channel, guard: Guard) -> None:
        self._workspace = workspace
        self._settings = settings
        self._runtime = runtime
        self._channel = channel
        self._guard = guard
        self._exchanges = Exchanges(channel, guard, settings.drain_grace, workspace.identity)

    @classmethod
    def launch(cls, workspace: Workspace, settings: Settings, *, session: str, attempt: int = 0) -> Self:
        """Start a guardian, which starts the kernel once it holds the workspace; returns at once.

        A kernel of an older attempt that holds it gives way.
        """
        runtime: Path | None = None
        try:
            runtime = make_runtime(settings.runtime_path, workspace.identity)
            # A short way there: a socket's path may have 107 characters, and a session's id alone 200.
            (runtime / "t").symlink_to(workspace.tmp)
            channel = Channel(runtime, workspace.identity)
        except (OSError, ValueError) as error:
            if runtime is not None:
                remove(str(runtime), None)
            raise KernelUnusable(
                f"No kernel for session {session}: {error}; set OUTLAST_RUNTIME_DIR to a short path of your own."
            ) from error
        try:
            guard = Guard(workspace, settings, session, runtime, channel.connection_file, attempt)
        except (OSError, SettingsError) as error:
            channel.close()
            remove(str(runtime), None)
            raise KernelUnusable(f"No kernel for session {session}: its guardian did not start ({error}).") from error
        return cls(workspace, settings, runtime, channel, guard)

    @property
    def guardian_pid(self) -> int:
        """Process id of the guardian."""
        return self._guard.pid

    @property
    def kernel_pid(self) -> int:
        """Process id of the kernel; 0 until it has been started."""
        return self._exchanges.kernel_pid

    # -- what an attempt does -------------------------------------------------------------------------------

    def ready(self, stop: StopSignal, on_wait: Callable[[str], None] | None = None) -> None:
        """Return once the guardian holds the workspace and the kernel answers.

        `on_wait` is told once if another kernel still holds the workspace; the wait for that has no limit.
        Raises Stopped, KernelUnusable.
        """
        exchanges, deadline = self._exchanges, math.inf
        exchange = exchanges.begin("kernel_info_request", {}, Watch(0, 0, 0))
        try:
            while True:
                exchanges.receive(exchange)
                if exchanges.is_subscribed and exchange.reply is not None:
                    close_runtime(self._runtime, self._workspace.identity)
                    return
                for event in exchanges.events("it started"):
                    if event["event"] == "waiting" and on_wait is not None:
                        on_wait(_HELD)
                    elif event["event"] == "locked":
                        sweep_parts(self._workspace.artifacts)
                        deadline = time.monotonic() + _START_SECONDS
                    elif event["event"] == "failed":
                        raise KernelUnusable(f"The kernel cannot start here: {event['reason']}.")
                if stop:
                    raise Stopped(stop.reason)
                if time.monotonic() >= deadline:
                    raise KernelUnusable(f"The kernel did not answer within {_START_SECONDS:g} s of its start.")
                exchanges.wait(stop, deadline)
        except KernelDied as died:
            raise KernelUnusable(
                f"{died.cause} OUTLAST_KERNEL_PYTHON ({self._settings.kernel_python_path}) must be a Python "
                "environment with the packages of the kernel."
            ) from died

    def run(
        self,
        language: str,
        code: str,
        *,
        cell: int,
        stop: StopSignal,
        on_output: Callable[[str], None],
        cell_timeout: float,
        cell_stall: float,
        earlier: Mapping[str, str] | None = None,
    ) -> CellResult:
        """Run one cell. `on_output` gets live text in batches; the limits are in seconds, 0 for none.

        `earlier`: SHA-256 by name of the artifacts that the log has of an earlier run of this cell, if there was one.

        Raises KernelDied when the kernel's process died or had to be killed, and Stopped when `stop` was set:
        for a drain after the grace that the settings give the cell to end, otherwise at once.
        """
        kind = _LANGUAGES.get(language.strip().lower())
        if kind is None:
            return CellResult("error", f"`{language[:50]}` is not supported here; use python, shell or javascript.")
        text = code.encode("utf-8", "replace").decode("utf-8")
        output = CellOutput(self._workspace, self._settings, cell, on_output, earlier)
        watch = Watch(time.monotonic(), cell_timeout, cell_stall)
        self._guard.cell_begins()
        try:
            if kind == "python":
                content = {"code": text, "silent": False, "allow_stdin": False, "stop_on_error": False}
                exchange = self._exchanges.begin("execute_request", content, watch, output)
            else:
                content = {"language": kind, "code": text, "node": self._settings.node}
                exchange = self._exchanges.begin("outlast_run_request", content, watch, output)
            reply = self._exchanges.complete(exchange, stop, f"cell {cell} ran")
        except KernelDied:
            output.discard(show=True)
            raise
        except BaseException:
            output.discard(show=False)
            raise
        finally:
            self._guard.cell_ends()
        output.say(_extra_text(reply))
        if exchange.breach:
            return output.finish("timeout", exchange.breach.interrupted)
        return output.finish("ok" if reply.get("status") == "ok" else "error")

    def begin_save(self, cell: int, stop: StopSignal) -> Save:
        """Have the kernel write a checkpoint of its variables as of the end of `cell`; see `Save`."""
        return Save(self._exchanges, self._workspace, self._settings, cell, stop)

    def save(self, cell: int, stop: StopSignal) -> Saved:
        """Write a checkpoint and wait until it is durable, or failed. Raises KernelDied, Stopped."""
        saved = self.begin_save(cell, stop).wait()
        assert saved is not None
        return saved

    def restore(self, checkpoint: str, stop: StopSignal) -> Restored:
        """Load the variables of the checkpoint whose manifest has this SHA-256.

        What cannot be loaded, up to the whole checkpoint, is in `missing` (under `*` if it concerns no one name). A
        checkpoint that could not be loaded has changed nothing: another may be tried. Raises KernelDied, Stopped.
        """
        started = time.monotonic()
        with acting_as(self._workspace.identity):
            manifest = find_manifest(self._workspace.checkpoints, checkpoint)
        if manifest is None:
            lost = f"the checkpoint {checkpoint[:12]} is not in the session's directory any more, or is damaged"
            return Restored(missing={"*": lost})
        watch = Watch(started, 0, self._settings.cell_stall, "The restore of the variables")
        exchange = self._exchanges.begin("outlast_restore_request", {"manifest": str(manifest)}, watch)
        reply = self._exchanges.complete(exchange, stop, "the variables were restored")
        missing = names_with_reasons(reply.get("missing"))
        if reply.get("error"):
            missing["*"] = str(reply["error"])[:1000]
        names = reply.get("restored")
        restored = tuple(within(str(name)[:200] for name in names)) if isinstance(names, list) else ()
        return Restored(restored, missing, round(time.monotonic() - started, 3))

    def close(self) -> None:
        """Kill the whole tree and wait until nothing of it is left (bounded); idempotent."""
        self._guard.close()
        self._channel.close()
        remove(str(self._runtime), self._workspace.identity)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _extra_text(reply: dict[str, Any]) -> str:
    """What a reply wants shown besides: a program's end, a help page that IPython would open in a pager."""
    texts = [str(reply.get("message") or "")]
    payloads = reply.get("payload")
    for payload in payloads[:10] if isinstance(payloads, list) else ():
        data = payload.get("data") if isinstance(payload, dict) and payload.get("source") == "page" else None
        if isinstance(data, dict):
            texts.append(str(data.get("text/plain") or ""))
    return "\n".join(text for text in texts if text)
