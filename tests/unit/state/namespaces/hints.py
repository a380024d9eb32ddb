"""What `typing` knows: generic classes, protocols, aliases."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "hints that are looked up late",
        """
        import typing


        def f(a: "Later", b: "list[Later] | None" = None) -> "Later": ...


        class Later: ...
        """,
        after="""
        print(
            typing.get_type_hints(f)["a"] is Later, typing.get_type_hints(f)["return"] is Later, f.__annotations__
        )
        """,
    ),
    case(
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
    case(
        "generic classes and their parameters",
        """
        from typing import Generic, ParamSpec, Protocol, TypeVar, TypeVarTuple, Unpack, runtime_checkable

        T = TypeVar("T", bound="Shape")
        K = TypeVar("K", int, str)
        P = ParamSpec("P")
        Ts = TypeVarTuple("Ts")


        class Shape: ...


        class Stack(Generic[T]):
            def __init__(self):
                self.items: list[T] = []


        class Map(Generic[K, T]): ...


        class Many(Generic[Unpack[Ts]]): ...


        class Special(Map[int, T], Stack[T]): ...


        @runtime_checkable
        class Sized(Protocol):
            size: int

            def grow(self) -> None: ...


        class Box:
            size = 1

            def grow(self): ...


        stack, special, alias, typed = Stack[Shape](), Special[Shape](), Map[str, T], Stack[Shape]
        """,
        after="""
        print(
            Stack.__parameters__ == (T,),
            Stack.__parameters__[0] is T,
            alias.__args__[1] is T,
            T.__bound__,
            K.__constraints__,
        )
        print(
            stack.__orig_class__ == Stack[Shape],
            stack.__orig_class__ is typed,
            alias[Shape],
            Special.__orig_bases__,
        )
        print(isinstance(Box(), Sized), isinstance(stack, Sized), Special[Shape])
        print([c.__name__ for c in Special.__mro__], special.items)
        """,
        either={
            "P": ("__main__", "print(P, P.args.__origin__ is P)"),
            "Ts": ("__main__", "print(Ts)"),
            "Many": ("__main__", "print(Many[int, str], Many.__parameters__[0] is Ts)"),
        },
    ),
    case(
        "aliases of types",
        """
        import typing
        from collections.abc import Callable
        from typing import Annotated, Any, Literal, NewType, Optional, TypedDict, Union


        class Movie(TypedDict, total=False):
            name: typing.Required[str]
            year: int


        class Longer(Movie):
            minutes: int


        UserId = NewType("UserId", int)
        AdminId = NewType("AdminId", UserId)
        Rows = list[dict[str, "Movie"]]
        Maybe = Optional[int] | str
        Old = Union[int, Movie]
        Handler = Callable[[int, Movie], None]
        Choice = Literal["a", 1]
        Marked = Annotated[int, ("meta", UserId)]
        Movies = Functional = TypedDict("Functional", {"in": int})
        movie: Movie = {"name": "m"}
        """,
        after="""
        print(Movie.__required_keys__, sorted(Longer.__optional_keys__), UserId(3), AdminId.__supertype__ is UserId)
        print(
            Rows,
            Maybe,
            Old.__args__[1] is Movie,
            Handler.__args__[1] is Movie,
            Choice.__args__,
            Marked.__metadata__[0][1] is UserId,
        )
        print(
            Functional is Movies,
            Functional.__annotations__,
            typing.get_type_hints(Longer),
            movie,
            typing.get_args(Maybe),
        )
        """,
    ),
]
