"""Dataclasses and named tuples."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
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
    case(
        "dataclasses with everything",
        """
        from dataclasses import KW_ONLY, InitVar, dataclass, field
        from typing import ClassVar


        def fresh():
            made.append(1)
            return [len(made)]


        made = []


        @dataclass
        class Base:
            name: str
            tags: list = field(default_factory=fresh, repr=False)
            count: ClassVar[int] = 0


        @dataclass(kw_only=True, unsafe_hash=True)
        class Order(Base):
            size: int = field(default=1, metadata={"unit": "kg"}, hash=True)
            tags: tuple = ()
            double: InitVar[int] = 2

            def __post_init__(self, double):
                self.size *= double
                Base.count += 1


        @dataclass
        class Mixed:
            a: int
            _: KW_ONLY
            b: int = 2


        base, order, mixed = Base("x"), Order(name="o", size=3), Mixed(1, b=4)
        """,
        after="""
        import dataclasses

        base.tags.append("t")
        print(base, base.tags, Base("y").tags, order, hash(order) == hash(Order(name="o", size=3)), mixed, Base.count)
        print([(f.name, f.kw_only, dict(f.metadata)) for f in dataclasses.fields(Order)], Mixed.__match_args__)
        print(dataclasses.replace(order, name="p", double=1), Mixed(1) == Mixed(1, b=2))
        """,
    ),
    case(
        "frozen dataclasses with slots, one from another, and what they hold",
        """
        from dataclasses import FrozenInstanceError, dataclass, field


        @dataclass(frozen=True, slots=True, order=True)
        class Point:
            x: float
            y: float = 0.0

            def moved(self, dx):
                return type(self)(self.x + dx, self.y)


        @dataclass(frozen=True, slots=True)
        class Named(Point):
            name: str = "n"
            at: list = field(default_factory=list, compare=False)

            def moved(self, dx):
                return super(Named, self).moved(dx)


        @dataclass(slots=True, weakref_slot=True)
        class Weak:
            v: int


        p, n, w = Point(1.0), Named(2.0), Weak(1)
        by_point = {p: n, Point(3.0): "three"}
        """,
        after="""
        import weakref

        n.at.append(1)
        print(p.moved(1), n.moved(1), by_point[Point(1.0)] is n, by_point[Point(3.0)], sorted([Point(2.0), p]))
        print(hasattr(n, "__dict__"), Named.__slots__, weakref.ref(w)() is w)
        try:
            n.name = "m"
        except FrozenInstanceError as error:
            print(error)
        """,
    ),
    case(
        "a dataclass made by a function, with methods",
        """
        import dataclasses

        Pair = dataclasses.make_dataclass("Pair", [("a", int), ("b", list, dataclasses.field(default_factory=list))],
                                          namespace={"total": lambda self: self.a + len(self.b) + extra})
        pair, extra = Pair(1), 0
        """,
        after="""
        extra = 5
        pair.b.append(1)
        print(pair, pair.total(), dataclasses.asdict(pair), Pair(1) == Pair(1), Pair.__module__)
        """,
    ),
    case(
        "named tuples with methods and defaults",
        """
        import collections, typing

        Point = collections.namedtuple("Point", "x y z", defaults=[0])


        class Row(typing.NamedTuple):
            \"""a row\"""

            key: str
            values: list = []

            def total(self):
                return sum(self.values) * scale

            @property
            def empty(self):
                return not self.values


        class Special(Point):
            __slots__ = ()

            def norm(self):
                return abs(self.x) * scale


        class Twice(Point):
            def __new__(cls, v):
                return super().__new__(cls, v, v)


        point, row, special, twice, scale = Point(1, y=2), Row("k"), Special(-3, 4), Twice(5), 1
        row.values.append(4)
        """,
        after="""
        scale = 2
        print(point, point._asdict(), row, row.total(), Row("m").values is row.values, special, special.norm())
        print(Row._field_defaults, Row.__doc__, Point._fields, Row.__annotations__["key"], special._replace(z=1))
        """,
        either={"twice": ("argument", "print(twice, type(twice) is Twice)")},
    ),
]
