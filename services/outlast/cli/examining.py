"""`outlast doctor`: every check, one a line, with what to do.

In the directory of the stack's compose.yaml (or below it) it looks at the host and the containers, and asks the
worker's container for what only that can see. Anywhere else, the container itself for one, it looks at what it is
connected to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from ..deploy import doctor
from ..deploy.findings import Finding, any_bad, line
from ..settings import Settings
from . import connections
from .elsewhere import stack
from .output import Output

_STYLES = {"good": "", "bad": "red", "unknown": "yellow"}


def run(settings: Settings, out: Output) -> int:
    """Print every finding as it comes; 1 if one is bad."""
    found = []
    for finding in _findings(settings):
        found.append(finding)
        if out.json:
            out.emit(asdict(finding))
        else:
            out.line(line(finding, colour=False), _STYLES[finding.verdict])
    return 1 if any_bad(found) else 0


def _findings(settings: Settings) -> Iterator[Finding]:
    directory = stack(Path.cwd())
    if directory is None:
        yield from connections.findings(settings)
        return
    yield from doctor.in_directory(directory)
    if settings.redis_url != Settings().redis_url:
        # As this host's own `rq` does, through the published port.
        for finding in connections.redis_findings(settings):
            yield replace(finding, check=f"from here: {finding.check}")
