"""A planned restart: whether a service would come back, its containers one after the other, and whether every session
that ran went on. What has changed besides (an image, `.env`) is `make up`'s business.
"""

from __future__ import annotations

import sys

from . import checks, sessions, up, watch
from .checks import Facts
from .docker import DeployError
from .findings import any_bad, line
from .progress import Display
from .stack import SERVICES, Stack


def restart(stack: Stack, service: str, *, force: bool) -> int:
    """Ask a service to end within its grace, start it again, and wait until it and all sessions go on. The exit code.

    Refused while it, or what it needs to end well, is not as it should be, unless `force`.
    """
    if service not in SERVICES:
        raise DeployError(f"There is no service {service}: make restart S=… takes {', '.join(SERVICES)}.")
    findings, facts = checks.check(stack)
    if not any(it.service == service for it in facts.containers):
        if facts.config and facts.info:
            raise DeployError(f"{service} has no container: make up starts it.")
        force = False
    bad = [line(finding, colour=sys.stdout.isatty()) for finding in findings if finding.verdict == "bad"]
    bad += [] if any_bad(findings) else sessions.unsafe(facts.containers, service)
    if bad and not force:
        what = "the line with ✗" if len(bad) == 1 else f"the {len(bad)} lines with ✗"
        print("\n".join([*bad, "", f"Nothing was restarted: mend {what} first, or add FORCE=1."]))
        return up.REFUSED
    return _restart(stack, facts, service)


def _restart(stack: Stack, facts: Facts, service: str) -> int:
    ran = sessions.running(stack, facts.containers)
    display = Display(sys.stdout)
    own = [it for it in facts.containers if it.service == service]
    for place, container in enumerate(own):
        try:
            # One after the other, so that the others take over what each hands back.
            up.carry_out(stack, facts, ["docker", "restart", container.id], [service], display)
        except KeyboardInterrupt:
            rest = [it.name for it in own[place + 1 :]]
            others = f" {', '.join(rest)} {'was' if len(rest) == 1 else 'were'} not restarted." if rest else ""
            print(f"\nInterrupted: {container.name} goes on restarting.{others} make ps shows how far it is.")
            return up.INTERRUPTED
        except watch.Failed as failed:
            print(f"\n{watch.explained(stack, failed)}", file=sys.stderr)
            return up.FAILED
    return sessions.until_gone_on(stack, ran or [], reopened=service == "worker")
