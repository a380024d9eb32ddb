"""Of what random programs are made."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Vocabulary:
    """Statements in which `<list>` stands for a name of that kind, `<any>` for any name but an iterator's, `<atom>` and
    `<small>` for literals.

    `making`: statements that bind `<new>`, each with the kind of what that then is. `preamble`: a cell of its own, for
    what the statements use.
    """

    name: str
    preamble: str = field(repr=False)
    making: list[tuple[str, str]] = field(repr=False)
    changing: list[str] = field(repr=False)


#: Objects that hold and share one another.
GRAPHS = Vocabulary(
    "graphs",
    preamble="""
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
""",
    making=[
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
    ],
    changing=[
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
    ],
)

#: Frames and columns of pandas, of which none may see what is written to another.
FRAMES = Vocabulary(
    "frames",
    preamble="""
import numpy as np
import pandas as pd


def frame(n):
    made = {
        "a": range(n), "b": np.arange(n) / 2, "s": [f"t{i}" for i in range(n)], "o": [[i] for i in range(n)],
        "c": pd.Categorical(["x", "y"] * n)[:n], "i": pd.array([None, *range(1, n)], dtype="Int64"),
        "t": pd.date_range("2025-01-01", periods=n, tz="UTC"),
    }
    return pd.DataFrame(made)


class Plain: ...
""",
    making=[
        ("<new> = frame(<small>)", "frame"),
        ("<new> = frame(3).convert_dtypes(dtype_backend='pyarrow')", "frame"),
        ("<new> = pd.DataFrame(np.arange(12.0).reshape(3, 4), columns=list('abst'))", "frame"),
        ("<new> = pd.DataFrame(np.zeros((10_000, 3)), columns=list('abi')).head(5)", "frame"),
        ("<new> = <frame>[['a', 's']]", "frame"),
        ("<new> = <frame>.iloc[1:]", "frame"),
        ("<new> = <frame>.iloc[:, ::2]", "frame"),
        ("<new> = <frame>.copy()", "frame"),
        ("<new> = <frame>.copy(deep=False)", "frame"),
        ("<new> = <frame>.rename(columns={'a': 'b', 'b': 'a'})", "frame"),
        ("<new> = <frame>.assign(n=<column>)", "frame"),
        ("<new> = <frame>.reset_index(drop=True)", "frame"),
        ("<new> = <frame>[<frame>.index >= 1]", "frame"),
        ("<new> = <frame>.T", "turned"),
        ("<new> = <frame>.set_index('s')", "turned"),
        ("<new> = pd.concat([<frame>, <frame>], axis=1)", "turned"),
        ("<new> = <column>.to_frame('a')", "frame"),
        ("<new> = <frame>['a']", "column"),
        ("<new> = <frame>['s']", "column"),
        ("<new> = <frame>['i']", "column"),
        ("<new> = <frame>.iloc[:, -1]", "column"),
        ("<new> = <column>[1:]", "column"),
        ("<new> = <column>.copy(deep=False)", "column"),
        ("<new> = <column>.to_numpy()", "raw"),
        ("<new> = <column>.array", "raw"),
        ("<new> = <frame>.index", "index"),
        ("<new> = [<any>, <any>]", "list"),
        ("<new> = {'k': <any>}", "list"),
        ("<new> = Plain(); <new>.a = <any>", "list"),
    ],
    changing=[
        "<frame>.iloc[0, 0] = <small>",
        "<frame>.iloc[:, 1] = <frame>.iloc[:, 1][::-1].array",
        "<frame>.loc[1, 's'] = 'written'",
        "<frame>.loc[0, 'i'] = <small>",
        "<frame>.loc[0, 'c'] = 'y'",
        "<frame>.loc[0, 'o'].append(<small>)",
        "<frame>['n'] = <column>",
        "<frame>['a'] = <small>",
        "<frame>['a'] += 1",
        "<frame>.insert(0, 'new', <small>)",
        "del <frame>['b']",
        "<frame>.fillna(9, inplace=True)",
        "<frame>.index = range(5, 5 + len(<frame>))",
        "<frame>.attrs['note'] = [<small>]",
        "<turned>.iloc[0, 0] = <small>",
        "<column>.iloc[0] = <small>",
        "<column>.iloc[:1] = 'text'",
        "<column>.name = 'named'",
        "<column>.fillna(8, inplace=True)",
    ],
)
