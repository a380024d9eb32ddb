"""The host's commands, as the Makefile calls them. Exit codes: 0 done; 1 failed, or doctor found something; 2 refused:
nothing was changed; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ..errors import OutlastError
from . import backup, docker, doctor, rolling, up
from .docker import DeployError
from .drill import Order, drill
from .enqueue import enqueue
from .findings import any_bad, line
from .model import fetch
from .stack import Stack

DRILL = """\
A project of its own from this stack's images, with volumes, networks and passwords of its own: your jobs and your
containers are not touched. Workers, their children, guardians, kernels, whole containers, Redis and the model server (a
fixed script) are killed at random. Afterwards every log is held against what was seen of it, and every job against an
undisturbed one. Exit code 0 only if nothing was lost, duplicated, run again, different or failed.
"""

DRILL_EXAMPLES = """\
examples:
  make drill                          20 jobs, 60 kills; the report is in ./drill-output
  make drill N=200 KILLS=1000         a long one
  make drill SEED=4711                the kills of another drill again
  make drill SHARE=50%                with half of this machine
  make drill OUTPUT=/tmp/drill | jq -c 'select(.victim == "redis") | .went_on'
"""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    top = argparse.ArgumentParser(prog="python3 -m outlast.deploy", description="The stack on this host.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, what in (("up", "check, build, start, wait"), ("upgrade", "the same with the newest base image")):
        sub = commands.add_parser(name, help=what)
        sub.add_argument("--cpu", action="store_true", help="a new .env gets the override for a machine without a GPU")
    sub.add_argument("--force", action="store_true", help="although nothing can be handed back to Redis")
    sub = commands.add_parser("restart", help="restart a service and wait until it is well")
    sub.add_argument("service")
    sub.add_argument("--force", action="store_true", help="although a check says that it might not come back")
    commands.add_parser("backup", help="copy everything, while jobs run")
    sub = commands.add_parser("restore", help="go back to a backup")
    sub.add_argument("source", metavar="FROM")
    sub = commands.add_parser("doctor", help="every check, one a line")
    sub.add_argument("--json", action="store_true", help="JSON lines, as when the output is no terminal")
    commands.add_parser("model", help="fetch the model that the settings name")
    sub = commands.add_parser(
        "drill",
        help="random kills under jobs of its own, and a report of what they cost",
        description=DRILL,
        epilog=DRILL_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    drill_arguments(sub)
    commands.add_parser("enqueue", help="open a session with the prompt in the environment's ENQUEUE_PROMPT")
    return top


def drill_arguments(sub: argparse.ArgumentParser) -> None:
    """Those of a drill; `outlast drill` has them too."""
    sub.add_argument("--jobs", type=int, default=20, metavar="N", help="jobs to open (default 20)")
    sub.add_argument("--kills", type=int, default=60, metavar="N", help="SIGKILLs to deal (default 60)")
    sub.add_argument("--seed", type=int, metavar="N", help="repeats the choices of another drill (default: a new one)")
    sub.add_argument("--share", type=_share, metavar="P", help="of the machine at most (default 25%%, or the least)")
    sub.add_argument("--output", type=Path, default=Path("drill-output"), metavar="DIR", help="where the report goes")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in the current directory; returns its exit code."""
    return carry_out(parser().parse_args(argv))


def carry_out(given: argparse.Namespace) -> int:
    """The same, of a command that has been parsed."""
    stack = backup.with_service(Stack(Path.cwd(), docker.child_environ()))
    try:
        return _run(given, stack)
    except OutlastError as error:
        print(error, file=sys.stderr)
        return up.FAILED
    except BrokenPipeError:
        # The reader of a pipe has seen enough; nothing more may be written, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return up.OK
    except OSError as error:
        print(f"{error.filename or 'A file'} cannot be used: {error.strerror}.", file=sys.stderr)
        return up.FAILED
    except KeyboardInterrupt:
        print("\nInterrupted: nothing was changed.", file=sys.stderr)
        return up.INTERRUPTED


def _run(given: argparse.Namespace, stack: Stack) -> int:
    if not (stack.directory / "compose.yaml").is_file():
        raise DeployError(f"There is no compose.yaml in {stack.directory}: work in Outlast's directory.")
    match given.command:
        case "up" | "upgrade":
            return up.up(stack, cpu=given.cpu, fresh=given.command == "upgrade", force=getattr(given, "force", False))
        case "restart":
            return rolling.restart(stack, given.service, force=given.force)
        case "backup":
            return backup.make(stack)
        case "restore":
            return backup.restore(stack, given.source)
        case "doctor":
            return tell(stack, as_json=given.json or not sys.stdout.isatty())
        case "model":
            return fetch(stack)
        case "drill":
            return drill(stack, Order(given.jobs, given.kills, given.seed, given.share, given.output))
        case _:
            return enqueue(stack, os.environ.get("ENQUEUE_PROMPT", ""), os.environ.get("ENQUEUE_ID", ""))


def _share(text: str) -> float:
    """`25` or `25%`."""
    try:
        return float(text.removesuffix("%"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a share like 25%") from None


def tell(stack: Stack, *, as_json: bool) -> int:
    """Print every finding as it comes."""
    found = []
    for finding in doctor.findings(stack):
        found.append(finding)
        print(json.dumps(asdict(finding)) if as_json else line(finding, colour=True), flush=True)
    return up.FAILED if any_bad(found) else up.OK
