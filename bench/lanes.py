"""Jobs one after the other, several lanes of them at once, so that there is always one for each worker."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable


def run_lanes(lanes: int, jobs: int | None, work: Callable[[int], bool]) -> list[str]:
    """Call `work(number)` for 1, 2, 3 … from `lanes` threads: up to `jobs`, or until one returns False.

    The errors that were raised, as sentences; an error ends its lane.
    """
    numbers = itertools.count(1)
    lock = threading.Lock()
    failures: list[str] = []

    def lane() -> None:
        while True:
            with lock:
                number = next(numbers)
            if jobs is not None and number > jobs:
                return
            try:
                if not work(number):
                    return
            except Exception as error:
                failures.append(f"job {number}: {type(error).__name__}: {error}")
                return

    threads = [threading.Thread(target=lane, name=f"lane-{number}") for number in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures
