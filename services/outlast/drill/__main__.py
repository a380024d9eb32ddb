"""What the containers of a drill run; `make drill` starts them (`outlast.deploy.drill`).

    python -m outlast.drill conduct …     the conductor, which says on standard output what is to be killed
    python -m outlast.drill serve …       the scripted model server, in place of vLLM
    python -m outlast.drill strike …      SIGKILL to a part of one worker, from inside its container

The conductor writes JSON lines. Two are answered by a line on its standard input: `{"strike": victim, "worker": name}`
(the time of the kill, or null) and `{"logs": "worker"}` (all that the workers have logged, as a list of lines). Beside
them comes `{"tell": …}` for what happens, and as its last `{"report": …, "page": Markdown, "chart": PNG in base64}`,
or `{"stuck": sentence}`.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import OutlastError
from . import victims


class Asking:
    """A hand at the other end of two pipes."""

    def strike(self, victim: str, worker: str) -> float | None:
        """As `Hand`. EOFError once nobody listens any more."""
        at: float | None = self._ask({"strike": victim, "worker": worker})
        return at

    def logs(self) -> list[str]:
        """As `Hand`. EOFError once nobody listens any more."""
        lines: list[str] = self._ask({"logs": "worker"})
        return lines

    @staticmethod
    def _ask(question: Mapping[str, str]) -> Any:
        say(question)
        answer = sys.stdin.readline()
        if not answer:
            raise EOFError("nobody answers")
        return json.loads(answer)


def say(line: Mapping[str, Any]) -> None:
    """One JSON line, at once."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def conduct(given: argparse.Namespace) -> int:
    """Run the drill and say its report; 1 if it came to none."""
    from ..log.redis_log import connect
    from ..settings import Settings
    from . import jobs
    from .conductor import Conductor, Order
    from .report import page, report

    settings = Settings.load()
    # No more kinds than jobs: each is run undisturbed first.
    order = Order(given.jobs, given.kills, given.seed, tuple(jobs.CELLS)[: given.jobs])
    with connect(settings.redis_address()) as client:
        conductor = Conductor(client, Path(settings.workspaces), Asking(), order, lambda event: say({"tell": event}))
        try:
            told = report(conductor.run())
        except OutlastError as error:
            say({"stuck": str(error)})
            return 1
    say({"report": told, "page": page(told), "chart": chart(told, settings.kernel_python_path)})
    return 0


def chart(told: Mapping[str, Any], python: Path) -> str:
    """The report's chart, drawn by the kernels' Python; empty if it cannot be: the report counts without it."""
    program = [str(python), str(Path(__file__).with_name("chart.py"))]
    drawn = subprocess.run(program, input=json.dumps(told).encode(), capture_output=True, check=False)
    if drawn.returncode:
        sys.stderr.write(drawn.stderr.decode(errors="replace"))
    return base64.b64encode(drawn.stdout).decode("ascii") if not drawn.returncode else ""


def serve(given: argparse.Namespace) -> int:
    """Serve the jobs' script until SIGTERM."""
    from . import jobs, scripted_model

    return scripted_model.serve(jobs.script(given.pause), host="0.0.0.0", port=8000)  # noqa: S104  # in a container, on a network without a way out


def strike(given: argparse.Namespace) -> int:
    """Kill, and print the time just before, or null."""
    root = victims.worker_named(given.worker)
    print(json.dumps(victims.strike(root, given.part) if root else None))
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the three."""
    parser = argparse.ArgumentParser(
        prog="python -m outlast.drill",
        description="What the containers of a drill run. `make drill` starts them; by themselves they are of no use.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    sub = commands.add_parser("conduct", help="open the jobs, say what is to be killed, judge")
    sub.add_argument("--jobs", type=int, required=True, metavar="N", help="jobs to open")
    sub.add_argument("--kills", type=int, required=True, metavar="N", help="kills to ask for")
    sub.add_argument("--seed", type=int, required=True, metavar="N", help="what the kills are drawn from")
    sub.set_defaults(run=conduct)
    sub = commands.add_parser("serve", help="be the model server: the jobs' script, until SIGTERM")
    sub.add_argument("--pause", type=float, required=True, help="a quarter of the least time (seconds) of a cell")
    sub.set_defaults(run=serve)
    sub = commands.add_parser("strike", help="SIGKILL to a part of a worker in this container")
    sub.add_argument("part", metavar="PART", choices=victims.PARTS, help=f"one of: {', '.join(victims.PARTS)}")
    sub.add_argument("worker", metavar="NAME", help="the worker's name, as rq info has it")
    sub.set_defaults(run=strike)
    given = parser.parse_args(argv)
    code: int = given.run(given)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
