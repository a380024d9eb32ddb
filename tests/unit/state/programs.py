"""Random programs that make object graphs: statements that share, nest, look at and change what others made."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hypothesis import strategies as st

#: What the statements use; a cell of its own.
PREAMBLE = """
import collections
import dataclasses
import functools
import types

import numpy as np


class Plain:
    shared = []

    def me(self, *more):
        return self, more


class Slotted:
    __slots__ = ("a", "b")


class Mixed(Slotted):
    pass


@dataclasses.dataclass
class Record:
    a: object = None
    b: list = dataclasses.field(default_factory=list)


class Stateful:
    def __getstate__(self):
        return [("a", self.a), ("b", self.b)]

    def __setstate__(self, state):
        for name, value in state:
            setattr(self, name, value)


class Listed(list):
    pass


class Mapped(dict):
    pass


def closure(x, y=None):
    def get(z=y):
        return x, y, z

    def put(v):
        nonlocal x
        x = v

    return get, put


def array_of(*values):
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made
"""


@dataclass(frozen=True)
class Program:
    """A cell that runs before the state is saved, and one that runs after."""

    before: str
    after: str


#: What is made, and the kind of what `<new>` then is. `<list>` stands for a name of that kind, `<any>` for any name but
#: an iterator's, `<atom>` and `<small>` for literals.
_making = [
    ("<new> = <atom>", "atom"),
    ("<new> = [<any>, <any>, <any>]", "list"),
    ("<new> = []", "list"),
    ("<new> = (<any>, <any>)", "tuple"),
    ("<new> = {'k': <any>, 2: <any>}", "dict"),
    ("<new> = {<atom>, <atom>}", "set"),
    ("<new> = frozenset([<atom>, <atom>])", "set"),
    ("<new> = Plain(); <new>.a = <any>; <new>.b = <any>", "instance"),
    ("<new> = Slotted(); <new>.a = <any>", "instance"),
    ("<new> = Mixed(); <new>.a = <any>; <new>.c = <new>", "instance"),
    ("<new> = Record(<any>)", "instance"),
    ("<new> = Stateful(); <new>.a = <any>; <new>.b = [<any>]", "instance"),
    ("<new> = Listed([<any>]); <new>.a = <any>", "list"),
    ("<new> = Mapped(k=<any>); <new>.a = <any>", "dict"),
    ("<new> = collections.OrderedDict(x=<any>, y=<any>)", "dict"),
    ("<new> = collections.deque([<any>, <any>], maxlen=<small>)", "queue"),
    ("<new> = collections.defaultdict(list, k=<any>)", "dict"),
    ("<new> = collections.defaultdict(lambda: <any>, k=<any>)", "dict"),
    ("<new> = types.SimpleNamespace(a=<any>, b=<any>)", "instance"),
    ("class <new>(Plain): own = <any>", "class"),
    ("<new> = <class>(); <new>.a = <any>", "instance"),
    ("<new>, put_<new> = closure(<any>, <any>)", "getter"),
    ("<new> = lambda a=<any>: (a, <any>)", "function"),
    ("<new> = functools.partial(closure, <any>, y=<any>)", "function"),
    ("<new> = Plain(); <new>.a = <new>.me; <new> = <new>.a", "function"),
    ("<new> = <list>.append", "function"),
    ("<new> = iter(<list>)", "iterator"),
    ("<new> = zip(<list>, <list>)", "iterator"),
    ("<new> = enumerate(<list>, <small>)", "iterator"),
    ("<new> = map(repr, <list>)", "iterator"),
    ("<new> = (<iterator>, <any>)", "held"),
    ("<new> = <dict>.values()", "view"),
    ("<new> = types.MappingProxyType(<dict>)", "view"),
    ("<new> = bytearray(b'abcdefgh' * <small>)", "bytes"),
    ("<new> = np.frombuffer(<bytes>, 'u1')", "array"),
    ("<new> = np.arange(<small> + 2)", "array"),
    ("<new> = np.arange(12.0).reshape(<small>, -1)[:, :1].ravel()", "array"),
    ("<new> = np.arange(9_000)", "array"),
    ("<new> = <array>[1:]", "array"),
    ("<new> = <array>[::-1]", "array"),
    ("<new> = <array>[::2]", "array"),
    ("<new> = <array>.reshape(1, -1).T[:, 0]", "array"),
    ("<new> = <array>.view(); <new>.flags.writeable = False", "locked"),
    ("<new> = array_of(<any>, <any>)", "objects"),
    ("<new> = <objects>[1:]", "objects"),
]
#: What is changed.
_changing = [
    "<list>.append(<any>)",
    "<list>.extend([<any>, <any>])",
    "<queue>.append(<any>)",
    "<dict>['n'] = <any>",
    "<dict>.pop('k', None)",
    "<dict>['self'] = <dict>",
    "<instance>.a = <any>",
    "<instance>.b = <instance>",
    "<objects>[:1] = [<any>]",
    "<bytes>[0] = <small>",
    "<array>[:1] = <small>",
    "next(<iterator>, None)",
    "put_<getter>(<any>)",
    "<class>.own = <any>",
    "Plain.shared.append(<any>)",
]
_atoms = ["1", "-7", "10**30", "0.5", "float('nan')", "'text'", "'größe'", "b'b'", "None", "True", "1j", "''"]
_places = re.compile("<([a-z]+)>")
_variables = [f"v{number}" for number in range(12)]

#: All names that a program may bind and whose shape is of interest.
NAMES = [*_variables, *(f"put_{name}" for name in _variables), "Plain", "Record", "failed"]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Names are bound anew, changed and deleted on the way; a statement may fail, to the same end each time."""
    kinds: dict[str, str] = {}
    before = [_statement(draw, kinds) for _ in range(draw(st.integers(3, 24)))]
    after = [_statement(draw, kinds) for _ in range(draw(st.integers(1, 6)))]
    return Program(_cell(before, "failed = []"), _cell(after))


def _cell(statements: list[str], first: str = "") -> str:
    return f"""{first}
for statement in {statements}:
    try:
        exec(statement)
    except Exception as error:
        failed.append(type(error).__name__)
"""


def _statement(draw: st.DrawFn, kinds: dict[str, str]) -> str:
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
    # An iterator within what it goes through would lose its place: pickle makes it before that is filled.
    fitting = {name: {of} | (set() if of in ("iterator", "held") else {"any"}) for name, of in kinds.items()}
    known = {"atom", "small", "new"}.union(*fitting.values())
    made = _making if action == "make" else [(text, "") for text in _changing]
    text, kind = draw(st.sampled_from([(text, kind) for text, kind in made if known.issuperset(_places.findall(text))]))

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
