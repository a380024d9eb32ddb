"""Running the cell that the log asks for: once if all goes well, again only by the rules of `log.plan`.

Order of events, each durable before the next: `cell.started`, the code runs, the checkpoint is on disk,
`cell.finished` names it. Killed before the last, the cell runs again from the checkpoint before it.
"""

from __future__ import annotations

from collections.abc import Callable

from ..errors import KernelDied, KernelUnusable, Refused, Stopped
from ..kernel.client import Kernel
from ..kernel.results import CellResult, Restored
from ..kernel.workspace import Workspace
from ..log.plan import Do, Policy, plan
from ..log.project import At
from ..log.records import (
    CellFinished,
    CellInterrupted,
    CellOutput,
    CellReplayed,
    CellStarted,
    NoteAdded,
    StateRestored,
    StateSaved,
)
from ..settings import Settings
from ..stop import StopSignal
from .hold import Hold

#: Kernels that may fail to start, one after the other, before the session is parked.
KERNEL_TRIES = 3

REPORTED = (
    "This code was stopped before its end: {cause}. Its output is lost. The variables are those from before it; "
    "files that it wrote may be incomplete{files}. Do not run the same code again unchanged: find another way, "
    "for example in smaller steps or on a part of the data."
)
ASKED = (
    "This code was interrupted before its end: {cause}. The variables are those from before it; "
    "files that it wrote may be incomplete{files}. Decide whether to run it again."
)
NOT_RESTORED = (
    "[Outlast] The session was interrupted and resumed in a new process. All variables were restored "
    "but for these, which have to be made again before they are used: {names}."
)
OUTPUT_DIFFERS = (
    "[Outlast] The session was interrupted and cell {cell} had to run a second time. "
    "Its output was different then; this is the newer one:\n{output}"
)


#: What interrupted a cell, by the reason of a stop.
STOPPED = {
    "drain": "the worker was asked to stop",
    "max_seconds": "the session's running time was used up",
    "cancel": "the session was stopped on request",
}


class Cells:
    """The kernel side of one attempt. The kernel starts in the background; the first use waits for it."""

    def __init__(
        self, hold: Hold, workspace: Workspace, settings: Settings, policy: Policy, stop: StopSignal
    ) -> None:
        self._hold, self._workspace, self._settings, self._policy, self._stop = hold, workspace, settings, policy, stop
        options = hold.state.opened.options if hold.state.opened else {}
        self._timeout = float(options.get("cell_timeout") or settings.cell_timeout)
        self._kernel: Kernel | None = None
        #: Whether that kernel answers and holds the newest checkpoint.
        self._is_ready = False
        #: Names that the newest restore could not bring back and the model has not been told of.
        self._untold: dict[str, str] = {}

    def launch(self) -> None:
        """Start a kernel if none runs; returns at once. KernelUnusable."""
        if self._kernel is None:
            self._kernel = Kernel.launch(self._workspace, self._settings, session=self._hold.session)

    def restore(self) -> None:
        """Have the newest checkpoint's variables in the kernel, if there is one; `tell` then names what is missing."""
        if self._hold.state.checkpoint or self._hold.state.unsaved:
            self._ready()

    def close(self) -> None:
        """End the kernel with all that belongs to it."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel, self._is_ready = None, False

    def run(self, language: str, code: str) -> str:
        """Run the newest cell to its `cell.finished` and return the output as the model sees it."""
        hold = self._hold
        while True:
            step = plan(hold.state, self._policy)
            match step.do:
                case Do.RUN:
                    output = self._attempt(language, code, self._finish)
                case Do.RERUN:
                    # First of all the lock: until it is ours, what ran the cell before may still change files.
                    self._ready()
                    self._replay()
                    output = self._attempt(language, code, self._finish)
                case Do.RESAVE:
                    self._replay()
                    output = self._attempt(language, code, self._resave)
                case Do.REPORT:
                    output = self._report(step.cause)
                case Do.FAIL:
                    raise Refused(step.cause)
                case _:
                    return hold.state.said[-1].text
            if output is not None:
                return output

    def decline(self, why: str) -> None:
        """The block of the newest reply is nothing that runs: finish it as a cell with an error."""
        hold, number = self._hold, self._hold.state.cell
        language, _ = hold.state.code
        hold.append(CellStarted(number, language))
        hold.append(CellFinished(number, "declined", why))

    def _attempt(self, language: str, code: str, finish: Callable[[str, str], str]) -> str | None:
        """One run of the cell; None if the kernel died of it, which is then in the log."""
        hold = self._hold
        number = hold.state.cell
        try:
            self._ready()
            hold.append(CellStarted(number, language))
            return finish(language, code)
        except KernelDied as died:
            self.close()
            # What asks the worker to stop may signal the kernel too (systemd does): no fault of the cell.
            kind = "drain" if self._stop else "strike" if died.by_cell else "death"
            hold.append(CellInterrupted(number, kind, died.cause))
            return None
        except Stopped as stopped:
            if hold.state.at in (At.RUNNING, At.PENDING) and not hold.state.interrupted:
                hold.append(CellInterrupted(number, "drain", STOPPED.get(stopped.reason, STOPPED["cancel"])))
            raise

    def _finish(self, language: str, code: str) -> str:
        hold, number = self._hold, self._hold.state.cell
        assert self._kernel is not None
        result = self._run(language, code)
        saved = self._kernel.save(number, self._stop)
        hold.append(
            CellFinished(
                number,
                result.status,
                result.output,
                artifacts=result.artifacts,
                checkpoint=saved.checkpoint,
                missing=saved.missing,
                state_error=saved.error,
                seconds=round(result.seconds, 3),
            )
        )
        return result.output

    def _resave(self, language: str, code: str) -> str:
        """The cell's output is in the conversation and stays; only its state has to be made again."""
        hold, number = self._hold, self._hold.state.cell
        assert self._kernel is not None
        before = next(said.text for said in reversed(hold.state.said) if said.kind == "output")
        result = self._run(language, code)
        saved = self._kernel.save(number, self._stop)
        hold.append(StateSaved(number, saved.checkpoint, saved.missing))
        if result.output != before:
            hold.append(NoteAdded(OUTPUT_DIFFERS.format(cell=number, output=result.output)))
        return before

    def _run(self, language: str, code: str) -> CellResult:
        hold, number = self._hold, self._hold.state.cell
        assert self._kernel is not None
        return self._kernel.run(
            language,
            code,
            cell=number,
            stop=self._stop,
            on_output=lambda text: void(hold.append(CellOutput(number, text))),
            cell_timeout=self._timeout,
            cell_stall=self._settings.cell_stall,
        )

    def _replay(self) -> None:
        hold = self._hold
        files = self._workspace.changed_since(hold.state.cell_started_at)
        hold.append(CellReplayed(hold.state.cell, files))

    def _report(self, cause: str) -> str:
        hold, number = self._hold, self._hold.state.cell
        changed = self._workspace.changed_since(hold.state.cell_started_at)
        files = f" ({', '.join(changed[:20])})" if changed else ""
        asked = hold.state.interruptions.strikes == 0 and self._policy.on_interrupt == "ask"
        output = (ASKED if asked else REPORTED).format(cause=cause.rstrip("."), files=files)
        hold.append(CellFinished(number, "killed", output))
        return output

    def _ready(self) -> None:
        """A kernel that answers and holds the newest checkpoint; Stopped, Refused."""
        for tries in range(1, KERNEL_TRIES + 1):
            if self._is_ready:
                return
            try:
                self.launch()
                assert self._kernel is not None
                try:
                    self._kernel.ready(self._stop, self._hold.wait)
                finally:
                    self._hold.resume()
                self._load(self._kernel)
                self._is_ready = True
                return
            except (KernelUnusable, KernelDied) as unusable:
                self.close()
                if tries == KERNEL_TRIES:
                    raise Refused(
                        f"no kernel could be started for session {self._hold.session}: {unusable}; "
                        f"mend that, then `rq requeue` the job to go on from the log"
                    ) from unusable

    def _load(self, kernel: Kernel) -> None:
        hold, state = self._hold, self._hold.state
        if not (state.checkpoint or state.unsaved):
            return
        restored = kernel.restore(state.checkpoint, self._stop) if state.checkpoint else Restored()
        unsaved = {f"the variables of cell {cell}": why for cell, why in state.unsaved.items()}
        missing = dict(restored.missing) | unsaved
        hold.append(
            StateRestored(state.checkpoint_cell, state.checkpoint, restored.names, missing, round(restored.seconds, 3))
        )
        self._untold |= missing

    def tell(self) -> None:
        """Name what is missing to the model, if it is about to be asked: a note may not stand in a reply."""
        if self._untold and self._hold.state.at is At.TURN:
            names = "; ".join(f"{name} ({why})" for name, why in sorted(self._untold.items()))
            self._untold = {}
            self._hold.append(NoteAdded(NOT_RESTORED.format(names=names)))


def void(_: object) -> None:
    """For a callback whose result nobody wants."""
