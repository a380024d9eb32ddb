"""Enumerations."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
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
    case(
        "enumerations of every kind",
        """
        import enum
        from enum import Enum, Flag, IntEnum, IntFlag, StrEnum, auto


        class Level(IntEnum):
            LOW, HIGH = 1, 10


        class Word(StrEnum):
            ALPHA = auto()
            BETA = "b"


        class Mode(IntFlag, boundary=enum.KEEP):
            R = 4
            W = 2
            X = 1


        class Strict(Flag, boundary=enum.STRICT):
            A = auto()
            B = auto()


        Animal = Enum("Animal", "CAT DOG")
        Size = Enum("Size", {"S": (1, 2), "L": (3, 4)}, type=tuple)
        low, word, mode, both, cat = Level.LOW, Word.ALPHA, Mode.R | Mode.X, Strict.A | Strict.B, Animal.CAT
        by = {Animal.DOG: "dog", Level.HIGH: "high"}
        """,
        after="""
        print(
            low is Level.LOW,
            low < Level.HIGH,
            low + 1,
            f"{low}",
            word is Word("alpha"),
            word + "!",
            mode,
            mode & ~Mode.X,
        )
        print(
            Mode(64 | 4),
            both is Strict(3),
            list(both),
            cat is Animal["CAT"],
            by[Animal(2)],
            by[10],
            list(Size),
            Size.L[0],
        )
        try:
            Strict(8)
        except ValueError as error:
            print("refused")
        """,
    ),
    case(
        "enumerations with a life of their own",
        """
        from enum import Enum, nonmember, property as enum_property, unique


        @unique
        class Op(Enum):
            _ignore_ = ["i"]
            ADD = "+"
            SUB = "-"
            limit = nonmember(10)

            @classmethod
            def _missing_(cls, value):
                asked.append(value)
                return cls.ADD

            @enum_property
            def word(self):
                return words[self.name]

            def __call__(self, a, b):
                return a + b if self is Op.ADD else a - b

            def __repr__(self):
                return f"<{self.name}>"


        class Base(Enum):
            def describe(self):
                return self.name, self.value


        class Derived(Base):
            ONE = 1
            UNO = 1


        class Coord(Enum):
            def __new__(cls, value, label):
                made = object.__new__(cls)
                made._value_ = value
                made.label = label
                return made

            X = (1, "ex")
            Y = (2, "why")


        asked, words = [], {"ADD": "plus"}
        op, uno, x = Op.SUB, Derived.UNO, Coord(1)
        """,
        after="""
        words["SUB"] = "minus"
        print(op(3, 1), Op("?"), asked, op.word, Op.limit, list(Op), uno.describe(), uno is Derived["ONE"])
        print(x is Coord.X, x.label, Coord(2).label, [m.label for m in Coord], op is Op("-"), {op: 1}[Op.SUB])
        """,
    ),
    case(
        "functions that are members of an enumeration",
        """
        import enum


        class Act(enum.Enum):
            RUN = enum.member(lambda v: (v, speed))
            STOP = enum.member(len)

            def __call__(self, v):
                return self.value(v)


        act, speed, plain = Act.RUN, 1, [1]
        """,
        after="print(plain)",
        either={
            "Act": (".", "print(Act.STOP([1]), list(Act.__members__))"),
            "act": (".", "speed = 2\nprint(act(5), act is Act.RUN)"),
        },
    ),
]
