"""Frames, series and indexes of pandas, and who sees whose changes."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "pandas frames",
        """
        import pandas as pd, numpy as np

        df = pd.DataFrame(
            {"region": ["n", "s", None], "sales": [1.0, np.nan, 3.0]}, index=pd.date_range("2025-01-01", periods=3)
        )
        df["kind"] = pd.Categorical(["a", "b", "a"])
        view = df
        by = df.groupby("region")["sales"].sum()
        cols = df.columns
        mi = df.set_index(["region", "kind"])
        df.attrs["note"] = "x"
        part = df[df.sales > 0]
        """,
        after="""
        view.loc[view.index[0], "sales"] = 10.0
        print(df, df.dtypes, by, mi.index.names, df.attrs, df is view, part, cols.tolist(), pd.NA is pd.NA)
        """,
    ),
    case(
        "pandas options, a frame with objects, an aggregation by a function of the cell",
        """
        import pandas as pd

        pd.set_option("display.max_rows", 3)


        class T:
            def __init__(s, v):
                s.v = v

            def __repr__(s):
                return f"T{s.v}"


        t = T(1)
        df = pd.DataFrame({"o": [t, t], "n": [1, 2]})
        clean = lambda s: s.sum() * factor
        factor = 2
        """,
        after="""
        t.v = 7
        factor = 10
        print(df, df.o[0] is t, df.n.agg(clean), pd.get_option("display.max_rows"))
        """,
    ),
    case(
        "indexes of several levels",
        """
        import pandas as pd

        rows = pd.MultiIndex.from_product([["b", "a"], [2, 1]], names=["letter", None])
        columns = pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["l0", "l1"])
        df = pd.DataFrame([[1, 2], [3, 4], [5, 6], [7, 8]], index=rows, columns=columns)
        part, level, wide = df.loc[["a"]], rows.get_level_values(0), df.stack(level=0)
        unused = rows[:1]
        """,
        after="""
        df.loc[("a", 1), ("x", 1)] = 70
        print(df, df.sort_index().loc["a"], part, level, wide, unused.levels, df.index is rows, df.xs(2, level=1))
        """,
    ),
    case(
        "indexes of every kind",
        """
        import pandas as pd

        indexes = [
            pd.RangeIndex(2, 20, 5, name="r"),
            pd.date_range("2025-03-29", periods=3, freq="D", tz="Europe/Berlin"),
            pd.period_range("2025Q1", periods=2, freq="Q"),
            pd.interval_range(0, 4, periods=2, closed="left"),
            pd.CategoricalIndex(["b", "a", "b"], ordered=True),
            pd.timedelta_range("1h", periods=2, freq="30min"),
            pd.Index(["x", None, "z"]),
            pd.Index([1.5, None]),
            pd.Index([1, "mixed", (2, 3)], dtype=object),
            pd.Index([]),
        ]
        stepped, shared = pd.date_range("2025-01-01", periods=4, freq="BME"), pd.Index(["k"], name="shared")
        left, right = pd.Series([1], index=shared), pd.Series([2], index=shared)
        """,
        after="""
        for index in indexes:
            print(repr(index), index.dtype, getattr(index, "freq", None), index.is_unique)
        print(stepped.freq, stepped.shift(1), left.index is right.index is shared, (left + right).tolist())
        """,
    ),
    case(
        "one frame's columns in another, written to in turn",
        """
        import pandas as pd

        df = pd.DataFrame({"a": [1, 2, 3], "b": [4.0, 5.0, 6.0], "c": ["x", "y", "z"]})
        some, rows, column, copy, shallow = df[["a", "b"]], df[1:], df["a"], df.copy(), df.copy(deep=False)
        filtered, renamed, assigned = df[df.a > 1], df.rename(columns={"a": "A"}), df.assign(d=df.b * 2)
        same, as_index = df, df.set_index("c")
        """,
        after="""
        column.iloc[0] = 100
        some.loc[1, "b"] = 200
        shallow.iloc[2, 2] = "changed"
        renamed["A"] += 1000
        rows.loc[2, "a"] = 300
        df.loc[0, "c"] = "mine"
        as_index.iloc[0, 0] = 400
        print(df, some, rows, column, copy, shallow, filtered, renamed, assigned, same is df, as_index, sep="\\n")
        """,
    ),
    case(
        "assignments in a chain, and changes in place",
        """
        import pandas as pd

        df = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
        column = df["a"]
        """,
        after="""
        import warnings

        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            df["a"][0] = 99
            df["a"].replace(2, 98, inplace=True)
            column.replace(1, 97, inplace=True)
        print(df, column, [w.category.__name__ for w in seen])
        """,
    ),
    case(
        "arrays out of frames, and frames out of arrays",
        """
        import numpy as np
        import pandas as pd

        source = np.arange(6.0).reshape(3, 2)
        copied, table = pd.DataFrame(source, columns=["a", "b"]), {"a": np.arange(3)}
        series = pd.Series(table["a"])
        values, numbers = copied.to_numpy(), series.values
        """,
        after="""
        source[0, 0] = table["a"][0] = 99
        series.iloc[1] = 77
        copied.loc[2, "b"] = 55
        print(source, table, copied, series, values.flags.writeable, numbers.flags.writeable)
        """,
    ),
    case(
        "frames without rows, without columns, and with columns of one name",
        """
        import pandas as pd

        nothing, columns, rows = pd.DataFrame(), pd.DataFrame(columns=["a", "b"]), pd.DataFrame(index=[1, 2])
        twice = pd.DataFrame([[1, 2.5, "x"]], columns=["a", "a", "b"])
        typed = pd.DataFrame({"a": pd.Series([], dtype="int8"), "t": pd.Series([], dtype="datetime64[s]")})
        odd = pd.DataFrame([[1, 2, 3]], columns=[1, "1", (1, 2)])
        odd.columns.name = "names"
        """,
        after="""
        twice["b"] = 5
        print(
            nothing,
            columns,
            rows,
            twice,
            twice["a"].iloc[0].tolist(),
            twice.dtypes.tolist(),
            typed.dtypes,
            odd,
            odd[(1, 2)],
        )
        print(columns.columns, typed.shape, rows.shape)
        """,
    ),
    case(
        "what is known about a frame",
        """
        import pandas as pd

        df = pd.DataFrame({"a": [1, 2]})
        notes = ["n"]
        df.attrs["source"], df["a"].attrs["unit"] = notes, "kg"
        strict = df.set_flags(allows_duplicate_labels=False)
        series = pd.Series([1, 2], name=("deep", "name"))
        series.attrs["k"] = "v"
        """,
        after="""
        notes.append("m")
        print(df.attrs, df.attrs["source"] is notes, strict.flags.allows_duplicate_labels, series.name, series.attrs)
        try:
            strict.index = [0, 0]
        except Exception as error:
            print(type(error).__name__)
        """,
    ),
    case(
        "subclasses of frames and series",
        """
        import pandas as pd


        class Priced(pd.DataFrame):
            _metadata = ["currency"]

            @property
            def _constructor(self):
                return Priced

            @property
            def _constructor_sliced(self):
                return Column

            def total(self):
                return self.sum().sum() * factor


        class Column(pd.Series):
            @property
            def _constructor(self):
                return Column


        prices, factor = Priced({"a": [1, 2]}), 1
        prices.currency = "EUR"
        column, part = prices["a"], prices[prices.a > 1]
        """,
        after="""
        factor = 10
        print(prices, prices.currency, prices.total(), type(column) is Column, type(part) is Priced, part.currency)
        print(type(prices.head(1)) is Priced, prices.copy().currency)
        """,
    ),
    case(
        "groups, windows and samples that wait for their function",
        """
        import pandas as pd

        df = pd.DataFrame({"k": ["a", "b", "a"], "v": [1.0, 2.0, 3.0]}, index=pd.date_range("2025-01-01", periods=3))
        by, column = df.groupby("k"), df.groupby("k", sort=False)["v"]
        window, growing, weighted = df["v"].rolling(2), df["v"].expanding(), df["v"].ewm(alpha=0.5)
        samples, grouper, modulus = df["v"].resample("2D"), pd.Grouper(key="k"), 2
        by_function = df.groupby(lambda when: when.day % modulus)
        """,
        after="""
        print(by.sum(), column.agg(["mean", "max"]), by.ngroups, by.get_group("a"), by_function["v"].sum())
        print(
            window.mean().tolist(),
            growing.sum().tolist(),
            weighted.mean().tolist(),
            samples.sum(),
            df.groupby(grouper)["v"].max(),
        )
        print([(name, len(group)) for name, group in by], by.obj is df)
        """,
    ),
    case(
        "columns of mixed objects",
        """
        import datetime
        import numpy as np
        import pandas as pd


        class Text(str): ...


        item = [1]
        mixed = pd.Series(
            [None, np.nan, "s", 1, True, 2.5, Text("t"), np.str_("n"), b"b", pd.NA, pd.NaT, item, (1, None)],
            dtype=object,
        )
        dates = pd.Series([datetime.date(2025, 1, 1), None], dtype=object)
        nested = pd.DataFrame({"l": [item, item], "d": [{"k": item}, None], "f": [len, pd.DataFrame({"in": [1]})]})
        words = pd.Series(["a", None, np.nan, "a", ""], dtype=object)
        """,
        after="""
        item.append(2)
        print(
            [type(v).__name__ for v in mixed],
            mixed[0] is None,
            mixed[9] is pd.NA,
            mixed[10] is pd.NaT,
            mixed[11] is item,
        )
        print([type(v).__name__ for v in words], words.isna().tolist(), dates.tolist(), words.tolist())
        print(nested.l[0] is nested.l[1] is nested.d[0]["k"] is item, nested.f[0] is len, nested.f[1])
        """,
    ),
    case(
        "single values of pandas",
        """
        import pandas as pd

        when = pd.Timestamp("2025-10-26 04:30", tz="Europe/Berlin").as_unit("ns")
        span, month, between = pd.Timedelta("1 days 2h"), pd.Period("2025-02", "M"), pd.Interval(0, 1, closed="both")
        missing, never = pd.NA, pd.NaT
        offsets = [pd.offsets.BDay(2), pd.offsets.CustomBusinessDay(holidays=["2025-01-02"]), pd.DateOffset(months=1)]
        """,
        after="""
        print(when, when.tz, when.unit, span, month + 1, 1 in between, missing is pd.NA, never is pd.NaT)
        print([pd.Timestamp("2025-01-01") + offset for offset in offsets])
        """,
    ),
    case(
        "what looks at a frame: accessors, indexers, iterators",
        """
        import pandas as pd

        df = pd.DataFrame({"s": ["a", "b"], "n": [1, 2], "t": pd.to_datetime(["2025-01-01", "2025-06-01"])})
        text, times, at, cell = df["s"].str, df["t"].dt, df.loc, df.iat
        rows = [tuple(row) for row in df.itertuples(index=False)]
        first = next(df.itertuples())
        """,
        after="""
        at[0, "n"] = 10
        cell[1, 1] = 20
        print(df, text.upper().tolist(), times.month.tolist(), rows, first.s)
        """,
        either={"first": ("Pandas|pickle", "print(first.n)")},
    ),
    case(
        "a frame with accessors of the session's own",
        """
        import pandas as pd


        @pd.api.extensions.register_dataframe_accessor("mine")
        class Mine:
            def __init__(self, df):
                self.df = df

            def total(self):
                return self.df.sum().sum() * factor


        df, factor = pd.DataFrame({"a": [1, 2]}), 1
        df.mine.total()
        """,
        after="""
        factor = 10
        print(df.mine.total(), pd.DataFrame({"b": [5]}).mine.total())
        """,
    ),
    case(
        "frames made from frames, in containers and closures",
        """
        import pandas as pd

        df = pd.DataFrame({"k": ["a", "b"], "v": [1, 2]})
        tables = {"df": df, "again": [df, df.T], "by": dict(list(df.groupby("k")))}


        def add(name, value):
            df[name] = value
            return df


        pivot, merged, dummies = df.pivot_table(index="k", values="v"), df.merge(df, on="k"), pd.get_dummies(df.k)
        total = df.v.sum
        """,
        after="""
        add("new", 5)
        df.loc[0, "v"] = 100
        print(
            tables["df"] is df is tables["again"][0],
            tables["again"][1],
            tables["by"]["a"],
            pivot,
            merged,
            dummies,
            total(),
        )
        """,
    ),
    case(
        "readers of tables in parts, and writers",
        """
        import pandas as pd

        pd.DataFrame({"a": range(6)}).to_csv("t.csv", index=False)
        pd.DataFrame({"a": [1]}).to_excel("t.xlsx", index=False)
        parts, book, writer = pd.read_csv("t.csv", chunksize=2), pd.ExcelFile("t.xlsx"), pd.ExcelWriter("w.xlsx")
        first = parts.get_chunk()
        """,
        after="print(first, pd.read_csv('t.csv').shape, pd.read_excel('t.xlsx'))",
        missing={"parts": ".", "writer": "."},
        either={"book": (".", "print(book.sheet_names, book.parse())")},
    ),
]
