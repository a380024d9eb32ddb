"""Arrays of numpy: values, types, layouts, and what is made of them."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
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
    case(
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
    case(
        "arrays of every type",
        """
        import numpy as np

        arrays = {
            code: np.arange(3).astype(code)
            for code in (
                "?",
                "i1",
                "u2",
                ">i4",
                "<u8",
                "f2",
                "f4",
                "g",
                "F",
                "D",
                "S3",
                "U2",
                "M8[D]",
                "m8[ms]",
                "V4",
                "O",
            )
        }
        times = np.array(["2025-01-01T12:00", "NaT"], dtype="datetime64[ns]")
        """,
        after="""
        for code, a in arrays.items():
            print(code, a.dtype, a.dtype.str, a.tolist(), a.flags.writeable)
        print(times, times.dtype, np.isnat(times), times - times[0])
        """,
    ),
    case(
        "arrays without elements, and without dimensions",
        """
        import numpy as np

        empty, wide, point, text = np.array([]), np.zeros((0, 3, 2), "i4"), np.array(5), np.array("word")
        thing, single = np.array({"k": [1]}, dtype=object), np.array([[7]])
        """,
        after="""
        point += 1
        thing[()]["k"].append(2)
        print(empty.shape, empty.dtype, wide.shape, wide.dtype, point, point.shape, text, thing, single.item())
        """,
    ),
    case(
        "layouts: Fortran's order, backwards, every second, turned",
        """
        import numpy as np

        c = np.arange(24).reshape(2, 3, 4)
        fortran, turned = np.asfortranarray(c), np.arange(6).reshape(2, 3).T.copy(order="K")
        back, second, both = np.arange(5)[::-1], np.arange(10)[1::3], np.arange(12).reshape(3, 4)[::-1, ::2]
        """,
        after="""
        print([(a.flags.c_contiguous, a.flags.f_contiguous) for a in (c, fortran, turned)])
        for a in (c, fortran, turned, back, second, both):
            print(a.tolist(), a.flags.writeable)
            a[0] = 99
            print(a.sum())
        print(c.ravel("K").tolist() == c.ravel().tolist(), fortran.ravel("K").tolist())
        """,
    ),
    case(
        "structured arrays and records",
        """
        import numpy as np

        kind = np.dtype([("n", "i4"), ("t", "U3"), ("sub", [("x", "f8"), ("y", "f8", (2,))])], align=True)
        table = np.zeros(2, kind)
        table["n"], table["sub"]["x"] = [1, 2], 0.5
        record, one = np.rec.array([(1, "a"), (2, "b")], names="n,t"), table[1].copy()
        odd = np.dtype({"names": ["a", "b"], "formats": ["u1", "f4"], "offsets": [1, 8], "itemsize": 16})
        gaps, scalar = np.ones(2, odd), record[0]
        marked = np.dtype("i4", metadata={"unit": "m"})
        """,
        after="""
        table["n"][0] = 9
        record.n[1] = 7
        print(
            table,
            table.dtype == kind,
            kind.isalignedstruct,
            record.t,
            record[1].n,
            type(record),
            one["sub"]["y"],
            one.dtype.names,
        )
        print(gaps, gaps.dtype.fields["b"][1], odd.itemsize, scalar, marked)
        """,
    ),
    case(
        "masked arrays",
        """
        import numpy as np

        data = np.arange(4.0)
        m = np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0], fill_value=-1)
        hard = np.ma.array([1, 2], mask=[True, False], hard_mask=True)
        rows = np.ma.array([(1, 2.0), (3, 4.0)], mask=[(0, 1), (0, 0)], dtype="i4,f8")
        masked, none = np.ma.masked, np.ma.array([1, 2])
        """,
        after="""
        m[1] = 5
        hard[0] = 9
        none[0] = masked
        print(
            m,
            m.fill_value,
            m.mask,
            hard,
            hard.hardmask,
            rows,
            rows[0]["f1"] is masked,
            masked is np.ma.masked,
            none,
            none.sum(),
        )
        """,
    ),
    case(
        "arrays of objects",
        """
        import numpy as np


        class P:
            def __init__(self, v):
                self.v = v

            def __add__(self, other):
                return P(self.v + other)


        inner, p = [1], P(1)
        objects = np.array([inner, None, "text", 1.5, p, ...], dtype=object)
        grid = np.empty((2, 2), dtype=object)
        grid[:] = [[inner, p], [None, objects]]
        itself = np.empty(1, dtype=object)
        itself[0] = itself
        """,
        after="""
        inner.append(2)
        p.v = 5
        print(
            objects[0] is inner is grid[0, 0],
            objects[4] is p,
            grid[1, 1] is objects,
            itself[0] is itself,
            objects[:4],
        )
        print((objects[4:5] + 1)[0].v)
        """,
    ),
    case(
        "texts of variable length",
        """
        import numpy as np

        plain = np.array(["a", "größe " * 40, ""], dtype=np.dtypes.StringDType())
        gaps = np.array(["x", None, "z"], dtype=np.dtypes.StringDType(na_object=None))
        big = np.array([f"row {i}" for i in range(20_000)], dtype=np.dtypes.StringDType())
        """,
        after="""
        plain[2] = "now"
        print(
            plain,
            plain.dtype,
            gaps[1] is None,
            gaps.dtype,
            np.strings.upper(plain)[0],
            big[19_999],
            len(set(big.tolist())),
        )
        """,
    ),
    case(
        "single values of numpy",
        """
        import numpy as np

        values = [np.float32(1.5), np.int8(-3), np.bool_(True), np.str_("s"), np.bytes_(b"b"), np.complex64(1j)]
        values += [
            np.datetime64("2025-01-01"),
            np.timedelta64(5, "m"),
            np.datetime64("NaT"),
            np.void(b"ab"),
            np.longdouble(1) / 3,
        ]
        kinds = [np.dtype("f4"), np.int64, np.floating, np.dtype([("a", "i2")])]
        axis, limits = np.newaxis, np.iinfo("i2")
        """,
        after="""
        for v in values:
            print(repr(v), type(v))
        print(kinds, axis is None, kinds[1] is np.int64, kinds[0] == np.dtype("f4"), limits.max)
        """,
    ),
    case(
        "subclasses of arrays, with attributes",
        """
        import numpy as np


        class Unit(np.ndarray):
            def __new__(cls, data, unit):
                made = np.asarray(data).view(cls)
                made.unit = unit
                return made

            def __array_finalize__(self, obj):
                self.unit = getattr(obj, "unit", default)

            def __reduce__(self):
                build, args, state = super().__reduce__()
                return build, args, (state, self.unit)

            def __setstate__(self, state):
                super().__setstate__(state[0])
                self.unit = state[1]


        class Plain(np.ndarray):
            pass


        default = "none"
        length, matrix = Unit([1.0, 2.0], "m"), np.matrix([[1, 2], [3, 4]])
        plain = np.arange(3).view(Plain)
        """,
        after="""
        default = "changed"
        print(
            length,
            length.unit,
            type(length) is Unit,
            length[1:].unit,
            (length * 2).unit,
            np.arange(2).view(Unit).unit,
        )
        print(matrix * matrix, type(matrix), type(plain) is Plain, plain.sum())
        """,
    ),
    case(
        "universal functions, polynomials, grids",
        """
        import numpy as np
        from numpy.polynomial import Polynomial

        sine, add, poly = np.sin, np.add.reduce, Polynomial([1, 2, 3])
        grid, index, printed = np.ogrid[0:3, 0:2], np.s_[1:, ::2], np.array2string
        table = {np.maximum: "max", np.mean: "mean"}
        """,
        after="""
        a = np.arange(12).reshape(3, 4)
        print(
            sine is np.sin,
            add([1, 2]),
            poly(2),
            poly.deriv(),
            (grid[0] + grid[1]).tolist(),
            a[index],
            table[np.maximum],
        )
        """,
    ),
    case(
        "functions of the session that numpy wraps",
        """
        import numpy as np

        pairs = np.vectorize(lambda a, b: (a + b) * factor, otypes=[float], doc="adds")
        factor = 1
        outer = np.frompyfunc(lambda a, b: (a, b, factor), 2, 1)
        """,
        after="""
        factor = 10
        print(pairs([1, 2], 3), pairs.__doc__)
        """,
        either={"outer": ("ufunc|lambda|vectorized|__main__|load", "print(outer.outer([1], [2]))")},
    ),
    case(
        "one number spread over more than any memory",
        """
        import numpy as np

        one, kept = np.broadcast_to(1.5, (10**6, 10**6)), [1]
        """,
        after="print(kept)",
        either={"one": ("memory|Memory|large", "print(one.shape, one[-1, -1], one.strides, one.flags.writeable)")},
    ),
    case(
        "arrays that grow in place",
        """
        import numpy as np

        small, large = np.array([1, 2]), np.arange(30_000)
        alias = small
        """,
        after="""
        small.resize(3, refcheck=False)
        large.resize(30_001, refcheck=False)
        print(alias, large[-2:])
        """,
    ),
]
