"""What a case is, and how the tables beside this write theirs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """Cells that make names, and code that finds out whether they are whole.

    `after` runs in a kernel whose state is never saved, in one where it was just saved, and in one where it was
    restored; what it prints must be the same. It looks at what users rely on: values, identity, later changes,
    behaviour.

    The names in `missing` cannot be saved: they are reported, each with a reason that fits its pattern, and are not
    there after the restore. Those in `either` may be reported in the same way, or else be whole: what the code beside
    the pattern prints is then compared too.
    """

    name: str
    cells: tuple[str, ...]
    after: str
    missing: Mapping[str, str] = field(default_factory=dict)
    either: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    shell: bool = False


def case(
    name: str,
    *cells: str,
    after: str,
    missing: Mapping[str, str] | None = None,
    either: Mapping[str, tuple[str, str]] | None = None,
    shell: bool = False,
) -> Case:
    """Code may be indented as the table is. `shell`: the cells run in IPython."""
    return Case(
        name,
        tuple(map(_code, cells)),
        _code(after),
        missing or {},
        {name: (pattern, _code(probe)) for name, (pattern, probe) in (either or {}).items()},
        shell,
    )


def _code(text: str) -> str:
    return textwrap.dedent(text).strip()
