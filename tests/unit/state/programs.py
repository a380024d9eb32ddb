"""Random programs that make object graphs: statements that share, nest, look at and change what others made."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.unit.state.vocabularies import Vocabulary


@dataclass(frozen=True)
class Program:
    """A cell that runs before the state is saved, and one that runs after."""

    before: str
    after: str


_atoms = ["1", "-7", "10**30", "0.5", "float('nan')", "'text'", "'größe'", "b'b'", "None", "True", "1j", "''"]
_places = re.compile("<([a-z]+)>")
_variables = [f"v{number}" for number in range(12)]

#: All names that a program may bind and whose shape is of interest.
NAMES = [*_variables, *(f"put_{name}" for name in _variables), "Plain", "Record", "failed"]


@st.composite
def programs(draw: st.DrawFn, vocabulary: Vocabulary) -> Program:
    """Names are bound anew, changed and deleted on the way; a statement may fail, to the same end each time."""
    kinds: dict[str, str] = {}
    before = [_statement(draw, vocabulary, kinds) for _ in range(draw(st.integers(3, 24)))]
    after = [_statement(draw, vocabulary, kinds) for _ in range(draw(st.integers(1, 6)))]
    return Program(_cell(before, "failed = []"), _cell(after))


def _cell(statements: list[str], first: str = "") -> str:
    return f"""{first}
for statement in {statements}:
    try:
        exec(statement)
    except Exception as error:
        failed.append(type(error).__name__)
"""


def _statement(draw: st.DrawFn, vocabulary: Vocabulary, kinds: dict[str, str]) -> str:
    """One more, over the names bound so far, whose kinds it keeps up to date."""
    action = draw(st.sampled_from(["make"] * 5 + ["change"] * 3 + ["alias", "delete"])) if kinds else "make"
    if action == "delete":
        gone = draw(st.sampled_from(sorted(kinds)))
        del kinds[gone]
        return f"del {gone}"
    new = draw(st.sampled_from(_variables))
    if action == "alias":
        other = draw(st.sampled_from(sorted(kinds)))
        # A closure's other half goes by the first name.
        kinds[new] = "function" if kinds[other] == "getter" else kinds[other]
        return f"{new} = {other}"
    # An iterator within what it goes through is a case of its own.
    fitting = {name: {of} | (set() if of in ("iterator", "held") else {"any"}) for name, of in kinds.items()}
    known = {"atom", "small", "new"}.union(*fitting.values())
    changing = [(text, "") for text in vocabulary.changing] if action == "change" else []
    possible = [
        [(text, kind) for text, kind in statements if known.issuperset(_places.findall(text))]
        for statements in (changing, vocabulary.making)
    ]
    text, kind = draw(st.sampled_from(possible[0] or possible[1]))

    def fill(place: re.Match[str]) -> str:
        if place[1] == "new":
            return new
        if place[1] == "atom":
            return draw(st.sampled_from(_atoms))
        if place[1] == "small":
            return str(draw(st.integers(1, 4)))
        return draw(st.sampled_from(sorted(name for name, of in fitting.items() if place[1] in of)))

    filled = _places.sub(fill, text)
    if kind:
        kinds[new] = kind
    return filled
