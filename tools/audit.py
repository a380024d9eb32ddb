"""Look up every locked package among the known vulnerabilities: what `make audit` runs, in the environment `.venv`.

pip-audit keeps no list of them: it asks a service for each package, so this needs the internet and is no part of
`make lint`. It reads the locks and nothing else: nothing is resolved, fetched or installed. A package index that knows
of no vulnerabilities at all, as mirrors do, would look like good news; so a release that is known to have one is looked
up first.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

PIP_AUDIT = [sys.executable, "-m", "pip_audit"]

#: The services that pip-audit can ask, its own default first.
SERVICES = ("pypi", "osv", "esms")

#: A release whose vulnerability (CVE-2019-10906) every list has had for years.
KNOWN = "jinja2==2.10\n"

CLEAN, FOUND, UNREACHABLE = 0, 1, 2


class NoAnswer(Exception):
    """The service could not be asked; the message is the reason."""


def look_up(lock: str, service: str) -> list[dict[str, Any]]:
    """What the service says of each package of a lock. NoAnswer if it does not."""
    with tempfile.TemporaryDirectory() as place:
        asked, told = Path(place, "asked.txt"), Path(place, "told.json")
        # A build of one's own (`+cpu`) has the vulnerabilities of its release, and no list has its name.
        asked.write_text(re.sub(r"^([\w.-]+==[^\s+]+)\+[\w.]+", r"\1", lock, flags=re.M), encoding="utf-8")
        done = subprocess.run(
            [
                *PIP_AUDIT, "--vulnerability-service", service, "--disable-pip", "--no-deps", "--progress-spinner",
                "off", "--format", "json", "--desc", "off", "--requirement", str(asked), "--output", str(told),
            ],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        try:
            found: list[dict[str, Any]] = json.loads(told.read_text(encoding="utf-8"))["dependencies"]
        except (OSError, ValueError, KeyError):
            raise NoAnswer(f"pip-audit exited {done.returncode}: {_last_line(done.stderr)}") from None
    return found


def demand_answers(service: str) -> None:
    """NoAnswer unless the service tells of the vulnerability that it must know."""
    if not any(package.get("vulns") for package in look_up(KNOWN, service)):
        raise NoAnswer(f"{service} has nothing about {KNOWN.strip()}, so what answers has no list of vulnerabilities")


def faults(packages: list[dict[str, Any]]) -> list[str]:
    """A line for each package that has a known vulnerability, or that was not looked up."""
    lines = []
    for package in packages:
        name = " ".join(filter(None, (package["name"], package.get("version"))))
        if "skip_reason" in package:
            lines.append(f"{name}: not looked up ({package['skip_reason']})")
        for each in package.get("vulns", ()):
            fixed = ", ".join(each["fix_versions"])
            lines.append(f"{name}: {each['id']}, {f'fixed in {fixed}' if fixed else 'without a fixed release'}")
    return lines


def audit(service: str) -> int:
    """Ask about every lock, and tell what was found as it comes. Returns the exit code."""
    demand_answers(service)
    told = 0
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        packages = look_up(lock.read_text(encoding="utf-8"), service)
        found = faults(packages)
        told += len(found)
        print(f"requirements/{lock.name}: {len(packages)} looked up, {len(found) or 'nothing'} found", flush=True)
        for line in found:
            print(f"  {line}", flush=True)
    return FOUND if told else CLEAN


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it says nothing"


def main() -> int:
    """Exit code 0: nothing is known of any package; 1: findings were told; 2: the service could not be asked."""
    parser = argparse.ArgumentParser(description="Look up every locked package among the known vulnerabilities.")
    parser.add_argument("--service", choices=SERVICES, default=SERVICES[0], help="whom to ask")
    service = parser.parse_args().service
    try:
        return audit(service)
    except NoAnswer as reason:
        print(
            "The locks could not be audited, for no list of vulnerabilities can be reached from here: run make audit "
            f"on a machine with the internet, or ask another service with make audit SERVICE=osv ({reason}).",
            file=sys.stderr,
        )
        return UNREACHABLE
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
