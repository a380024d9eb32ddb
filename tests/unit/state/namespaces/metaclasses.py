"""Classes that make classes, or act when one is made."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
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
    case(
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
    case(
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
    case(
        "metaclasses that call, index, prepare and iterate",
        """
        class Ordered(dict):
            pass


        class Meta(type):
            @classmethod
            def __prepare__(m, name, bases, **named):
                return Ordered(prepared=name)

            def __new__(m, name, bases, body, **named):
                made = super().__new__(m, name, bases, dict(body))
                made.named = named
                return made

            def __init__(cls, name, bases, body, **named):
                super().__init__(name, bases, body)
                cls.instances = []

            def __call__(cls, *a, **k):
                made = super().__call__(*a, **k)
                cls.instances.append(made)
                return made

            def __getitem__(cls, i):
                return cls.instances[i]

            def __len__(cls):
                return len(cls.instances)

            @property
            def first(cls):
                return cls.instances[0]


        class A(metaclass=Meta, tag="t"):
            def __init__(self, v):
                self.v = v


        one, two = A(1), A(2)
        """,
        after="""
        three = A(3)
        print(A[0] is one, A.first is one, len(A), [i.v for i in A.instances], A.prepared, A.named, type(A) is Meta)


        class B(A, tag="u"): ...


        print(len(B), B.prepared, B.named, B(4) is B.first)
        """,
    ),
    case(
        "classes made by functions and by type()",
        """
        def make(tag, base=object):
            class Made(base):
                label = tag

                def who(self):
                    return tag, __class__.__name__, suffix

            return Made


        One, Two = make("one"), make("two", list)
        Three = type("Three", (One,), {"extra": lambda self: (self.label, suffix)})
        one, two, three, suffix = One(), Two([1]), Three(), "s"
        two.note = "n"
        """,
        after="""
        suffix = "t"
        print(one.who(), two.who(), two, two.note, three.extra(), three.who(), One is not Two, One.__qualname__)
        print(isinstance(three, One), Three.__mro__[1] is One, One.__module__)
        """,
    ),
    case(
        "abstract classes with registered and recognised ones",
        """
        import abc


        class Closable(abc.ABC):
            @abc.abstractmethod
            def close(self): ...

            @property
            @abc.abstractmethod
            def name(self): ...

            @classmethod
            def __subclasshook__(cls, other):
                return True if other in recognised else NotImplemented


        recognised = []


        class Part(Closable):
            def close(self):
                return "closed"


        class Whole(Part):
            name = "whole"


        class Foreign: ...


        class Other: ...


        Closable.register(Foreign)
        w = Whole()
        """,
        after="""
        recognised.append(Other)
        print(isinstance(w, Closable), issubclass(Foreign, Closable), issubclass(Other, Closable), w.close(), w.name)
        for kind in (Closable, Part):
            try:
                kind()
            except TypeError as error:
                print(error)
        """,
    ),
]
