"""A cell that prints 1,000 lines, flushed, 10 ms apart.

The time runs from the cell's first statement (it writes the time to a file) until what came of the cell is used: the
next model request for Outlast and for stock Open Interpreter, the end of the cell as a client sees it for a bare
ipykernel. So ours includes the output's way through the log, the checkpoint and the next turn. Stock Open Interpreter
takes minutes; without --stock it prints 30 lines and the time is scaled up, which its time per line allows.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from outlast.drill.scripted_model import Arrival, ScriptedModel
from tests.fleet import Fleet

from . import stock_interpreter
from .figure import MEASURED, Beside, Options, Row
from .sample import Goal, Sample

LINES = 1000
PATIENCE = 900.0


def measure(options: Options) -> list[Row]:
    """Ours and a bare kernel by turns, then the stock system."""
    place = options.place("lines")
    lines = LINES if not options.quick else 200
    ours, bare = [], []
    for number in range(options.count(3, 1)):
        ours.append(through_outlast(place / f"ours-{number}", options, lines))
        bare.append(through_a_bare_kernel(place / f"bare-{number}", options, lines))
    stock_lines = lines if options.stock else 30
    stock = through_open_interpreter(place / "stock", stock_lines)
    scaled = f"{MEASURED}: {stock_lines} lines took {stock:.1f} s, scaled to {lines}; --stock prints them all"
    return [
        Row(
            "lines",
            f"{lines:,} lines flushed 10 ms apart",
            Sample.of(ours),
            goal=Goal(ratio=1.15),
            beside=(
                Beside("bare ipykernel", Sample.of(bare)),
                Beside(
                    "stock Open Interpreter 0.4.3",
                    Sample.of([stock * lines / stock_lines]),
                    MEASURED if stock_lines == lines else scaled,
                ),
            ),
        )
    ]


def code(lines: int, began: Path) -> str:
    """The cell."""
    return (
        "import time\n"
        f"open({str(began)!r}, 'w').write(str(time.time()))\n"
        f"for n in range({lines}):\n    print(n, flush=True)\n    time.sleep(0.01)"
    )


def through_outlast(place: Path, options: Options, lines: int) -> float:
    """Seconds of the whole product."""
    place.mkdir()
    began = place / "began.txt"
    with Fleet(place, _script(lines, began), options.kernel_python, workers=1) as fleet:
        fleet.enqueue("lines")
        fleet.finished("lines", PATIENCE)
        return _until_the_second_request(began, fleet.model.arrivals)


def through_open_interpreter(place: Path, lines: int) -> float:
    """Seconds of stock Open Interpreter."""
    place.mkdir()
    began = place / "began.txt"
    with ScriptedModel(_script(lines, began)) as model:
        stock_interpreter.run(model.url, place, PATIENCE)
        return _until_the_second_request(began, model.arrivals)


def through_a_bare_kernel(place: Path, options: Options, lines: int) -> float:
    """Seconds of an ipykernel with jupyter_client's own blocking client, nothing else."""
    place.mkdir()
    began = place / "began.txt"
    manager = KernelManager(kernel_name="python3")
    spec = manager.kernel_spec
    assert spec is not None
    spec.argv = [str(options.kernel_python), *spec.argv[1:]]
    manager.start_kernel(cwd=str(place), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    client: BlockingKernelClient = manager.client()
    try:
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute_interactive(code(lines, began), output_hook=lambda message: None)
        return time.time() - float(began.read_text())
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def _script(lines: int, began: Path) -> list[str]:
    return [f"Counting.\n```python\n{code(lines, began)}\n```", "Done."]


def _until_the_second_request(began: Path, arrivals: list[Arrival]) -> float:
    second = next(item.at for item in arrivals if item.reply == 1 and item.body.get("max_tokens") != 1)
    return second - float(began.read_text())
