"""Plain values, and names themselves."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "plain values",
        r"""
        a, b, c, d, e, f = (1, 2.5, "text \ud800", None, b"bytes", 10**40)
        g = (True, ..., NotImplemented, 3j)
        """,
        after="print(a, b, ascii(c), d, e, f, g, g[1] is ..., type(f))",
    ),
    case(
        "a later binding wins",
        "x = 1",
        """
        x = "two"
        y = x
        del y
        """,
        after='print(x, "y" in globals())',
    ),
    case(
        "names that shadow builtins, and dunder names",
        """
        sum = 5
        list = [1]
        __version__ = "1.0"
        _private = 2
        """,
        after="print(sum, list, __version__, _private, len(list))",
    ),
    case(
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
    case(
        "numbers at the edges",
        """
        zero, minus, tiny, huge = 0.0, -0.0, 5e-324, 10**6000
        endless, odd = float("-inf"), complex(-0.0, float("inf"))
        yes, one = True, 1
        """,
        after="""
        import math

        print(math.copysign(1, zero), math.copysign(1, minus), tiny, huge == 10**6000, huge.bit_length())
        print(endless, odd, math.copysign(1, odd.real), yes is True, one is not True, type(yes), type(one))
        """,
    ),
    case(
        "not a number, which equals nothing",
        """
        nan = float("nan")
        values = [nan, 1.0, nan]
        by = {"k": nan}
        """,
        after="""
        import math

        print(nan != nan, math.isnan(nan), [math.isnan(v) for v in values], math.isnan(by["k"]), values == [0, 1.0, 0])
        """,
    ),
    case(
        "slices, ranges, ellipses",
        """
        part, wide, dots, no = slice(1, None, 2), range(0, 10**30, 3), ..., NotImplemented
        """,
        after="""
        print("abcdef"[part], wide[10**20], wide == range(0, 10**30, 3), dots is Ellipsis, no is NotImplemented)
        """,
    ),
    case(
        "nothing is left of deleted names",
        "x = [1]; y = x; z = 5",
        "del x; del z",
        """
        z = [y]
        del y
        """,
        after="""
        print("x" in globals(), "y" in globals(), z)
        try:
            x
        except NameError as error:
            print(error)
        """,
    ),
    case(
        "names with annotations",
        """
        x: int = 1
        later: "list[str]"
        """,
        after="""
        y: float = 2.0
        print(__annotations__)
        """,
    ),
    case(
        "names that only globals() can spell, and those of other alphabets",
        """
        größe = 1
        λ = lambda: größe
        globals()["not an identifier"] = [größe]
        """,
        after="""
        größe = 2
        print(λ(), globals()["not an identifier"])
        """,
    ),
    case(
        "functions in the place of builtins, and back",
        """
        real = len
        len = lambda v: 99
        int = str


        def size(v):
            return len(v), int(5)
        """,
        after="""
        print(size([1]), real([1]))
        del len, int
        print(size([1]))
        """,
    ),
]
