"""Running the cell that the log asks for: once if all goes well, again only by the rules of `log.plan`.

Order of events, each durable before the next: `cell.started`, the code runs, `cell.finished` with the output. It names
the checkpoint if that is on disk within a moment; else the model gets the output at once and `state.saved` names the
checkpoint later (`saving.py`). Killed before the checkpoint is named, the cell runs again from the one before it. The
next cell starts only when the state of this one is durable, or is lost and the log says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from ..errors import KernelDied, Refused, Stopped
from ..kernel.causes import advice
from ..kernel.client import Kernel
from ..kernel.results import CellResult, Saved
from ..kernel.workspace import Workspace
from ..log.plan import Do, Policy, plan
from ..log.project import At
from ..log.records import CellFinished, CellInterrupted, CellOutput, CellReplayed, CellStarted, StateSaved
from ..settings import Settings
from ..stop import StopSignal
from .hold import Hold
from .saving import Saving
from .seat import Seat

T = TypeVar("T")

#: SHA-256 by name.
Artifacts = Mapping[str, str]

#: Seconds that the model waits for a cell's output because its variables are being saved.
SAVE_SECONDS = 0.05

REPORTED = (
    "This code was stopped before its end: {cause}. Its output is lost. The variables are those from before it; "
    "files that it wrote may be incomplete{files}. Do not run the same code again unchanged. {advice}"
)
ASKED = (
    "This code was interrupted before its end: {cause}. The variables are those from before it; "
    "files that it wrote may be incomplete{files}. Decide whether to run it again."
)


#: What interrupted a cell, by the reason of a stop.
STOPPED = {
    "drain": "the worker was asked to stop",
    "max_seconds": "the session's running time was used up",
    "cancel": "the session was stopped on request",
}


class Cells:
    """The kernel side of one attempt. The kernel starts in the background; the first use waits for it."""

    def __init__(self, hold: Hold, workspace: Workspace, settings: Settings, policy: Policy, stop: StopSignal) -> None:
        self._hold, self._workspace, self._settings, self._policy, self._stop = hold, workspace, settings, policy, stop
        options = hold.state.opened.options if hold.state.opened else {}
        self._timeout = float(options.get("cell_timeout") or settings.cell_timeout)
        self._seat = Seat(hold, workspace, settings, stop)
        #: The save that goes on; it alone uses the kernel until it is joined.
        self._saving: Saving | None = None

    def launch(self) -> None:
        """Start a kernel if none runs; returns at once. KernelUnusable."""
        self._seat.launch()

    def restore(self) -> None:
        """Have the variables in the kernel, if there are any; what is missing is in the log then."""
        variables = self._hold.state.variables
        if variables.checkpoints or variables.unsaved:
            self._seat.ready()

    def close(self) -> None:
        """End the kernel with all that belongs to it, and a save that nobody has joined."""
        if self._saving is not None:
            self._saving.abandon()
            self._saving = None
        self._seat.close()

    def find_dead(self) -> None:
        """Log what the death of the attempt before cut off: a cell that ran, or the save of one."""
        state = self._hold.state
        pending = state.variables.pending
        if state.at is At.RUNNING and not state.interrupted:
            self._hold.append(CellInterrupted(state.cell, "death", "the worker that ran it died"))
        if pending is not None and not pending.interrupted:
            cause = "the worker died before the variables were saved"
            self._hold.append(CellInterrupted(pending.cell, "death", cause))

    def run(self, language: str, code: str) -> str:
        """Run the newest cell to its `cell.finished` and return the output as the model sees it."""
        hold = self._hold
        while True:
            self.settle()
            step = plan(hold.state, self._policy)
            match step.do:
                case Do.RUN | Do.RERUN:
                    started = CellStarted(hold.state.cell, language, None if code == hold.state.code[1] else code)
                    earlier: Artifacts | None = {} if step.do is Do.RERUN else None
                    output = self._attempt(started, code, self._finish, earlier)
                case Do.REPORT:
                    output = self._report(step.cause)
                case Do.FAIL:
                    raise Refused(step.cause)
                case _:
                    return hold.state.said[-1].text
            if output is not None:
                return output

    def settle(self) -> None:
        """Return once no cell's state is in question: it is durable, or lost for a reason that is in the log.

        Waits for the save that goes on; where that was cut off, runs the cell again for its state. Stopped, Refused.
        """
        hold = self._hold
        while True:
            self._join()
            if self._stop:
                raise Stopped(self._stop.reason)
            step, pending = plan(hold.state, self._policy), hold.state.variables.pending
            if pending is not None and step.do is Do.RESAVE:
                earlier = {each.path.rpartition("/")[2]: each.sha256 for each in pending.artifacts}
                self._attempt(pending.started, hold.state.pending_code[1], self._resave, earlier)
            elif pending is not None and step.do is Do.GIVE_UP:
                hold.append(StateSaved(pending.cell, "", error=step.cause))
            else:
                return

    def leave(self) -> None:
        """Before the attempt is closed: wait for the save that goes on, and log what cuts it off, but mend nothing."""
        try:
            self._join()
        except Stopped:
            return

    def decline(self, why: str) -> None:
        """The block of the newest reply is nothing that runs: finish it as a cell with an error."""
        self.settle()
        hold, number = self._hold, self._hold.state.cell
        language, _ = hold.state.code
        hold.append(CellStarted(number, language))
        hold.append(CellFinished(number, "declined", why))

    def _join(self) -> None:
        """Wait for the save that goes on. Stopped; the death of its kernel is in the log then."""
        saving, self._saving = self._saving, None
        if saving is not None:
            self._guarded(saving.cell, saving.join)

    def _attempt(
        self,
        started: CellStarted,
        code: str,
        run: Callable[[Kernel, CellStarted, str, Artifacts | None], str],
        earlier: Artifacts | None,
    ) -> str | None:
        """One run of the cell; None if the kernel died of it, which is then in the log.

        `earlier`: the artifacts that the log has of an earlier run; None if there was none.
        """

        def work() -> str:
            # First of all the lock: until it is ours, what ran the cell before may still change files.
            kernel = self._seat.ready()
            self._hold.await_backup(self._stop)
            if earlier is not None:
                files = self._workspace.changed_since(self._hold.state.cell_started_at)
                self._hold.append(CellReplayed(started.cell, files))
            self._hold.append(started)
            self._hold.await_backup(self._stop)
            return run(kernel, started, code, earlier)

        return self._guarded(started.cell, work)

    def _guarded(self, cell: int, work: Callable[[], T]) -> T | None:
        """What `work` gives; None if the kernel died meanwhile. What cuts the cell or its save off is in the log."""
        try:
            return work()
        except KernelDied as died:
            self._seat.close()
            # What asks the worker to stop may signal the kernel too (systemd does): no fault of the cell.
            kind = "drain" if self._stop else "strike" if died.by_cell else "death"
            self._hold.append(CellInterrupted(cell, kind, died.cause, died.by))
            return None
        except Stopped as stopped:
            if self._is_open(cell):
                cause = STOPPED.get(stopped.reason, STOPPED["cancel"])
                self._hold.append(CellInterrupted(cell, "drain", cause))
            raise

    def _is_open(self, cell: int) -> bool:
        """Whether the log says that the cell runs, or is being saved."""
        state, pending = self._hold.state, self._hold.state.variables.pending
        if pending is not None and pending.cell == cell:
            return not pending.interrupted
        return state.at is At.RUNNING and not state.interrupted

    def _finish(self, kernel: Kernel, started: CellStarted, code: str, earlier: Artifacts | None) -> str:
        hold, number = self._hold, started.cell
        result = self._run(kernel, started, code, earlier)
        save = kernel.begin_save(number, self._stop)
        saved = save.wait(SAVE_SECONDS)
        known = saved or Saved()
        hold.append(
            CellFinished(
                number,
                result.status,
                result.output,
                artifacts=result.artifacts,
                checkpoint=known.checkpoint,
                missing=known.missing,
                state_error=known.error,
                seconds=round(result.seconds, 3),
            )
        )
        if saved is None:
            self._saving = Saving(hold, save, number, self._stop)
        return result.output

    def _resave(self, kernel: Kernel, started: CellStarted, code: str, earlier: Artifacts | None) -> str:
        """The cell's output is in the conversation and stays; only its state has to be made again."""
        pending = self._hold.state.variables.pending
        assert pending is not None
        result = self._run(kernel, started, code, earlier)
        saved = kernel.save(started.cell, self._stop)
        other = None if result.output == pending.output else result.output
        self._hold.append(StateSaved(started.cell, saved.checkpoint, saved.missing, saved.error, other))
        return pending.output

    def _run(self, kernel: Kernel, started: CellStarted, code: str, earlier: Artifacts | None) -> CellResult:
        return kernel.run(
            started.language,
            code,
            cell=started.cell,
            stop=self._stop,
            on_output=lambda text: void(self._hold.append(CellOutput(started.cell, text))),
            cell_timeout=self._timeout,
            cell_stall=self._settings.cell_stall,
            earlier=earlier,
        )

    def _report(self, cause: str) -> str:
        hold, number = self._hold, self._hold.state.cell
        changed = self._workspace.changed_since(hold.state.cell_started_at)
        files = f" ({', '.join(changed[:20])})" if changed else ""
        count = hold.state.interruptions
        asked = count.strikes == 0 and self._policy.on_interrupt == "ask"
        output = (ASKED if asked else REPORTED).format(cause=cause.rstrip("."), files=files, advice=advice(count.by))
        hold.append(CellFinished(number, "killed", output))
        return output


def void(_: object) -> None:
    """For a callback whose result nobody wants."""
