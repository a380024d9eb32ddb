"""Methods that stand alone, and how calls find them."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
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
    case(
        "a decorator that is a class, on functions and methods",
        """
        import types


        class Counted:
            def __init__(self, f):
                self.f, self.n = f, 0

            def __call__(self, *a):
                self.n += 1
                return self.f(*a)

            def __get__(self, obj, owner=None):
                return self if obj is None else types.MethodType(self, obj)


        @Counted
        def f(v):
            return v


        class C:
            v = 3

            @Counted
            def m(self):
                return self.v


        c = C()
        f(1), c.m()
        bound = c.m
        """,
        after="""
        c.v = 4
        print(f(2), f.n, c.m(), bound(), C.m.n, bound.__func__ is C.m)
        """,
    ),
    case(
        "functions that dispatch by class",
        """
        import functools


        class Mine: ...


        class Sub(Mine): ...


        @functools.singledispatch
        def show(v):
            return "any"


        @show.register
        def _(v: int):
            return f"int {unit}"


        @show.register(Mine)
        def show_mine(v):
            return "mine"


        unit = "cm"
        show(1), show(Sub())
        """,
        after="""
        unit = "m"


        @show.register(str)
        def _(v):
            return "text"


        print(show(1), show(True), show(Sub()), show("x"), show(2.5), show_mine(1), sorted(map(str, show.registry)))
        """,
    ),
    case(
        "methods that dispatch by class",
        """
        from functools import singledispatchmethod


        class C:
            @singledispatchmethod
            def take(self, v):
                return "any", self.name

            @take.register
            def _(self, v: int):
                return "int", self.name

            @take.register
            @classmethod
            def _(cls, v: str):
                return "str", cls.__name__


        c = C()
        c.name = "c"
        """,
        after="""
        c.name = "d"
        print(c.take(1), c.take("s"), c.take(None), C().take("s"))
        """,
    ),
    case(
        "partials of partials, of methods, with names",
        """
        from functools import partial, partialmethod


        def area(w, h, *, unit):
            return w, h, unit, globals_unit


        class C:
            def __init__(self):
                self.log = []

            def say(self, word, times):
                self.log.append(word * times)

            hello = partialmethod(say, "hello ", times=2)


        wide = partial(area, 10)
        both = partial(wide, unit="cm")
        both.note = "kept"
        c = C()
        say = partial(c.say, times=1)
        globals_unit = "a"
        """,
        after="""
        globals_unit = "b"
        say("x")
        c.hello()
        print(both(2), wide(3, unit="m"), both.note, both.func is area, c.log, say.func.__self__ is c)
        """,
    ),
    case(
        "methods by their own names",
        """
        class C:
            v = 1

            @classmethod
            def of(cls):
                return cls.v

            @staticmethod
            def plain():
                return k

            def m(self):
                return self


        of, plain, unbound, c = C.of, C.plain, C.m, C()
        raw = C.__dict__["of"]
        upper, append, fromkeys = "abc".upper, [].append, dict.fromkeys
        k = 1
        """,
        after="""
        C.v, k = 2, 3
        append(1)
        print(of(), plain(), unbound(c) is c, unbound is C.m, of.__self__ is C, upper(), append.__self__, fromkeys("a"))
        print(raw is C.__dict__["of"], type(raw).__name__)
        """,
    ),
    case(
        "operators made from names",
        """
        import operator
        from functools import cmp_to_key, reduce, total_ordering

        get, attribute, call = operator.itemgetter(1, 0), operator.attrgetter("v.w"), operator.methodcaller("pop", 0)
        by_size = cmp_to_key(lambda a, b: len(a) - len(b))


        @total_ordering
        class V:
            def __init__(self, v):
                self.v = v

            def __eq__(self, other):
                return self.v == other.v

            def __lt__(self, other):
                return self.v < other.v


        values = [V(2), V(1)]
        """,
        after="""
        l = [5, 6]
        print(get("ab"), call(l), l, V(1) >= V(0), max(values) is values[0])
        """,
        either={"by_size": ("KeyWrapper", "print(sorted(['ccc', 'a', 'bb'], key=by_size))")},
    ),
    case(
        "a class with operators, iteration and calls",
        """
        class Poly:
            def __init__(self, *c):
                self.c = list(c)

            def __call__(self, x):
                return sum(k * x**i for i, k in enumerate(self.c))

            def __add__(self, other):
                return Poly(*[a + b for a, b in zip(self.c, other.c)])

            __radd__ = __add__

            def __getitem__(self, i):
                return self.c[i]

            def __setitem__(self, i, v):
                self.c[i] = v

            def __iter__(self):
                return iter(self.c)

            def __contains__(self, v):
                return v in self.c

            def __len__(self):
                return len(self.c)

            def __bool__(self):
                return False

            def __format__(self, spec):
                return spec.join(map(str, self.c))


        p = Poly(1, 2)
        q = p
        """,
        after="""
        q[0] = 5
        print((p + p)(2), p[0], list(p), 2 in p, len(p), bool(p), f"{p:-}", p is q, Poly.__radd__ is Poly.__add__)
        """,
    ),
]
