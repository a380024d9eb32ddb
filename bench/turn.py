"""From the end of a cell to the next model request, for `x = 1`.

The cell's last act is to append the time to a file outside the workspace; the sample is the arrival of the next
request at the scripted model minus that time, on one machine and one clock. Both systems run the same cells, play the
same script and are read in the same way. Ours does more in that time: it saves the variables and logs the output.
"""

from __future__ import annotations

from pathlib import Path

from outlast.drill.scripted_model import Arrival, ScriptedModel
from tests.fleet import Fleet

from . import stock_interpreter
from .figure import Beside, Options, Row
from .sample import Goal, Sample

#: Seconds for all cells of one conversation.
PATIENCE = 300.0


def measure(options: Options) -> list[Row]:
    """One conversation on each side."""
    place = options.place("turn")
    return [
        Row(
            "turn",
            "end of a cell (x = 1) to the next model request",
            ours(place / "ours", options, options.count(50, 10)),
            goal=Goal(median=0.025),
            beside=(Beside("stock Open Interpreter 0.4.3", stock(place / "stock", options.count(20, 5))),),
        )
    ]


def replies(cells: int, ended: Path) -> list[str]:
    """The script: `cells` times the same cell, then an answer."""
    code = f"import time\nx = 1\nopen({str(ended)!r}, 'a').write(f'{{time.time()}}\\n')"
    return [f"Step {number}.\n```python\n{code}\n```" for number in range(1, cells + 1)] + ["Done."]


def ours(place: Path, options: Options, cells: int) -> Sample:
    """The whole product: a job from the queue, its log, its checkpoints."""
    place.mkdir()
    ended = place / "ended.txt"
    with Fleet(place, replies(cells, ended), options.kernel_python, workers=1) as fleet:
        fleet.enqueue("turn")
        fleet.finished("turn", PATIENCE)
        return between(ended, fleet.model.arrivals)


def stock(place: Path, cells: int) -> Sample:
    """Stock Open Interpreter in a process of its own."""
    place.mkdir()
    ended = place / "ended.txt"
    with ScriptedModel(replies(cells, ended)) as model:
        stock_interpreter.run(model.url, place, PATIENCE)
        return between(ended, model.arrivals)


def between(ended: Path, arrivals: list[Arrival]) -> Sample:
    """The time from the end of cell n to the request for reply n + 1 (replies count from 0, cells from 1)."""
    ends = [float(line) for line in ended.read_text().split()]
    came = {arrival.reply: arrival.at for arrival in arrivals if arrival.body.get("max_tokens") != 1}
    return Sample.of(came[cell] - end for cell, end in enumerate(ends, 1))
