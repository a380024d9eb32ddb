"""Start vLLM, keep it of use, stop it cleanly.

This is the container's first process (below `init`). It starts vLLM as its child, passes its log through, and starts it
again one rung down the ladder (`ladder.py`) while the model does not fit into the GPU's memory. It watches vLLM's
progress and ends it when it hangs. It never starts vLLM again after a crash: it leaves, and Docker restarts the
container, which plain Docker does not do for one that is merely unhealthy. SIGTERM is passed on: vLLM finishes what it
is doing, within SHUTDOWN_TIMEOUT.

Exit codes: 0 stopped as asked · 1 vLLM ended by itself, or had to be killed at a stop · 2 settings or model refused ·
3 no GPU · 4 the model does not fit · 5 vLLM hung and was ended.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

from . import gpu, model
from .arguments import command, environment
from .ladder import Step, explain, give_up, step_down
from .progress import Client, Progress, patience
from .server import Server
from .settings import Settings, SettingsError
from .state import State
from .stop import Stop

STOPPED, CRASHED, REFUSED, NO_GPU, DOES_NOT_FIT, HUNG = range(6)
#: Seconds between two looks at the server.
LOOK = 1.0
#: Seconds on top of SHUTDOWN_TIMEOUT until a server that was asked to stop is killed. Docker's grace is longer still.
GRACE = 10


def say(sentence: str) -> None:
    """A line of the launcher's own, among vLLM's."""
    print(f"launcher: {sentence}", flush=True)


def main() -> int:
    """Run until vLLM has ended for good; the exit code."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        settings = Settings.load(os.environ)
        key = settings.key()
    except SettingsError as error:
        say(str(error))
        return REFUSED
    if found := model.problems(settings.directory):
        say(f"{' '.join(found)} Run make model MODEL={settings.model} on the host, then make up.")
        return REFUSED
    if settings.flavour == "cuda" and (sentence := gpu.problem(settings.gpus)):
        say(sentence)
        return NO_GPU
    return _descend(settings, key, stop)


def _descend(settings: Settings, key: str, stop: Stop) -> int:
    """Start vLLM, one rung lower each time that memory is short."""
    step, note = Step(settings.share, settings.context), ""
    while True:
        server = Server(command(settings, step), environment(os.environ, key))
        code = _attend(server, settings, key, note, stop)
        if code != CRASHED or server.shortage is None:
            return code
        lower = step_down(step, server.shortage)
        if lower is None:
            sentence = give_up(step, server.shortage, settings.flavour)
            say(sentence)
            _write("ended", sentence)
            stop.wait(settings.pause)
            return DOES_NOT_FIT
        say(explain(step, lower, server.shortage))
        step = lower
        note = f"share {step.share:g}, context {step.context}, after it did not fit"


def _attend(server: Server, settings: Settings, key: str, note: str, stop: Stop) -> int:
    """Watch one vLLM from its start to its end."""
    client = Client(settings.port, settings.served_name, key)
    started = time.monotonic()
    state = State("loading", since=started, at=started, note=note)
    progress: Progress | None = None
    while not stop.is_set():
        now = time.monotonic()
        if server.code is not None:
            server.end()
            error = f": {server.error}" if server.error else "."
            say(f"vLLM ended by itself, with code {server.code}, after {now - started:.0f} s{error}")
            # Once it has served, memory that is short is no reason to go down the ladder: a restart mends it.
            server.shortage = None if progress else server.shortage
            return CRASHED
        if progress is None and client.ready():
            say(f"serving {settings.directory} as {settings.served_name} after {now - started:.0f} s.")
            progress = Progress("", now)
            state = replace(state, phase="serving", since=now, stall=settings.stall)
        elif progress:
            progress = progress.after(client.figures(), time.monotonic())
            quiet = progress.quiet(time.monotonic())
            if quiet >= settings.stall:
                say(f"vLLM made no progress for {quiet:.0f} s, though asked for one token: ending it.")
                server.end()
                return HUNG
            if quiet >= patience(settings.stall):
                client.ask(settings.stall)
            state = replace(state, quiet=quiet)
        state = replace(state, at=time.monotonic())
        state.write()
        stop.wait(LOOK)
    say(f"stopping: requests in progress get {settings.shutdown} s.")
    _write("stopping")
    if server.stop(settings.shutdown + GRACE):
        return STOPPED
    say("vLLM did not stop in time and was killed.")
    return CRASHED


def _write(phase: str, note: str = "") -> None:
    now = time.monotonic()
    State(phase, since=now, at=now, note=note).write()


if __name__ == "__main__":
    raise SystemExit(main())
