"""Small namespaces, each with code that finds out whether it is whole.

`after` runs once in the kernel that made the names and once in one where they were restored; what it prints must be
the same. It looks at what users rely on: values, identity, later changes, behaviour.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    cells: tuple[str, ...]
    after: str


def _code(text: str) -> str:
    return textwrap.dedent(text).strip()


def _case(name: str, *cells: str, after: str) -> Case:
    return Case(name, tuple(map(_code, cells)), _code(after))


CASES = [
    # ------------------------------------------------------------------------------------------------ plain values
    _case(
        "plain values",
        r"""
        a, b, c, d, e, f = (1, 2.5, "text \ud800", None, b"bytes", 10**40)
        g = (True, ..., NotImplemented, 3j)
        """,
        after="print(a, b, ascii(c), d, e, f, g, g[1] is ..., type(f))",
    ),
    _case(
        "containers",
        """
        l = [1, [2, {3: {4, 5}}]]
        t = (l, l)
        fs = frozenset({1, 2})
        by = bytearray(b"ab")
        from collections import deque, Counter, OrderedDict

        dq = deque([1, 2], maxlen=2)
        co = Counter("aab")
        od = OrderedDict(b=1, a=2)
        """,
        after="""
        l[1].append(9)
        print(t[0] is t[1] is l, t, sorted(fs), by, dq, dq.maxlen, co.most_common(), od)
        """,
    ),
    _case(
        "names that share one object",
        """
        a = [1]
        b = a
        c = {"k": a}
        d = [c, c]
        """,
        after="""
        a.append(2)
        d[0]["n"] = 1
        print(a, b, c, d, a is b is c["k"], d[0] is c)
        """,
    ),
    _case(
        "an object in itself",
        """
        a = []
        a.append(a)
        d = {}
        d["d"] = d
        d["a"] = a
        """,
        after='print(a[0] is a, d["d"] is d, d["a"] is a)',
    ),
    _case(
        "deep nesting within reason",
        """
        deep = None
        for i in range(500):
            deep = [deep, i]
        """,
        after="""
        n = 0
        while deep is not None:
            deep, last = deep
            n += 1
        print(n, last)
        """,
    ),
    _case(
        "a later binding wins",
        "x = 1",
        """
        x = "two"
        y = x
        del y
        """,
        after='print(x, "y" in globals())',
    ),
    _case(
        "names that shadow builtins, and dunder names",
        """
        sum = 5
        list = [1]
        __version__ = "1.0"
        _private = 2
        """,
        after="print(sum, list, __version__, _private, len(list))",
    ),
    _case(
        "the namespace itself as a value",
        """
        g = globals()
        holder = {"g": g}
        x = 1
        """,
        after="""
        x = 2
        g["z"] = 3
        print(g is globals(), holder["g"]["x"], z)
        """,
    ),
    # --------------------------------------------------------------------------------------------------- functions
    _case(
        "a function that sees later globals",
        """
        x = 1


        def f():
            return x


        g = f
        """,
        after="""
        print(f())
        x = 2
        print(f(), f is g, g(), f.__globals__ is globals())
        """,
    ),
    _case(
        "a function that writes a global",
        """
        count = 0


        def bump():
            global count
            count += 1


        bump()
        """,
        after="""
        bump()
        print(count)
        count = 10
        bump()
        print(count)
        """,
    ),
    _case(
        "functions that call each other, and one that is defined later",
        """
        def even(n):
            return n == 0 or odd(n - 1)


        def odd(n):
            return n != 0 and even(n - 1)


        def later():
            return helper()
        """,
        after="""
        def helper():
            return "made afterwards"


        print(even(10), odd(7), later())


        def odd(n):
            return "new"


        print(even(3))
        """,
    ),
    _case(
        "recursion",
        """
        def fact(n):
            return 1 if n < 2 else n * fact(n - 1)
        """,
        after="print(fact(20), fact.__qualname__)",
    ),
    _case(
        "lambdas, defaults, keyword defaults, annotations, attributes",
        '''
        k = 3
        f = lambda v, d=[1]: (v * k, d)


        def g(a: int, *, b: "str" = "q") -> list[int]:
            """says so"""
            return [a, b]


        g.note = "kept"
        ''',
        after="""
        k = 4
        f(1)[1].append(2)
        print(f(2), g(1), g.__doc__, g.__annotations__, g.note, g.__kwdefaults__)
        """,
    ),
    _case(
        "closures that share a variable",
        """
        def make():
            n = 0

            def inc():
                nonlocal n
                n += 1

            def get():
                return n

            return (inc, get)


        inc, get = make()
        inc()
        """,
        after="""
        inc()
        inc()
        print(get())
        """,
    ),
    _case(
        "a closure that calls itself, and an empty cell",
        """
        def make():

            def inner(n):
                return 0 if n == 0 else 1 + inner(n - 1)

            return inner


        f = make()


        def hollow():

            def g():
                return late

            if False:
                late = 1
            return g


        h = hollow()
        """,
        after="""
        print(f(5), f.__closure__[0].cell_contents is f)
        try:
            h()
        except NameError as e:
            print(e)
        """,
    ),
    _case(
        "decorated functions",
        """
        import functools

        calls = []


        def logged(fn):

            @functools.wraps(fn)
            def inner(*a):
                calls.append(fn.__name__)
                return fn(*a)

            return inner


        @logged
        def f(a):
            return a + 1


        f(1)
        """,
        after="print(f(2), calls, f.__name__, f.__wrapped__(5))",
    ),
    _case(
        "a function wrapped as a library's",
        """
        import functools, statistics


        @functools.wraps(statistics.mean)
        def mean(v):
            return ("mine", scale)


        scale = 1
        """,
        after="""
        scale = 2
        print(mean([1]), mean.__module__)
        """,
    ),
    _case(
        "partials, bound methods, methods of builtins",
        """
        from functools import partial

        items = []
        add = items.append
        half = partial(pow, 2)


        class C:
            def __init__(self):
                self.n = 0

            def up(self):
                self.n += 1


        c = C()
        up = c.up
        """,
        after="""
        add(1)
        up()
        print(items, half(3), c.n, up.__self__ is c)
        """,
    ),
    _case(
        "functions with a cache",
        """
        from functools import lru_cache, cache


        @lru_cache(maxsize=7)
        def fib(n):
            return n if n < 2 else fib(n - 1) + fib(n - 2)


        alias = fib
        """,
        after="print(fib(30), alias is fib, fib.cache_parameters(), fib.__name__, fib.__wrapped__(3))",
    ),
    _case(
        "a function made with exec on globals of its own",
        """
        g = {"x": 1}
        exec("def f(): return x, len(str(x))", g)
        f = g["f"]
        """,
        after="""
        g["x"] = 22
        print(f(), f is g["f"], f.__globals__ is g)
        """,
    ),
    _case(
        "a function that a library made",
        """
        import statistics, operator
        from functools import singledispatchmethod
        from contextlib import contextmanager


        @contextmanager
        def cm():
            log.append("in")
            yield 1
            log.append("out")


        log = []
        get = operator.itemgetter(1)
        """,
        after="""
        with cm() as v:
            log.append(v)
        print(log, get("ab"))
        """,
    ),
    _case(
        "generators' functions, coroutines' functions",
        """
        def gen():
            yield x


        async def co():
            return x


        x = 1
        """,
        after="""
        import asyncio

        x = 3
        print(list(gen()), asyncio.run(co()))
        """,
    ),
    # ----------------------------------------------------------------------------------------------------- classes
    _case(
        "an instance and its class",
        """
        class C:
            total = 0

            def __init__(self, v):
                self.v = v
                C.total += 1

            def plus(self):
                return self.v + y


        c = C(5)
        y = 1
        """,
        after="""
        y = 10
        print(type(c) is C, c.plus(), C.total, C(1).plus(), C.total, isinstance(c, C), repr(C))
        """,
    ),
    _case(
        "inheritance with super, properties, static and class methods",
        """
        class A:
            def __init__(self):
                self.a = 1

            @property
            def p(self):
                return self.a

            @p.setter
            def p(self, v):
                self.a = v

            @classmethod
            def make(cls):
                return cls()

            @staticmethod
            def s():
                return "s"


        class B(A):
            def __init__(self):
                super().__init__()
                self.b = 2


        b = B()
        """,
        after="""
        b.p = 7
        print(b.a, b.b, B.make().p, B.s(), B.__mro__[1] is A, [k for k in A.__dict__ if k[0] != "_"])
        """,
    ),
    _case(
        "slots, also private ones",
        """
        class P:
            __slots__ = ("x", "__y")

            def __init__(self):
                self.x = 1
                self.__y = 2

            def y(self):
                return self.__y


        p = P()
        """,
        after="""
        try:
            p.other = 1
        except AttributeError:
            print("refused")
        p.x += 1
        print(p.x, p.y(), P.__slots__, hasattr(p, "__dict__"))
        """,
    ),
    _case(
        "dataclasses",
        """
        from dataclasses import dataclass, field, replace, fields, asdict


        @dataclass(order=True)
        class D:
            a: int
            b: list = field(default_factory=list)


        @dataclass(frozen=True, slots=True)
        class F:
            d: D
            n: int = 4


        d = D(1)
        f = F(d)
        """,
        after="""
        d.b.append(3)
        print(f, f.d is d, D(1) < D(2), replace(f, n=5), [x.name for x in fields(D)], asdict(d), hash(F(1)))
        try:
            f.n = 1
        except Exception as e:
            print(type(e).__name__)
        """,
    ),
    _case(
        "enumerations with aliases, constructors and flags",
        """
        from enum import Enum, Flag, IntEnum, auto


        class Color(Enum):
            RED = 1
            GREEN = auto()
            CRIMSON = 1

            def show(self):
                return self.name.lower()


        class Planet(Enum):
            EARTH = (5.9, 6.3)

            def __init__(self, m, r):
                self.m = m
                self.r = r


        class Perm(Flag):
            R = auto()
            W = auto()
            RW = R | W


        class N(IntEnum):
            A = 1


        class Named(Enum):
            def _generate_next_value_(name, start, count, last_values):
                return name.lower()


        c = Color.CRIMSON
        p = Perm.R | Perm.W
        """,
        after="""
        class Later(Named):
            UP = auto()


        print(Later.UP.value)
        print(
            c is Color.RED,
            Color.CRIMSON,
            Color(2),
            Color.GREEN.show(),
            Color["CRIMSON"],
            list(Color),
            list(Color.__members__),
            Planet.EARTH.m,
            Planet((5.9, 6.3)),
            p is Perm.RW,
            Perm.R in p,
            N.A + 1,
            list(Perm),
        )
        """,
    ),
    _case(
        "named tuples, typed dictionaries, generics, protocols, abstract classes",
        """
        from typing import NamedTuple, TypedDict, Generic, TypeVar, Protocol, NewType
        from collections import namedtuple
        import abc

        T = TypeVar("T")
        P = namedtuple("P", "x y")


        class Q(NamedTuple):
            a: int
            b: str = "q"


        class TD(TypedDict):
            k: int


        class Box(Generic[T]):
            def __init__(self, v: T):
                self.v = v


        class IntBox(Box[int]):
            pass


        UserId = NewType("UserId", int)


        class Shape(abc.ABC):
            @abc.abstractmethod
            def area(self): ...


        class Sq(Shape):
            def area(self):
                return 4


        Shape.register(list)
        p = P(1, 2)
        q = Q(1)
        td = TD(k=1)
        box = IntBox(3)
        s = Sq()
        u = UserId(5)
        """,
        after="""
        print(
            p,
            p._replace(x=9),
            q,
            type(q) is Q,
            td,
            box.v,
            IntBox.__orig_bases__,
            Box[int],
            s.area(),
            isinstance(s, Shape),
            isinstance([], Shape),
            u,
            UserId(6),
            UserId.__name__,
        )
        try:
            Shape()
        except TypeError as e:
            print("abstract")
        """,
    ),
    _case(
        "a class that acts on its subclasses",
        """
        registry = []


        class Base:
            def __init_subclass__(cls, *, tag, **kw):
                super().__init_subclass__(**kw)
                registry.append((cls.__name__, tag))


        class One(Base, tag="t"):
            pass


        o = One()
        """,
        after="""
        class Two(Base, tag="u"):
            pass


        print(registry, type(o) is One)
        """,
    ),
    _case(
        "a metaclass that keeps a register",
        """
        class Meta(type):
            known = {}

            def __new__(m, name, bases, ns):
                cls = super().__new__(m, name, bases, ns)
                m.known[name] = cls
                order.append(name)
                return cls


        order = []


        class A(metaclass=Meta):
            pass


        class B(A):
            pass


        b = B()
        """,
        after="""
        class C(A):
            pass


        print(order, Meta.known["B"] is B, type(b) is B, type(B) is Meta, list(Meta.known))
        """,
    ),
    _case(
        "a singleton by __new__, and a class in a class",
        """
        class S:
            _one = None

            def __new__(cls):
                if cls._one is None:
                    cls._one = super().__new__(cls)
                return cls._one

            class Inner:
                v = 1


        s = S()
        i = S.Inner()
        """,
        after="print(S() is s, type(i) is S.Inner, i.v, S.Inner.__qualname__)",
    ),
    _case(
        "instances of a class that was redefined",
        """
        class C:
            def who(self):
                return "old"


        old = C()
        """,
        """
        class C:
            def who(self):
                return "new"


        new = C()
        """,
        after="print(old.who(), new.who(), type(old) is C, type(new) is C, C().who())",
    ),
    _case(
        "objects with their own idea of pickling, that use globals",
        """
        import math


        def helper(v):
            return math.floor(v)


        class C:
            def __init__(self, v):
                self.v = v

            def __getstate__(self):
                return {"v": self.v}

            def __setstate__(self, s):
                self.v = helper(s["v"])
                self.back = True


        class R:
            def __init__(self, a, b):
                self.a, self.b = (a, b)

            def __reduce__(self):
                return (R, (self.a, self.b))


        c = C(2)
        r = R(c, [1])
        """,
        after="print(c.v, r.a is c, r.b)",
    ),
    _case(
        "subclasses of builtins",
        """
        class L(list):
            tag = None


        class D(dict):
            def __missing__(self, k):
                return k * 2


        class S(str):
            pass


        l = L([1])
        l.tag = "t"
        d = D(a=1)
        s = S("v")
        s.n = 1
        """,
        after='print(l, l.tag, d["zz"], d, s, s.n, type(l) is L)',
    ),
    # -------------------------------------------------------------------------------------- of the standard library
    _case(
        "defaultdict with a lambda",
        """
        from collections import defaultdict

        d = defaultdict(lambda: base)
        base = 1
        d["a"]
        n = defaultdict(lambda: defaultdict(int))
        n["x"]["y"] += 1
        """,
        after="""
        base = 5
        print(d["b"], dict(d), n["q"]["r"], n["x"]["y"])
        """,
    ),
    _case(
        "exceptions, also with their own constructor",
        """
        class E(Exception):
            def __init__(self, code, *, why):
                super().__init__(f"{code}: {why}")
                self.code = code


        caught = []
        try:
            try:
                raise E(4, why="x")
            except E as inner:
                raise ValueError("outer") from inner
        except ValueError as error:
            caught.append(error)
            error.add_note("note")


        class MyOS(OSError):
            def __init__(self, a, b, c):
                super().__init__(a, b)


        os_error = MyOS(2, "gone", 3)
        key = KeyError("k")
        missing = FileNotFoundError(2, "No such file", "f.csv")
        many = ExceptionGroup("g", [key])
        """,
        after="""
        e = caught[0]
        print(
            repr(e),
            e.__notes__,
            repr(e.__cause__),
            e.__cause__.code,
            type(e.__cause__) is E,
            repr(key),
            str(missing),
            missing.filename,
            os_error.errno,
            str(os_error),
            many,
            many.exceptions[0] is key,
        )
        """,
    ),
    _case(
        "views of dictionaries",
        """
        from collections import OrderedDict
        from types import MappingProxyType

        d = {"a": 1}
        k, v, i = (d.keys(), d.values(), d.items())
        o = OrderedDict(x=1)
        ok = o.keys()
        proxy = MappingProxyType(d)
        """,
        after="""
        d["b"] = 2
        o["y"] = 2
        print(k, v, i, ok, proxy, type(k), k.mapping["b"])
        """,
    ),
    _case(
        "iterators half consumed",
        """
        import itertools

        it = iter([1, 2, 3])
        next(it)
        e = enumerate("abc")
        next(e)
        r = iter(range(5))
        next(r)
        c = itertools.count(3)
        next(c)
        z = zip([1, 2], "ab")
        next(z)
        m = map(str, [1, 2])
        next(m)
        """,
        after="print(list(it), list(e), list(r), next(c), list(z), list(m))",
    ),
    _case(
        "dates, decimals, fractions, paths, patterns, identifiers",
        """
        import datetime, decimal, fractions, pathlib, re, uuid, zoneinfo

        now = datetime.datetime(2025, 4, 5, tzinfo=zoneinfo.ZoneInfo("UTC"))
        td = datetime.timedelta(1)
        d = decimal.Decimal("1.10")
        f = fractions.Fraction(1, 3)
        p = pathlib.Path("a") / "b"
        rx = re.compile("(a+)", re.I)
        m = uuid.UUID(int=1)
        """,
        after='print(now, now.tzinfo, td, d, f, p, type(p), rx.findall("xAa"), rx.flags, m)',
    ),
    _case(
        "streams in memory",
        r"""
        import io

        s = io.StringIO("abc\ndef")
        s.readline()
        b = io.BytesIO(b"xyz")
        b.read(1)
        """,
        after="print(s.read(), b.read(), s.getvalue())",
    ),
    _case(
        "a file that was closed",
        """
        with open("data.txt", "w") as f:
            f.write("x")
        with open("data.txt", "rb") as g:
            g.read()
        with open("data.txt") as h:
            text = h.read()
        """,
        after="""
        print(f.closed, f.name, f.mode, g.closed, g.name, h.closed, h.name, h.mode, open("data.txt").read())
        try:
            f.write("y")
        except ValueError as e:
            print(e)
        """,
    ),
    _case(
        "locks that are free, and what is built on them",
        """
        import threading, queue

        lock = threading.Lock()
        r = threading.RLock()
        e = threading.Event()
        e.set()
        q = queue.Queue()
        q.put(1)


        class Safe:
            def __init__(self):
                self.lock = lock
                self.n = 0

            def up(self):
                with self.lock:
                    self.n += 1


        s = Safe()
        """,
        after="""
        s.up()
        with lock, r:
            pass
        print(s.n, s.lock is lock, e.is_set(), q.get())
        """,
    ),
    _case(
        "output streams and loggers",
        """
        import sys, logging

        out = sys.stdout
        log = logging.getLogger("mine")
        """,
        after="""
        print(log is logging.getLogger("mine"), log.name)
        print("written", file=sys.stdout)
        """,
    ),
    # ----------------------------------------------------------------------------------------------------- modules
    _case(
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
    _case(
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
    _case(
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
    # ---------------------------------------------------------------------------------------------------- the place
    _case(
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
    _case(
        "random numbers go on",
        """
        import random

        random.seed(5)
        random.random()
        mine = random.Random(3)
        mine.random()
        random.gauss(0, 1)
        """,
        after="print(random.random(), random.gauss(0, 1), mine.random())",
    ),
    _case(
        "warning filters",
        """
        import warnings

        warnings.filterwarnings("ignore", message="quiet.*")
        """,
        after="""
        import warnings

        with warnings.catch_warnings(record=True) as seen:
            warnings.warn("quiet one")
            warnings.warn("loud")
        print([str(w.message) for w in seen])
        """,
    ),
    # -------------------------------------------------------------------------------------- data: numpy, pandas, plots
    _case(
        "numpy arrays",
        """
        import numpy as np

        a = np.arange(6).reshape(2, 3)
        f = np.asfortranarray(a * 1.5)
        s = np.array([(1, "x")], dtype=[("n", "i4"), ("t", "U3")])
        o = np.array([{"k": 1}, None], dtype=object)
        same = a
        r = np.arange(3)
        r.flags.writeable = False
        m = np.ma.masked_equal([1, 2], 2)
        z = np.float32(1.5)
        """,
        after="""
        same[0, 0] = 9
        print(
            a, a.flags["WRITEABLE"], f.flags["F_CONTIGUOUS"], f, s, o, r.flags.writeable, m, z, type(z), np.mean(a)
        )
        """,
    ),
    _case(
        "what is larger than a buffer",
        """
        import numpy as np

        a = np.arange(300_000).reshape(300, 1000)
        f = np.asfortranarray(a)
        part = a[::2, 1::3]
        r = np.arange(300_000.0)
        r.flags.writeable = False
        text = "ab" * 1_000_000
        data = bytes(3_000_000)
        many = list(range(200_000))
        again = [a, text, many]
        """,
        after="""
        a[0, 0] = 7
        print(again[0] is a, again[1] is text, again[2] is many, sum(many), len(data), text == "ab" * 1_000_000)
        print(a.sum(), f.sum(), (f == np.arange(300_000).reshape(300, 1000)).all(), f.flags["F_CONTIGUOUS"], f.shape)
        print(part.sum(), part.shape, r.sum(), r.flags.writeable, f.flags.writeable)
        """,
    ),
    _case(
        "numpy random numbers and options",
        """
        import numpy as np

        np.random.seed(1)
        np.random.rand()
        g = np.random.default_rng(4)
        g.random()
        np.set_printoptions(precision=2)
        """,
        after="print(np.random.rand(3), g.random(2), np.random.randint(100), np.array([1 / 3]))",
    ),
    _case(
        "functions made of numpy",
        """
        import numpy as np

        sq = np.vectorize(lambda v: v * k)
        k = 2
        mean = np.mean
        p = np.poly1d([1, 2])
        """,
        after="""
        k = 3
        print(sq([1, 2]), mean is np.mean, p(2))
        """,
    ),
    _case(
        "pandas frames",
        """
        import pandas as pd, numpy as np

        df = pd.DataFrame(
            {"region": ["n", "s", None], "sales": [1.0, np.nan, 3.0]}, index=pd.date_range("2025-01-01", periods=3)
        )
        df["kind"] = pd.Categorical(["a", "b", "a"])
        view = df
        by = df.groupby("region")["sales"].sum()
        cols = df.columns
        mi = df.set_index(["region", "kind"])
        df.attrs["note"] = "x"
        part = df[df.sales > 0]
        """,
        after="""
        view.loc[view.index[0], "sales"] = 10.0
        print(df, df.dtypes, by, mi.index.names, df.attrs, df is view, part, cols.tolist(), pd.NA is pd.NA)
        """,
    ),
    _case(
        "pandas options, a frame with objects, an aggregation by a function of the cell",
        """
        import pandas as pd

        pd.set_option("display.max_rows", 3)


        class T:
            def __init__(s, v):
                s.v = v

            def __repr__(s):
                return f"T{s.v}"


        t = T(1)
        df = pd.DataFrame({"o": [t, t], "n": [1, 2]})
        clean = lambda s: s.sum() * factor
        factor = 2
        """,
        after="""
        t.v = 7
        factor = 10
        print(df, df.o[0] is t, df.n.agg(clean), pd.get_option("display.max_rows"))
        """,
    ),
    _case(
        "a figure that goes on being drawn",
        """
        import matplotlib.pyplot as plt

        fig, ax = plt.subplots()
        ax.bar(["a", "b"], [1, 2])
        (line,) = ax.plot([1, 2])
        """,
        after="""
        ax.set_title("t")
        line.set_ydata([3, 4])
        plt.title("current")
        fig.savefig("f.png")
        import os

        print(
            fig.axes[0] is ax,
            ax.lines[0] is line,
            ax.get_title(),
            plt.gcf() is fig,
            plt.gca() is ax,
            len(ax.patches),
            os.path.getsize("f.png") > 1000,
        )
        """,
    ),
    _case(
        "figures that only pyplot holds",
        """
        import matplotlib.pyplot as plt

        plt.rcParams["font.size"] = 7
        plt.figure(1)
        plt.plot([1])
        plt.figure(5)
        plt.plot([1, 2])
        plt.close(1)
        plt.figure(3)
        """,
        after="""
        print(plt.get_fignums(), plt.gcf().number)
        plt.figure(5)
        print(len(plt.gca().lines), plt.rcParams["font.size"])
        """,
    ),
]
