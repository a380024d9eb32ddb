"""Modules, names from them, the main module, the history of a shell, and where the process stands."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "modules, aliases, names from modules, submodules",
        """
        import math, os.path, json as j, xml.etree.ElementTree, concurrent.futures
        from math import pi, sqrt as root
        from collections import *
        import importlib.metadata as md
        """,
        after="""
        print(
            math.pi == pi,
            os.path.join("a", "b"),
            j.dumps([1]),
            xml.etree.ElementTree.fromstring("<a/>").tag,
            root(4),
            Counter("a"),
            concurrent.futures.ThreadPoolExecutor.__name__,
            md.__name__,
        )
        """,
    ),
    case(
        "a module of the user's, imported before the directory changed",
        r"""
        open("mine.py", "w").write("import sys\nV = [1]\nclass K:\n    v = 1\ndef f(): return V\n")
        import os, sys, importlib

        sys.path.insert(0, "")
        importlib.invalidate_caches()
        import mine

        k = mine.K()
        f = mine.f
        os.makedirs("sub", exist_ok=True)
        os.chdir("sub")
        """,
        after="print(type(k) is mine.K, f(), mine.V, f is mine.f, os.path.basename(os.getcwd()))",
    ),
    case(
        "the main module by name",
        """
        import __main__, sys

        x = 1
        me = sys.modules["__main__"]
        """,
        after="""
        x = 2
        print(__main__.x, me is __main__ is sys.modules["__main__"])
        """,
    ),
    case(
        "working directory, environment, path",
        """
        import os, sys

        os.makedirs("deeper/here", exist_ok=True)
        os.chdir("deeper/here")
        os.environ["MINE"] = "ü"
        os.environ.pop("LANG", None)
        home = os.environ.pop("HOME", None)
        sys.path.insert(0, "/first")
        sys.path.append("/last")
        """,
        after="""
        print(
            os.getcwd(),
            os.environ["MINE"],
            "LANG" in os.environ,
            "HOME" in os.environ,
            sys.path[0],
            sys.path[-1],
            os.getenv("MINE"),
        )
        """,
    ),
    case(
        "names from everywhere by star",
        r"""
        open("stars.py", "w").write("__all__ = ['shown', 'K']\nshown = [1]\nhidden = 2\nclass K:\n    v = shown\n")
        import sys

        sys.path.insert(0, "")
        from stars import *
        from math import *
        from itertools import *

        pi = "mine"
        k = K()
        """,
        after="""
        import stars

        shown.append(2)
        print(
            stars.shown is shown,
            k.v is shown,
            type(k) is stars.K,
            "hidden" in globals(),
            pi,
            floor(e),
            list(chain([1])),
        )
        """,
    ),
    case(
        "modules in containers, and functions of theirs in all forms",
        """
        import collections.abc, json, math, os
        from functools import partial

        tools = {"m": math, "list": [json, os.path]}
        root, table = math.sqrt, {json.dumps: "dumps", len: "len"}
        load, join = partial(json.loads), os.path.join
        kinds = (int, collections.OrderedDict, collections.abc.Mapping, type(None), type(...), type(len))
        """,
        after="""
        print(tools["m"] is math, tools["list"][1].join is join, root(9), table[json.dumps], table[len], load("[1]"))
        print(kinds[2] is collections.abc.Mapping, kinds[3] is type(None), kinds)
        """,
    ),
    case(
        "a package of the user's with modules that import each other",
        r"""
        import os, sys

        os.makedirs("mypack/sub")
        open("mypack/__init__.py", "w").write("from .core import Base\n")
        open("mypack/core.py", "w").write("class Base:\n    def who(self):\n        return type(self).__name__\n")
        open("mypack/sub/__init__.py", "w").write("")
        open("mypack/sub/leaf.py", "w").write("from ..core import Base\nclass Leaf(Base): pass\n")
        sys.path.insert(0, os.getcwd())
        import mypack.sub.leaf as leaf
        from mypack import Base


        class Own(leaf.Leaf):
            def who(self):
                return "own " + super().who()


        made, own = leaf.Leaf(), Own()
        """,
        after="""
        import mypack

        print(made.who(), own.who(), type(made) is mypack.sub.leaf.Leaf, isinstance(own, Base), mypack.Base is Base)
        """,
    ),
    case(
        "modules that code made",
        """
        import sys, types

        alone, registered = types.ModuleType("alone"), types.ModuleType("registered")
        alone.v = registered.v = 1
        sys.modules["registered"] = registered
        exec("def f(): return v", registered.__dict__)
        f, kept = registered.f, [1]
        """,
        after="print(kept, types.ModuleType('x').__name__)",
        either={
            "alone": ("module made by code", "print(alone.v)"),
            "registered": ("registered", "print(registered.v)"),
            "f": ("registered", "print(f())"),
        },
    ),
    case(
        "a module whose file is gone",
        r"""
        import importlib, os, sys

        open("gone.py", "w").write("def f(): return 1\nclass C: pass\nvalue = [1]\n")
        sys.path.insert(0, "")
        importlib.invalidate_caches()
        import gone

        f, c, value = gone.f, gone.C(), gone.value
        os.remove("gone.py")
        """,
        after="""
        value.append(2)
        print(value)
        """,
        missing={"(module gone)": "gone"},
        either={
            "gone": ("gone", "print(gone.f())"),
            "f": ("gone", "print(f())"),
            "c": ("gone", "print(type(c).__name__)"),
        },
    ),
    case(
        "the main module under other names",
        """
        import sys
        import __main__ as me

        me.from_outside = 1
        setattr(sys.modules["__main__"], "by_setattr", 2)
        modules, x = {"me": me}, 3


        def look(name):
            return getattr(me, name), me.__dict__ is globals(), __name__
        """,
        after="""
        x = 4
        me.y = 5
        print(look("x"), from_outside, by_setattr, modules["me"] is sys.modules["__main__"], y, vars(me)["x"])
        """,
    ),
    case(
        "numbers, last values and texts of cells",
        "x = [1]",
        "x",
        "{'k': x}",
        "y = 5",
        after="""
        x.append(2)
        print(
            _,
            __,
            Out[2] is x,
            _2 is x,
            _3["k"] is x,
            sorted(Out),
            In[4],
            _i4,
            len(In),
            get_ipython().execution_count,
        )
        """,
        shell=True,
    ),
    case(
        "names of the shell that the user took over",
        "_ = 'mine'; Out_copy = Out; history = In",
        "7",
        "In = ['taken']",
        after="""
        print(_, Out_copy is Out, Out_copy[2], In, history[1][:3], get_ipython() is not None)
        """,
        shell=True,
    ),
    case(
        "the shell and its display, by name",
        """
        from IPython.display import HTML, Markdown, display

        shell, page, show = get_ipython(), HTML("<b>x</b>"), display
        names = shell.user_ns


        class Shown:
            def _repr_html_(self):
                return f"<i>{v}</i>"


        shown, v = Shown(), 1
        """,
        after="""
        v = 2
        print(shell is get_ipython(), page.data, show is display, names is globals(), shown._repr_html_())
        """,
        shell=True,
    ),
    case(
        "what a library has one of, under a name of the user's",
        """
        import random
        import warnings
        from os import environ
        from sys import argv, modules, path

        import numpy as np
        import pandas as pd
        from matplotlib import colormaps, rcParams

        filters, chance, legacy, options = warnings.filters, random._inst, np.random.mtrand._rand, pd.options
        kept = {"environ": environ, "rows": [rcParams]}
        """,
        after="""
        import os, sys, matplotlib
        environ["MINE"] = "1"
        rcParams["lines.linewidth"] = 7
        chance.seed(3); legacy.seed(4)
        print(os.environ["MINE"], matplotlib.rcParams["lines.linewidth"], random.random(), np.random.rand())
        print(path is sys.path, argv is sys.argv, modules is sys.modules, filters is warnings.filters)
        print(colormaps is matplotlib.colormaps, options is pd.options, kept["environ"] is os.environ)
        print(kept["rows"][0] is matplotlib.rcParams)
        """,
    ),
]
