"""Objects with their own idea of being pickled, good and bad ones."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
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
    case(
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
    case(
        "states that are no dictionaries",
        """
        class Tupled:
            def __getstate__(self):
                return (self.v, "extra")

            def __setstate__(self, state):
                self.v, self.extra = state


        class Listed(list):
            def __getstate__(self):
                return {"label": self.label.upper()}


        class Slotted:
            __slots__ = ("a", "b")

            def __getstate__(self):
                return None, {"a": self.a}


        class Nothing:
            def __getstate__(self):
                return None

            def __setstate__(self, state):
                raise RuntimeError("never called")


        tupled, listed, slotted, nothing = Tupled(), Listed([1]), Slotted(), Nothing()
        tupled.v, listed.label, slotted.a = [1], "label", 2
        """,
        after="""
        print(tupled.v, list(listed), listed.label.lower(), slotted.a, type(nothing).__name__)
        """,
    ),
    case(
        "arguments of a constructor that are needed again",
        """
        class Fixed:
            def __new__(cls, a, *, b):
                made = super().__new__(cls)
                made.key = (a, b)
                return made

            def __getnewargs_ex__(self):
                return (self.key[0],), {"b": self.key[1]}


        class Celsius(float):
            def __new__(cls, v, unit):
                made = super().__new__(cls, v)
                made.unit = unit
                return made

            def __getnewargs__(self):
                return float(self), self.unit


        shared = ["b"]
        fixed, warm = Fixed(1, b=shared), Celsius(20, "C")
        fixed.more = 3
        """,
        after="""
        shared.append("c")
        print(fixed.key, fixed.key[1] is shared, fixed.more, warm, warm.unit, warm + 1)
        """,
    ),
    case(
        "reductions with items, states and functions",
        """
        def build(kind, *a):
            built.append(kind.__name__)
            return kind(*a)


        class Stack(list):
            def __reduce__(self):
                return build, (Stack,), {"note": self.note}, iter(self)


        class Table(dict):
            def __reduce_ex__(self, protocol):
                return Table, (), None, None, iter(self.items())


        class Custom:
            def __reduce__(self):
                return Custom, (), self.__dict__, None, None, fill


        def fill(made, state):
            made.__dict__.update(state, filled=True)


        built, inner = [], [1]
        stack, table, custom = Stack([inner]), Table(k=inner), Custom()
        stack.note, custom.inner = "n", inner
        """,
        after="""
        inner.append(2)
        print(
            stack,
            stack.note,
            stack[0] is table["k"] is custom.inner is inner,
            type(stack) is Stack,
            type(table) is Table,
        )
        """,
    ),
    case(
        "a reduction that is registered elsewhere",
        """
        import copyreg


        class Handle:
            def __init__(self, number):
                self.number, self.secret = number, lambda: number


        def reduce_handle(handle):
            return Handle, (handle.number,)


        copyreg.pickle(Handle, reduce_handle)
        handle = Handle(7)
        pair = [handle, handle]
        """,
        after="print(handle.number, handle.secret(), pair[0] is handle is pair[1])",
    ),
    case(
        "an object that is one of its kind",
        """
        class Sentinel:
            def __repr__(self):
                return "MISSING"

            def __reduce__(self):
                return lookup, ()


        def lookup():
            return MISSING


        MISSING = Sentinel()
        """,
        after="print(callable(lookup))",
        either={"MISSING": ("NameError|load", "print(MISSING, lookup() is MISSING)")},
    ),
    case(
        "copies by copy and deepcopy go on working",
        """
        import copy


        class C:
            def __init__(self, v):
                self.v, self.cache = v, {}

            def __deepcopy__(self, memo):
                return C(copy.deepcopy(self.v, memo))

            def __copy__(self):
                return C(self.v)


        c = C([1])
        shallow, deep = copy.copy(c), copy.deepcopy(c)
        """,
        after="""
        c.v.append(2)
        print(shallow.v is c.v, deep.v, copy.copy(c).v is c.v, copy.deepcopy(c).v == c.v)
        """,
    ),
    case(
        "objects that print and warn when they are pickled",
        """
        import sys, warnings


        class Loud:
            def __getstate__(self):
                print("out")
                print("err", file=sys.stderr)
                warnings.warn("warned")
                return {"v": self.v}

            def __setstate__(self, state):
                print("back")
                self.v = state["v"]


        loud = Loud()
        loud.v = 1
        """,
        after="print(loud.v)",
    ),
    case(
        "an object that binds and deletes names while it is pickled",
        """
        class Meddler:
            def __getstate__(self):
                globals()["made"] = 1
                globals().pop("victim", None)
                return {"v": 1}


        a_first, meddler, victim, z_last = [1], Meddler(), [2], [3]
        """,
        after="print('made' in globals(), victim, a_first, z_last, type(meddler).__name__)",
    ),
    case(
        "objects that raise when they are pickled",
        """
        class Raises:
            def __reduce__(self):
                raise ValueError("cannot say")


        class Exits:
            def __getstate__(self):
                raise SystemExit(3)


        class Interrupts:
            def __reduce_ex__(self, protocol):
                raise KeyboardInterrupt


        kept = ["kept"]
        raises, exits, interrupts = Raises(), [Exits(), kept], {"k": Interrupts()}
        """,
        after="print(kept, Raises.__name__)",
        missing={"raises": "ValueError: cannot say", "exits": "SystemExit", "interrupts": "KeyboardInterrupt"},
    ),
    case(
        "objects whose reduction is nonsense",
        """
        class Nonsense:
            def __init__(self, answer):
                self.answer = answer

            def __reduce__(self):
                return self.answer


        number, empty, uncallable, short, unknown = (
            Nonsense(5), Nonsense(()), Nonsense((3, ())), Nonsense((list,)), Nonsense("no_such_name")
        )
        wrong_items, kept = Nonsense((list, (), None, 7)), ["kept"]
        """,
        after="print(kept)",
        missing=dict.fromkeys(("number", "empty", "uncallable", "short", "unknown", "wrong_items"), "."),
    ),
    case(
        "objects that are pickled and cannot be loaded",
        """
        class Fails:
            def __setstate__(self, state):
                raise LookupError("cannot come back")


        class Picky:
            def __init__(self, a, b):
                self.pair = a, b

            def __reduce__(self):
                return Picky, (1,)


        class Gone(Exception):
            def __init__(self, a, b):
                super().__init__(a)

            def __reduce__(self):
                return Gone, self.args


        kept = ["kept"]
        fails, picky, gone = Fails(), [Picky(1, 2), kept], Gone(1, 2)
        fails.v = kept
        """,
        after="""
        kept.append(1)
        print(kept, Fails.__name__, Picky(3, 4).pair)
        """,
        missing={"fails": "cannot come back", "picky": "TypeError|argument", "gone": "TypeError|argument"},
    ),
    case(
        "an object that calls what a later name is",
        """
        class Early:
            def __setstate__(self, state):
                self.v = combine(state["v"], table)


        early = Early()
        early.v = 1


        def combine(v, t):
            return t["k"] + v if isinstance(v, int) else v


        table = {"k": 10}
        """,
        after="print(Early.__name__, combine(1, table))",
        either={"early": ("NameError|KeyError|load", "print(early.v in (1, 11, 21))")},
    ),
    case(
        "an object that is pickled by the name of something else",
        """
        class Named:
            def __reduce__(self):
                return "named"


        named = Named()
        alias = named
        """,
        after="print(Named.__name__)",
        either={
            "named": ("__main__", "print(type(named) is Named)"),
            "alias": ("__main__", "print(alias is named)"),
        },
    ),
]
