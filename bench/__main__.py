"""`python -m bench [NAME …]`. Exit code 0, or 1 if something is wrong with correctness, 2 for a wrong call."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from demo.generate import parse_size

from . import (
    attacks,
    containers,
    drain,
    drill,
    enqueue,
    kills,
    lines,
    outages,
    recovery,
    sandbox,
    state,
    takeovers,
    turn,
)
from .figure import Options, Row
from .table import as_json, show

FIGURES: dict[str, Callable[[Options], list[Row]]] = {
    "recovery": recovery.measure,
    "turn": turn.measure,
    "lines": lines.measure,
    "enqueue": enqueue.measure,
    "drain": drain.measure,
    "kills": kills.measure,
    "drill": drill.measure,
    "takeovers": takeovers.measure,
    "outages": outages.measure,
    "state": state.measure,
    "containers": containers.measure,
    "sandbox": sandbox.measure,
    "attacks": attacks.measure,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; see the package's docstring."""
    parser = _parser()
    given = parser.parse_args(argv)
    unknown = [name for name in given.names if name not in FIGURES]
    if unknown:
        parser.error(f"no figure named {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    kernel_python = find_kernel_python()
    if not kernel_python.exists():
        parser.error(
            f"no environment for kernels at {kernel_python}: run `make venv`, or set OUTLAST_TEST_KERNEL_PYTHON"
        )
    progress = Console(stderr=True, highlight=False)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="outlast-bench-", dir=given.directory, ignore_cleanup_errors=True) as place:
        options = Options(
            kernel_python=kernel_python,
            directory=Path(place),
            seed=given.seed,
            quick=given.quick,
            stock=given.stock or given.full,
            full=given.full,
            runs=given.runs,
            jobs=given.jobs,
            size=given.size,
            say=lambda text: progress.print(f"[dim]{text}[/dim]"),
        )
        for name in given.names or FIGURES:
            options.say(f"{name} …")
            rows += FIGURES[name](options)
    if given.json != "-":
        show(Console(width=None if sys.stdout.isatty() else 160), rows, given.seed)
    if given.json:
        text = json.dumps(as_json(rows, given.seed), indent=2, ensure_ascii=False)
        if given.json == "-":
            print(text)
        else:
            Path(given.json).write_text(text + "\n", encoding="utf-8")
    return 1 if any(row.violations for row in rows) else 0


def find_kernel_python() -> Path:
    """The Python of the kernels' own environment, as for the tests."""
    given = os.environ.get("OUTLAST_TEST_KERNEL_PYTHON")
    if given:
        return Path(given)
    candidates = [base / ".venv-kernel/bin/python" for base in (Path(sys.prefix).parent, Path(__file__).parent.parent)]
    return next((path for path in candidates if path.exists()), candidates[-1])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the figures of Outlast.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(FIGURES)}; all without one")
    parser.add_argument("--quick", action="store_true", help="few runs each: shows that it works, not how fast it is")
    parser.add_argument(
        "--json", metavar="FILE", help="also write everything measured as JSON; - for standard output only"
    )
    parser.add_argument(
        "--stock", action="store_true", help="measure the slow figures of the stock systems too (10 min)"
    )
    parser.add_argument(
        "--full", action="store_true", help="as --stock, and wait for RQ's default settings (15 min more)"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="repeats the choices of another run")
    parser.add_argument("--runs", type=int, help="runs of each figure (kills of `drill`), instead of its own number")
    parser.add_argument("--jobs", type=int, help="jobs of `kills` and `drill`, instead of 200")
    parser.add_argument("--size", type=parse_size, help="of the large file in `state`, instead of 1.5G")
    parser.add_argument("--directory", help="where the temporary data goes; give a real disk, not one in memory")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
