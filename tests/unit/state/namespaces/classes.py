"""Classes and their instances: what is inherited, shared, redefined and deleted."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
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
    case(
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
    case(
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
    case(
        "what classes and their instances share",
        """
        class A:
            everything = []

            def __init__(self):
                self.everything.append(self)


        class B(A):
            own = {"of": A}


        a, b = A(), B()
        table, maker = A.everything, type(b)
        B.later = classmethod(lambda cls: (cls, suffix))
        suffix = "s"
        """,
        after="""
        c = B()
        suffix = "t"
        print(table is B.everything, table == [a, b, c], maker is B, B.own["of"] is A, B.later()[0] is B, B.later()[1])
        print(A.__subclasses__() == [B], B.__base__ is A)
        """,
    ),
    case(
        "instances of a class that is gone",
        """
        class C:
            made = 0

            def __init__(self, v=0):
                C_made.append(v)
                self.v = v

            def me(self):
                return type(self).__name__, self.v


        C_made = []
        c, d = C(1), C(2)
        d.friend = c
        """,
        "del C",
        after="""
        print(c.me(), type(c) is type(d), type(c)(7).v, C_made, d.friend is c, "C" in globals(), isinstance(c, type(d)))
        """,
    ),
    case(
        "a class redefined after its subclass, both in use",
        """
        class Base:
            def who(self):
                return "old base"


        class Sub(Base):
            def who(self):
                return "sub of " + super().who()


        old = Sub()
        """,
        """
        OldBase = Base


        class Base:
            def who(self):
                return "new base"


        new = Base()
        """,
        after="""
        print(old.who(), new.who(), isinstance(old, Base), isinstance(old, OldBase), Sub.__base__ is OldBase)
        """,
    ),
    case(
        "an instance that was given another class",
        """
        class A:
            def who(self):
                return "a"


        class B:
            def who(self):
                return "b"


        a = A()
        a.v = 1
        a.__class__ = B
        """,
        after="print(a.who(), type(a) is B, a.v)",
    ),
    case(
        "mixins that call on along the order of bases",
        """
        class Root:
            def go(self):
                return ["root"]


        class Left(Root):
            def go(self):
                return ["left", *super().go()]


        class Right(Root):
            def go(self):
                return ["right", *super().go()]


        class Both(Left, Right):
            def go(self):
                return ["both", *super().go()]


        both = Both()
        step = super(Left, both)
        """,
        after="""
        print(both.go(), [c.__name__ for c in Both.__mro__])
        Root.go = lambda self: ["changed"]
        print(both.go())
        """,
        either={"step": ("super|newobj", "print(step.go())")},
    ),
    case(
        "objects that say good-bye",
        """
        gone = []


        class G:
            def __init__(self, n):
                self.n = n

            def __del__(self):
                gone.append(self.n)


        g, h = G(1), [G(2)]
        del g
        """,
        after="""
        print(gone)
        h.clear()
        print(gone)
        """,
    ),
    case(
        "subclasses of what is built in, with attributes",
        """
        class I(int):
            def __add__(self, other):
                return I(int(self) + other + 1)


        class T(tuple):
            @property
            def first(self):
                return self[0]


        class F(float): ...


        class B(bytes): ...


        class FS(frozenset): ...


        class St(set): ...


        class By(bytearray): ...


        i, t, f, b, fs, st, by = I(5), T(([1], 2)), F(1.5), B(b"x"), FS({1}), St({2}), By(b"y")
        for n, each in enumerate((i, t, f, b, fs, st, by)):
            each.note = [n]
        notes = t.note
        """,
        after="""
        notes.append("more")
        st.add(3)
        by += b"z"
        for each in (i, t, f, b, fs, st, by):
            print(type(each).__name__, each, each.note)
        print(i + 1, type(i + 1) is I, t.first)
        """,
    ),
    case(
        "classes that cannot be imported by a name",
        """
        import types

        class_of = {
            "keys": type({}.keys()),
            "iterator": type(iter([])),
            "wrapper": type(int.__add__),
            "none": type(None),
            "dots": type(...),
            "function": types.FunctionType,
            "cell": types.CellType,
            "proxy": types.MappingProxyType,
        }
        kept = ["kept"]
        """,
        after="print(kept)",
        either={
            "class_of": (
                ".",
                """
                print(class_of["keys"] is type({}.keys()), class_of["cell"] is types.CellType, list(class_of.values()))
                """,
            )
        },
    ),
]
