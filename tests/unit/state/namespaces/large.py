"""What is larger than a buffer that is written with the rest."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "a large array and views of it",
        """
        import numpy as np

        a = np.arange(60_000.0).reshape(300, 200)
        top, turned, thin, fixed = a[:150], a.T, a[:, 7], a.view()
        fixed.flags.writeable = False
        tiny = np.arange(100_000)[5:8]
        holder = {"top": top, "again": a[:150]}
        """,
        after="""
        a[3, 7], turned[7, 4] = -1, -2
        print(
            top[3, 7],
            thin[3:5],
            fixed[4, 7],
            holder["top"] is top,
            holder["again"][3, 7],
            tiny,
            fixed.flags.writeable,
        )
        print([np.shares_memory(a, v) for v in (top, turned, thin, fixed, holder["again"])], turned.strides)
        """,
    ),
    case(
        "a large byte array under an array",
        """
        import numpy as np

        data = bytearray(200_000)
        over = np.frombuffer(data, "<i4")
        part = over[1000:2000]
        """,
        after="""
        data[4000] = 1
        part[1] = 258
        print(over[1000], part[0], data[4004], data[4005], over.size)
        """,
    ),
    case(
        "a large frame of many types, and a part of it",
        """
        import numpy as np
        import pandas as pd

        n = 30_000
        df = pd.DataFrame(
            {
                "i": np.arange(n),
                "f": np.linspace(0, 1, n),
                "t": pd.date_range("2020-01-01", periods=n, freq="min", tz="UTC"),
                "c": pd.Categorical(np.where(np.arange(n) % 3, "many", "few")),
                "o": [f"{i}" for i in range(n)],
                "I": pd.array(np.arange(n), dtype="Int32"),
                "b": np.arange(n) % 2 == 0,
            }
        )
        part, column, total = df[10_000:20_000:7], df["i"], df.groupby("c", observed=True)["f"].sum()
        """,
        after="""
        df.loc[10_000, "i"] = -1
        df.loc[df.index[-1], "o"] = "last"
        column.iloc[5] = -5
        print(
            df.dtypes,
            df.i.sum(),
            part.i.iloc[0],
            column[5],
            df.i[5],
            df.o.iloc[-1],
            total,
            df.t.iloc[-1],
            df.c.value_counts().tolist(),
        )
        print(part.shape, df.I.sum(), df.b.sum(), df.f.iloc[-1])
        """,
    ),
    case(
        "a large frame whose columns lie in one block, turned and cut",
        """
        import numpy as np
        import pandas as pd

        df = pd.DataFrame(np.arange(200_000.0).reshape(20_000, 10), columns=list("abcdefghij"))
        turned, columns, rows, row = df.T, df[["b", "d"]], df.iloc[5:15], df.iloc[7]
        """,
        after="""
        df.iloc[7, 1] = -1
        columns.iloc[0, 0] = -2
        row.iloc[2] = -3
        print(
            turned.iloc[1, 7],
            columns.iloc[7, 0],
            rows.iloc[2, 1],
            df.iloc[0, 1],
            df.iloc[7, 2],
            df.sum().sum(),
            row.tolist(),
        )
        """,
    ),
    case(
        "large columns of texts",
        """
        import numpy as np
        import pandas as pd

        n = 60_000
        objects = pd.Series([f"row {i % 5000}" for i in range(n)], dtype=object)
        gaps = pd.Series([None if i % 7 == 0 else "ü" * (i % 5) for i in range(n)], dtype=object)
        odd = pd.Series(["plain"] * n + [b"bytes", "\\ud800", None, np.nan, 5], dtype=object)
        strings, arrow = objects.astype("str"), objects.astype("string[pyarrow]")
        df = pd.DataFrame({"a": objects, "b": strings, "n": range(n)})
        part, joined = arrow[50_000:50_010], pd.concat([strings, strings[:10]])
        """,
        after="""
        df.loc[0, "a"] = "changed"
        print(
            objects[0],
            df.a[0],
            objects.dtype,
            strings.dtype,
            arrow.dtype,
            objects.nunique(),
            objects[59_999],
            len(strings),
        )
        print(
            gaps[0] is None,
            gaps[:8].tolist(),
            gaps.isna().sum(),
            sorted({type(v).__name__ for v in odd}),
            ascii(odd.iloc[-4]),
        )
        print(part.tolist(), joined.iloc[-1], (strings == objects).all(), df.b.str.len().sum())
        """,
    ),
    case(
        "what is larger than a buffer",
        """
        import numpy as np

        a = np.arange(300_000).reshape(300, 1000)
        f = np.asfortranarray(a)
        part = a[::2, 1::3]
        r = np.arange(300_000.0)
        r.flags.writeable = False
        text = "ab" * 1_000_000
        data = bytes(3_000_000)
        many = list(range(200_000))
        again = [a, text, many]
        """,
        after="""
        a[0, 0] = 7
        print(again[0] is a, again[1] is text, again[2] is many, sum(many), len(data), text == "ab" * 1_000_000)
        print(a.sum(), f.sum(), (f == np.arange(300_000).reshape(300, 1000)).all(), f.flags["F_CONTIGUOUS"], f.shape)
        print(part.sum(), part.shape, r.sum(), r.flags.writeable, f.flags.writeable)
        """,
    ),
    case(
        "large arrays of every layout",
        """
        import numpy as np

        n = 40_000
        whole, fortran = np.arange(n).reshape(200, -1), np.asfortranarray(np.arange(n).reshape(200, -1))
        fixed, flags = np.arange(n * 1.0), np.zeros(n * 4, "?")
        fixed.flags.writeable = False
        table = np.zeros(n, [("a", "i8"), ("b", "U2")])
        objects = np.array([[i] for i in range(n)] + [None], dtype=object)
        texts, times = np.array(["abc"] * n), np.arange(n).astype("M8[s]")
        masked, big = np.ma.masked_less(np.arange(n), 5), np.arange(n, dtype=">i8")
        twin = whole
        """,
        after="""
        whole[0, 0], fortran[0, 1], table["a"][3], objects[0][0], flags[7] = 5, 6, 7, 8, True
        print(
            twin is whole,
            whole.sum(),
            fortran.sum(),
            fortran.flags.f_contiguous,
            fixed.sum(),
            fixed.flags.writeable,
        )
        print(
            table["a"].sum(),
            objects[0],
            objects.shape,
            set(texts.tolist()),
            times[-1],
            masked.sum(),
            big.sum(),
            big.dtype,
            flags.sum(),
        )
        """,
    ),
    case(
        "equal arrays are not one array",
        """
        import numpy as np

        a, b = np.zeros(20_000), np.zeros(20_000)
        pair, c = [a, b], bytes(160_000)
        """,
        after="""
        a[0] = 1
        print(b[0], pair[0] is a, pair[1] is b, c == bytes(160_000), pair[0][0])
        """,
    ),
]
