"""Sixty random kills under jobs of which everything is known, another sixty each time: nothing is lost."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from bench.drill import drill
from outlast.drill.conductor import Order
from outlast.drill.judge import KINDS

#: `SEED=…` repeats the choices of another run.
SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
KILLS, JOBS = 60, 8
#: Those without pandas, which costs each new kernel a second.
KINDS_OF_JOBS = ("sums", "shell")


@pytest.mark.timeout(1800)
def test_sixty_random_kills_lose_duplicate_and_repeat_nothing(tmp_path: Path, kernel_python: Path) -> None:
    print(f"SEED={SEED}")  # shown by pytest if the test fails
    order = Order(JOBS, KILLS, SEED, KINDS_OF_JOBS, patience=120)
    told = drill(tmp_path, kernel_python, order, print, warm_workers=True)
    assert told["problems"] == [] and told["ended"] == [], f"SEED={SEED}"
    assert {kind: told[kind] for kind in KINDS} == dict.fromkeys(KINDS, 0)
    assert told["kills"] == KILLS and told["jobs"] >= JOBS
    assert told["acknowledged"] > 0.8 * told["records"]
