"""`python -m outlast.health`: whether the workers of this container get on. One sentence; exit code 0 or 1.

It asks for progress, not for processes: a worker that is stopped or wedged lives and does not tick. It needs no Redis
and imports next to nothing, because Docker runs it every few seconds for ever.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

from . import heartbeat
from .errors import SettingsError
from .heartbeat import Beat, State
from .settings import Settings

#: Seconds without a beat after which a worker stands still. It ticks every half second; a Redis that hangs makes one
#: tick take ten.
STILL_SECONDS = 15.0
#: Seconds that a worker may take to load what it needs, on a machine that is busy.
START_SECONDS = 60.0


def stands_still(beat: Beat, now: float) -> bool:
    """Whether a worker has not ticked for too long."""
    return now - beat.at > (START_SECONDS if beat.state is State.STARTING else STILL_SECONDS)


def verdict(beats: Mapping[int, Beat], workers: int, now: float) -> tuple[bool, str]:
    """(healthy, the sentence) for the last beats of what should be so many `workers`."""
    for pid, beat in sorted(beats.items()):
        if stands_still(beat, now):
            return False, f"worker process {pid} has stood still for {now - beat.at:.0f} s; it will be restarted."
    if len(beats) < workers:
        return False, f"{len(beats)} of {workers} workers run; the container's log says why the others ended."
    states = [beat.state for beat in beats.values()]
    if State.STARTING in states:
        return False, f"{states.count(State.STARTING)} of {workers} workers are still starting."
    if State.WAITING in states:
        return True, f"{states.count(State.WAITING)} of {workers} workers are waiting for Redis; they take no job."
    return True, f"{len(beats)} workers are well."


def main() -> int:
    """Say how it is."""
    try:
        settings = Settings.load()
    except SettingsError as mistake:
        print(mistake)
        return 1
    healthy, sentence = verdict(heartbeat.beats(settings.runtime_path), settings.workers, time.monotonic())
    print(sentence)
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
