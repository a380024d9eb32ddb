"""What the sandbox costs: the same cells in the worker's image, with all layers and with none, by turns.

Two containers run side by side as compose.yaml confines them, one with OUTLAST_SANDBOX=strict and one with `off`; a
sample is taken in the one and then in the other, so that neither has the quieter machine. The start of a kernel is the
whole first cell of a new session: workspace, guardian, kernel and the cell. The jobs' seconds are the cells' own.

The growth is that of the process that stands for the worker, over the floods of output that a cell can make.
"""

from __future__ import annotations

from collections.abc import Sequence

from outlast.cli.text import size
from tests.sandbox.cells import Cells
from tests.stack.stack import build, docker

from .figure import Beside, Options, Row
from .sample import Goal, Sample

IMAGE = "outlast-worker:local"
#: Bytes that the worker may grow by.
GROWTH = 64 * 1024**2

#: A frame of a million rows to a file and back, summed and grouped.
CSV = """
import time
began = time.perf_counter()
import numpy as np, pandas as pd
rows = 1_000_000
random = np.random.default_rng(7)
frame = pd.DataFrame({'key': random.integers(0, 1000, rows), 'price': random.random(rows), 'city': 'Oslo'})
frame.to_csv('sales.csv', index=False)
again = pd.read_csv('sales.csv')
result = again.groupby('key')['price'].agg(['sum', 'mean', 'count']).sort_values('sum')
assert len(result) == 1000 and len(again) == rows
print(time.perf_counter() - began)
"""
#: What asks Linux for leave most often.
FILES = """
import os, time
os.makedirs('many', exist_ok=True)
began = time.perf_counter()
for turn in range(5):
    for number in range(3000):
        with open(f'many/{number}.txt', 'w') as file:
            file.write(str(number))
    total = 0
    for entry in os.scandir('many'):
        with open(entry.path) as file:
            total += int(file.read())
    assert total == 2999 * 3000 // 2
    for number in range(3000):
        os.unlink(f'many/{number}.txt')
print(time.perf_counter() - began)
"""
FLOODS = {
    "30 MB of displays": (
        "from IPython.display import display, HTML\nfor n in range(30):\n    display(HTML('x' * 1_000_000))"
    ),
    "100 MB of prints": "for n in range(100):\n    print('y' * 1_000_000)",
    "a million lines": "for n in range(1_000_000):\n    print(n)",
}


def measure(options: Options) -> list[Row]:
    """Four rows; none where there is no engine."""
    if docker("version", check=False).returncode:
        options.say("sandbox: left out, no Docker Engine answers (tools/engine starts one)")
        return []
    build(IMAGE, "images/worker/Dockerfile")
    place = options.place("sandbox")
    with Cells(_container("strict"), place) as ours, Cells(_container("off"), place) as bare:
        pair = ours, bare
        rows = [
            _row("a kernel started, to the end of its first cell", _starts(pair, options.count(20, 3)), 1.2),
            _row("a pandas job on a million rows", _jobs(pair, CSV, options.count(15, 2)), 1.05),
            _row("3,000 files made, read and removed, five times", _jobs(pair, FILES, options.count(15, 2)), 1.05),
        ]
        rows.append(_growth(ours, options))
    return rows


def _container(mode: str) -> list[str]:
    """The command that runs a program in the worker's image, confined as compose.yaml does it."""
    confined = [
        *("--network", "none", "--read-only", "--security-opt", "no-new-privileges", "--cap-drop", "ALL"),
        *("--cap-add", "SETUID", "--cap-add", "SETGID", "--cap-add", "KILL", "--memory", "6g", "--pids-limit", "2048"),
        *("--tmpfs", "/tmp:mode=1777,exec,size=1g", "--tmpfs", "/run/outlast:mode=0711,size=64m"),
        *("--volume", "/var/lib/outlast/sessions", "--shm-size", "1g"),
    ]
    return [
        *("docker", "run", "--rm", "--init", "--interactive"),
        *confined,
        "--env",
        f"OUTLAST_SANDBOX={mode}",
        IMAGE,
        "python",
        "-c",
    ]


def _starts(pair: Sequence[Cells], count: int) -> list[Sample]:
    found: list[list[float]] = [[], []]
    for number in range(count + 1):
        for which, cells in enumerate(pair):
            outcome = cells.run(f"start-{number}", "pass")
            assert outcome.status == "ok", outcome
            cells.close(f"start-{number}")
            if number:  # The first one finds nothing in memory.
                found[which].append(outcome.seconds)
    return [Sample.of(values) for values in found]


def _jobs(pair: Sequence[Cells], code: str, count: int) -> list[Sample]:
    found: list[list[float]] = [[], []]
    for number in range(count + 1):
        for which, cells in enumerate(pair if number % 2 else reversed(pair)):
            outcome = cells.run("jobs", code, timeout=600)
            assert outcome.status == "ok", outcome
            if number:
                found[which if number % 2 else 1 - which].append(float(outcome.output))
    for cells in pair:
        cells.close("jobs")
    return [Sample.of(values) for values in found]


def _row(what: str, found: list[Sample], ratio: float) -> Row:
    ours, bare = found
    return Row("sandbox", what, ours, goal=Goal(ratio=ratio), beside=(Beside("without the sandbox", bare),))


def _growth(cells: Cells, options: Options) -> Row:
    before = cells.memory()
    grown, notes = [], []
    for what, code in FLOODS.items():
        outcome = cells.run("floods", code, timeout=600)
        assert outcome.status == "ok", outcome
        grown.append(float(cells.memory() - before))
        notes.append(f"{what}: {size(int(grown[-1]))} more than before all of them, {outcome.seconds:.1f} s")
        options.say(f"sandbox: {notes[-1]}")
    return Row(
        "sandbox",
        "bytes that the worker grows by over floods of output",
        Sample.of(grown),
        unit="count",
        goal=Goal(worst=GROWTH),
        notes=tuple(notes),
    )
