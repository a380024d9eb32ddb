"""Descriptors, properties, slots, and attributes that are looked up in their own way."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
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
    case(
        "descriptors that learn their names",
        """
        class Positive:
            def __set_name__(self, owner, name):
                self.name = "_" + name
                named.append((owner.__name__, name))

            def __get__(self, obj, owner=None):
                return self if obj is None else getattr(obj, self.name, None)

            def __set__(self, obj, value):
                if value < limit:
                    raise ValueError(f"{self.name} {value}")
                setattr(obj, self.name, value)


        class Lazy:
            def __get__(self, obj, owner=None):
                return (owner.__name__, obj is not None)


        named, limit = [], 0


        class Item:
            price, weight, info = Positive(), Positive(), Lazy()


        item = Item()
        item.price = 3
        """,
        after="""
        limit = 10
        try:
            item.weight = 5
        except ValueError as error:
            print(error)
        item.price = 11
        print(item.price, item.weight, Item.price is Item.__dict__["price"], item.info, Item.info, named)
        """,
    ),
    case(
        "properties with everything, also inherited ones",
        '''
        class A:
            @property
            def v(self):
                """says so"""
                return self._v

            @v.setter
            def v(self, value):
                self._v = value * factor

            @v.deleter
            def v(self):
                self._v = "deleted"


        class B(A):
            @A.v.getter
            def v(self):
                return ("B", self._v)


        a, b, factor = A(), B(), 1
        a.v = b.v = 2
        stand_alone = A.v
        ''',
        after="""
        factor = 10
        b.v = 3
        del a.v
        print(a.v, b.v, A.v.__doc__, stand_alone is A.v, stand_alone.fget(b), B.v.fset is A.v.fset)
        """,
    ),
    case(
        "slots with and without a dictionary, inherited, with weak references",
        """
        class A:
            __slots__ = ("a",)


        class B(A):
            __slots__ = ("b", "__dict__", "__weakref__")


        class C(A):
            pass


        class D(A):
            __slots__ = {"d": "documented"}


        a, b, c, d = A(), B(), C(), D()
        a.a = b.a = c.a = d.a = shared = [1]
        b.b, b.more, c.free, d.d = 2, 3, 4, 5
        """,
        after="""
        import weakref

        shared.append(2)
        for obj in (a, b, c, d):
            print(type(obj).__name__, obj.a is shared, hasattr(obj, "__dict__"), getattr(obj, "__dict__", None))
        print(b.b, d.d, hasattr(A(), "a"), weakref.ref(b)() is b, D.__slots__)
        try:
            d.e = 1
        except AttributeError as error:
            print("refused")
        """,
    ),
    case(
        "a proxy that forwards every attribute",
        """
        class Proxy:
            def __init__(self, target):
                self._target = target

            def __getattr__(self, name):
                return getattr(self._target, name)


        items = [1]
        """,
        "proxy = Proxy(items)",
        after="""
        items.append(2)
        print(items)
        """,
        either={
            "proxy": ("Recursion|nested|load", "proxy.append(3)\nprint(proxy._target is items, items, proxy.count(3))")
        },
    ),
    case(
        "attributes that are watched and locked",
        """
        class Locked:
            _locked = False

            def __init__(self, v):
                self.v = v
                self._locked = True

            def __setattr__(self, name, value):
                if self._locked:
                    raise AttributeError(f"{name} is locked")
                object.__setattr__(self, name, value)

            def __getattribute__(self, name):
                if name != "_locked" and not name.startswith("__"):
                    reads.append(name)
                return object.__getattribute__(self, name)


        reads = []
        l = Locked([1])
        reads.clear()
        """,
        after="""
        print(l.v, reads)
        try:
            l.v = 2
        except AttributeError as error:
            print(error)
        """,
    ),
    case(
        "classes by keyword, by index, and with arguments to match",
        """
        class Typed:
            def __class_getitem__(cls, item):
                return cls.__name__, item

            __match_args__ = ("x", "y")

            def __init__(self, x, y):
                self.x, self.y = x, y


        t = Typed(1, [2])
        """,
        after="""
        match t:
            case Typed(1, [y]):
                print("matched", y)
        print(Typed[int])
        """,
    ),
    case(
        "hooks that were put on a class later",
        """
        class C:
            def __init__(self):
                self.v = 1


        c = C()
        """,
        """
        def describe(self):
            return f"<{self.v} {unit}>"


        C.__repr__ = describe
        C.__len__ = lambda self: self.v
        C.both = property(lambda self: (len(self), unit))
        unit = "mm"
        """,
        after="""
        unit, c.v = "m", 3
        print(c, len(c), c.both, C.__repr__ is describe)
        """,
    ),
    case(
        "properties that are computed once",
        """
        from functools import cached_property

        computed = []


        class Table:
            def __init__(self, rows):
                self.rows = rows

            @cached_property
            def total(self):
                computed.append("total")
                return sum(self.rows)

            @cached_property
            def other(self):
                computed.append("other")
                return self.rows[::-1]


        t = Table([1, 2])
        t.total
        t.rows.append(100)
        """,
        after="""
        print(t.total, t.other, computed, t.other is t.other)
        del t.total
        print(t.total, computed)
        """,
    ),
]
