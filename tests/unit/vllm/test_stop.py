from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

from launcher.stop import Stop


def test_it_stays_set() -> None:
    stop = Stop()
    assert not stop.is_set() and not stop.wait(0.01)
    stop.set()
    assert stop.is_set() and stop.wait(60) and stop.is_set()


def test_the_signal_may_come_at_any_line_of_a_look_at_it() -> None:
    stop = Stop()

    def at_each_line(frame: FrameType, event: str, argument: Any) -> Any:
        os.kill(os.getpid(), signal.SIGUSR1)
        return at_each_line

    before = signal.signal(signal.SIGUSR1, lambda *_: stop.set())
    tracing = sys.gettrace()
    sys.settrace(at_each_line)
    try:
        asked = stop.is_set(), stop.wait(60)
    finally:
        sys.settrace(tracing)
        signal.signal(signal.SIGUSR1, before)
    assert asked == (True, True)
