"""`make demo`: a session is killed in the middle, and another worker finishes it.

Everything is real but the model: Redis, the stock `rq enqueue` and `rq worker`, the kernels, the data, SIGKILL. The
replies come from `demo/script.yaml`, played by a server that is no model. Exit codes: 0 the job finished, its
log verifies and no completed cell ran twice; 1 one of these is not so; 2 wrong usage, or a part is missing.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TypeVar

from demo.generate import parse_size
from demo.killing import KillPoint
from demo.performance import Options, perform
from demo.stage import StageError
from tests.redis_server import NoServer

ROOT = Path(__file__).resolve().parent.parent
T = TypeVar("T")


def _allowed(parse: Callable[[str], T]) -> Callable[[str], T]:
    """`parse` for argparse, which shows the text of no ValueError."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except ValueError as mistake:
            raise argparse.ArgumentTypeError(str(mistake)) from None

    return parsed


def arguments() -> argparse.ArgumentParser:
    """The demo's arguments."""
    parser = argparse.ArgumentParser(
        prog="demo.py",
        description="One session, killed in the middle and finished by another worker.",
        epilog="The model here is a server that plays a fixed script (demo/script.yaml). All else is real.",
    )
    parser.add_argument("--size", type=_allowed(parse_size), default="50M", help="of the data: 50M (default) to 1.5G")
    parser.add_argument(
        "--kill", type=_allowed(KillPoint.parse), default="cell:3", metavar="POINT",
        help="cell:N (default cell:3), reply:N, or none",
    )  # fmt: skip
    parser.add_argument("--script", type=Path, default=ROOT / "demo/script.yaml", help="the replies to play")
    parser.add_argument("--output", type=Path, default=ROOT / "demo-output", help="where chart and log are copied to")
    parser.add_argument("--keep", action="store_true", help="keep the temporary directory, with every process's log")
    parser.add_argument("--json-summary", type=Path, metavar="FILE", help="write what happened as JSON")
    return parser


def _stop(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns its exit code."""
    given = arguments().parse_args(argv)
    signal.signal(signal.SIGTERM, _stop)
    try:
        return perform(Options(given.size, given.kill, given.script, given.output, given.keep, given.json_summary))
    except (StageError, NoServer) as trouble:
        print(f"demo: {trouble}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("demo: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
