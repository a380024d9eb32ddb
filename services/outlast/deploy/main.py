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
from . import checks, docker, doctor, up
from .docker import DeployError
from .enqueue import enqueue
from .findings import any_bad, line
from .model import fetch
from .progress import Display
from .stack import SERVICES, Stack


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    top = argparse.ArgumentParser(prog="python3 -m outlast.deploy", description="The stack on this host.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, what in (("up", "check, build, start, wait"), ("upgrade", "the same with the newest base image")):
        sub = commands.add_parser(name, help=what)
        sub.add_argument("--cpu", action="store_true", help="a new .env gets the override for a machine without a GPU")
    sub = commands.add_parser("restart", help="restart a service and wait until it is well")
    sub.add_argument("service")
    sub = commands.add_parser("doctor", help="every check, one a line")
    sub.add_argument("--json", action="store_true", help="JSON lines, as when the output is no terminal")
    commands.add_parser("model", help="fetch the model that the settings name")
    commands.add_parser("enqueue", help="open a session with the prompt in the environment's ENQUEUE_PROMPT")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command in the current directory; returns its exit code."""
    given = parser().parse_args(argv)
    stack = Stack(Path.cwd(), docker.child_environ())
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
            return up.up(stack, cpu=given.cpu, fresh=given.command == "upgrade")
        case "restart":
            return restart(stack, given.service)
        case "doctor":
            return tell(stack, as_json=given.json or not sys.stdout.isatty())
        case "model":
            return fetch(stack)
        case _:
            return enqueue(stack, os.environ.get("ENQUEUE_PROMPT", ""), os.environ.get("ENQUEUE_ID", ""))


def restart(stack: Stack, service: str) -> int:
    """Ask a service to end, give it its grace, start it again, and wait."""
    if service not in SERVICES:
        raise DeployError(f"There is no service {service}: make restart S=… takes {', '.join(SERVICES)}.")
    facts = checks.Facts(config=stack.config())
    facts.containers = stack.containers(facts.project)
    if not any(it.service == service for it in facts.containers):
        raise DeployError(f"{service} has no container: make up starts it.")
    return up.restart(stack, facts, service, Display(sys.stdout))


def tell(stack: Stack, *, as_json: bool) -> int:
    """Print every finding as it comes."""
    found = []
    for finding in doctor.findings(stack):
        found.append(finding)
        print(json.dumps(asdict(finding)) if as_json else line(finding, colour=True), flush=True)
    return up.FAILED if any_bad(found) else up.OK
