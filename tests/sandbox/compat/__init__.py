"""What people do with data in an interpreter, as cells: all of it must work inside the sandbox.

Each cell checks its own result and prints WORKS as its last line; each can be run alone. Those of one topic are made to
run one after the other in one session, as a model would, over files and variables that the earlier ones have left.
"""

from __future__ import annotations

from tests.sandbox.case import Allowed
from tests.sandbox.compat.arrays import ARRAYS
from tests.sandbox.compat.engines import ENGINES
from tests.sandbox.compat.files import FILES
from tests.sandbox.compat.frames import FRAMES
from tests.sandbox.compat.languages import LANGUAGES
from tests.sandbox.compat.learning import LEARNING
from tests.sandbox.compat.machine import MACHINE
from tests.sandbox.compat.plots import PLOTS
from tests.sandbox.compat.processes import PROCESSES
from tests.sandbox.compat.programs import PROGRAMS
from tests.sandbox.compat.refusals import REFUSALS
from tests.sandbox.compat.text import TEXT
from tests.sandbox.compat.waiting import WAITING

__all__ = ["ALLOWED", "TOPICS"]

TOPICS: dict[str, tuple[Allowed, ...]] = {
    "frames": FRAMES,
    "engines": ENGINES,
    "arrays": ARRAYS,
    "plots": PLOTS,
    "learning": LEARNING,
    "processes": PROCESSES,
    "programs": PROGRAMS,
    "languages": LANGUAGES,
    "waiting": WAITING,
    "files": FILES,
    "text": TEXT,
    "machine": MACHINE,
    "refusals": REFUSALS,
}

ALLOWED: tuple[Allowed, ...] = tuple(allowed for topic in TOPICS.values() for allowed in topic)
