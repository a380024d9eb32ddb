"""`outlast`: look at sessions, and fetch their files.

Exit codes: 0 done, 1 not found, not intact or not copied, 2 wrong usage or settings, 3 no Redis.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import redis

from ..deploy import main as host
from ..errors import LogDamaged, RedisAway, SettingsError
from ..log.patience import refusal_of_login
from ..settings import Settings
from . import copying, examining, files, following, listing, retrying, showing, variables, verifying
from .output import Output, Trouble, complain
from .source import Source, reason
from .text import one_line

OK, PROBLEM, USAGE, UNREACHABLE = 0, 1, 2, 3

_CODES = (
    "exit codes: 0 done; 1 no such session, a log is not intact, a file could not be copied, or doctor found a fault; "
    "2 wrong usage or settings; 3 Redis cannot be reached"
)

_EXAMPLES = {
    "list": ("outlast list", "outlast list --all --json | jq -r 'select(.state == \"failed\") | .session'"),
    "show": ("outlast show sales", "outlast show --json sales | jq .attempts"),
    "logs": ("outlast logs sales", "outlast logs -f sales", "outlast logs --json sales > sales.jsonl"),
    "state": (
        "outlast state sales                          # as of the newest cell that has a checkpoint",
        "outlast state sales --cell 3",
        "outlast state --json sales | jq -r '.variables[] | select(.bytes > 1e6) | .name'",
    ),
    "files": ("outlast files sales", "outlast files --json sales | jq -r .path"),
    "cp": (
        "outlast cp sales:report.pdf .",
        "outlast cp sales:artifacts/cell-3.txt sales:chart.png ~/results",
        "outlast cp -r sales: results                # everything in the session's directory",
        "outlast cp sales:notes.txt - | less",
        "outlast cp -r --tar sales:plots - | ssh other tar x",
    ),
    "retry": (
        "outlast retry sales",
        "outlast list --all --json | jq -r 'select(.state == \"failed\") | .session' | xargs outlast retry",
    ),
    "doctor": ("outlast doctor", "outlast doctor --json | jq -r 'select(.verdict == \"bad\") | .mend'"),
    "drill": (
        "outlast drill --share 50% --seed 4711",
        "outlast drill --jobs 200 --kills 1000 | jq -c 'select(.victim == \"redis\") | .went_on'",
    ),
    "verify": ("outlast verify sales", "outlast verify --all", "outlast verify --file sales.jsonl"),
}

_RETRY = """\
Nothing logged is lost or run again: the session goes on from its last record, and its strikes, turns and running time
count from there. For a session whose job was deleted from RQ it is the way back, too.
"""

_STATE = """\
Nothing is loaded: it is read from the checkpoint's manifest, of which the newest 50 cells' are kept, and only if it has
the digest that the session's log names. Sizes are those of the variables by themselves; what they share is stored once.
Where the workspaces are not on this machine, the worker container of the stack in this directory is asked.
"""

_CP = """\
PATH is as the session's own code writes it, and as `outlast files` lists it: relative to its working directory, or
below artifacts/. A copy replaces an older file of its name, and appears only when it is whole. Links, devices and the
like are not copied, and no owner, mode or time is taken over: whatever a session made is a plain file of yours.
Where the workspaces are not on this machine, the worker container of the stack in this directory is asked.
"""


_DRILL = f"""\
{host.DRILL}
On the host, in the directory of compose.yaml, as `make drill`: no container may end others. In a pipe, a line of
JSON for each kill and one for the whole; --redis-url means nothing to it.
"""


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    # The same options stand before and after the command's name; SUPPRESS keeps the second from undoing the first.
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--json", action="store_true", help="JSON lines, as when the output is no terminal")
    common.add_argument("--redis-url", metavar="URL", help="instead of OUTLAST_REDIS_URL or RQ_REDIS_URL")
    top = argparse.ArgumentParser(
        prog="outlast",
        description="Look at sessions of Outlast: Open Interpreter jobs that outlast the worker that runs them.",
        epilog='start a session: rq enqueue outlast.run prompt="what you want done"\n' + _CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common],
    )
    top.add_argument("--version", action="version", version=f"outlast {version('outlast')}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, what: str, more: str = "") -> argparse.ArgumentParser:
        examples = "examples:\n" + "".join(f"  {text}\n" for text in _EXAMPLES[name])
        return commands.add_parser(
            name,
            help=what,
            description=what[0].upper() + what[1:] + "." + (f"\n\n{more}" if more else ""),
            epilog=f"{examples}\n{_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            parents=[common],
        )

    sub = command("list", "sessions and waiting jobs, the newest first")
    sub.add_argument("--limit", type=_count, default=20, metavar="N", help="sessions at most (default 20)")
    sub.add_argument("--all", action="store_true", help="every session")
    sub.add_argument("--running", action="store_true", help="only sessions that some worker is at")
    sub = command("show", "one session: its request, attempts, cells, artifacts and answer")
    sub.add_argument("session", metavar="ID")
    sub = command("logs", "the records of a session, one a line")
    sub.add_argument("session", metavar="ID")
    sub.add_argument("-f", "--follow", action="store_true", help="go on until the session closes, with live output")
    sub = command("state", "the variables of a session as of a cell: names, types, sizes, and what is missing", _STATE)
    sub.add_argument("session", metavar="ID")
    sub.add_argument("--cell", type=_count, metavar="N", help="as of the end of cell N (default: the newest saved)")
    sub = command("files", "the files of a session, and which cell an artifact is from")
    sub.add_argument("session", metavar="ID")
    sub.add_argument("--limit", type=_count, default=1000, metavar="N", help="files at most (default 1000)")
    sub = command("cp", "copy files of a session out of its workspace", _CP)
    sub.add_argument("source", metavar="ID:PATH", nargs="+", help="a file of a session")
    sub.add_argument("dest", metavar="DEST", help="a directory, or the copy's name, or - for standard output")
    sub.add_argument("-r", "--recursive", action="store_true", help="directories, with all that they hold")
    sub.add_argument("--tar", action="store_true", help="with DEST -: a tar archive, of one file or of many")
    sub = command("retry", "another go for sessions that failed, from where their logs end", _RETRY)
    sub.add_argument("session", metavar="ID", nargs="+")
    command("doctor", "whether all is well, one check a line, with what to do where it is not")
    sub = command("verify", "prove that logs were neither changed nor shortened")
    sub.add_argument("session", metavar="ID", nargs="*")
    sub.add_argument("--all", action="store_true", help="every session in this Redis")
    sub.add_argument("--file", type=Path, metavar="F", help="a log saved by `outlast logs --json ID`; needs no Redis")
    sub = command("drill", "random kills under jobs of its own, and a report of what they cost", _DRILL)
    host.drill_arguments(sub)
    return top


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return value


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = parser()
    given = arguments.parse_args(argv)
    if given.command == "verify" and bool(given.session) + given.all + bool(given.file) != 1:
        arguments.error("verify takes session ids, or --all, or --file F")
    if given.command == "drill":
        return host.carry_out(given)
    try:
        return _run(given, Output(getattr(given, "json", False)))
    except BrokenPipeError:
        # The reader of a pipe has seen enough (`outlast logs ID | head`); nothing more may be written, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except KeyboardInterrupt:
        return 130


def _run(given: argparse.Namespace, out: Output) -> int:
    try:
        if getattr(given, "file", None):
            return verifying.run_on_file(given.file, out)
        settings = Settings.load()
        address = getattr(given, "redis_url", "") or settings.redis_address()
        given.settings = replace(settings, redis_url=address, redis_password_file="")
        if given.command == "doctor":
            return examining.run(given.settings, out)
        return _ask(given, out)
    except (SettingsError, OSError, UnicodeDecodeError) as mistake:
        if isinstance(mistake, BrokenPipeError):
            raise
        complain(_of_a_file(mistake) if isinstance(mistake, OSError) else str(mistake))
        return USAGE
    except Trouble as trouble:
        complain(str(trouble))
        return trouble.code
    except LogDamaged as damage:
        complain(str(damage))
        return PROBLEM


def _ask(given: argparse.Namespace, out: Output) -> int:
    url = given.settings.redis_url
    run: Any = {
        "list": listing.run, "show": showing.run, "logs": following.run, "verify": verifying.run, "files": files.run,
        "cp": copying.run, "state": variables.run, "retry": retrying.run,
    }[given.command]  # fmt: skip
    try:
        source = Source(url)
    except ValueError as mistake:
        complain(f"{_without_password(url)} is no address of a Redis: {one_line(str(mistake), 200)}")
        return USAGE
    try:
        # A workspace can be read while Redis is away.
        if given.command not in ("files", "cp"):
            source.ping()
        return int(run(given, source, out))
    except redis.AuthenticationError as error:
        complain(refusal_of_login(error))
        return USAGE
    except (redis.RedisError, RedisAway) as error:
        words = reason(error) if isinstance(error, redis.RedisError) else one_line(str(error), 300)
        where = _without_password(url)
        complain(f"Redis at {where} cannot be reached ({words}); is it up, and is OUTLAST_REDIS_URL right?")
        return UNREACHABLE
    except ValueError as unknown:
        complain(f"{one_line(str(unknown), 300)}; it was written by a newer Outlast, use that one.")
        return PROBLEM
    finally:
        source.close()


def _of_a_file(error: OSError) -> str:
    return f"{error.filename} cannot be read: {error.strerror}." if error.filename else str(error)


def _without_password(url: str) -> str:
    """The URL as it may be shown."""
    scheme, separator, rest = url.partition("://")
    return one_line(f"{scheme}{separator}{rest.rpartition('@')[2]}", 200)
