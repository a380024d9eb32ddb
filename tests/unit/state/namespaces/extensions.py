"""Columns that are no plain arrays: categories, missing values, Arrow, times, intervals, sparse ones."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "categories, ordered, unused, shared",
        """
        import pandas as pd

        kind = pd.CategoricalDtype(["low", "mid", "high"], ordered=True)
        df = pd.DataFrame({"a": pd.Categorical(["low", None, "high"], dtype=kind), "b": pd.Categorical([3, 1, 3])})
        raw, part, codes = df["a"].array, df[:1], df["b"].cat.codes
        empty = pd.Categorical([], categories=["x"])
        times = pd.Categorical(pd.to_datetime(["2025-01-01", "2024-01-01"]))
        """,
        after="""
        df.loc[1, "a"] = "mid"
        print(
            df,
            df.a.dtype == kind,
            df.a.dtype.ordered,
            df.a.max(),
            part.a.cat.categories,
            codes.tolist(),
            raw,
            empty,
            times,
        )
        try:
            df.loc[0, "a"] = "unknown"
        except TypeError as error:
            print("refused")
        print(df.a.cat.add_categories("new").cat.categories.tolist(), (df.a > "low").tolist())
        """,
    ),
    case(
        "columns with missing values",
        """
        import pandas as pd

        df = pd.DataFrame({
            "i": pd.array([1, None, 3], dtype="Int64"), "u": pd.array([1, 2, None], dtype="UInt8"),
            "f": pd.array([0.5, None, 2], dtype="Float32"), "b": pd.array([True, None, False], dtype="boolean"),
        })
        array, part = df["i"].array, df.iloc[1:]
        """,
        after="""
        df.loc[0, "i"] = pd.NA
        df.loc[1, "b"] = True
        print(df, df.dtypes, df.sum(), array, part, df.i[0] is pd.NA, (df.f * 2).tolist(), df.b & True)
        """,
    ),
    case(
        "texts in every kind of column",
        """
        import numpy as np
        import pandas as pd

        values = ["a", None, "größe"]
        kinds = [
            "str",
            "string[python]",
            "string[pyarrow]",
            pd.StringDtype("python", na_value=np.nan),
            "large_string[pyarrow]",
            object,
        ]
        columns = [pd.Series(values, dtype=kind) for kind in kinds]
        df = pd.DataFrame(dict(enumerate(columns)))
        view = df[0]
        """,
        after="""
        df.loc[0, 0], df.loc[0, 1], view.iloc[2] = "changed", "two", "view"
        for column in [*columns, df[0], df[1], view]:
            print(
                column.tolist(),
                column.dtype,
                repr(column.dtype),
                column.isna().tolist(),
                column.str.upper()[0],
                type(column[1]),
            )
        """,
    ),
    case(
        "columns of Arrow's types",
        """
        import datetime, decimal
        import pandas as pd
        import pyarrow as pa

        df = pd.DataFrame({
            "i": pd.array([1, None], dtype=pd.ArrowDtype(pa.int16())),
            "l": pd.array([[1, 2], None], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
            "s": pd.array([{"x": 1}, None], dtype=pd.ArrowDtype(pa.struct([("x", pa.int32())]))),
            "t": pd.array([datetime.datetime(2025, 1, 1), None], dtype=pd.ArrowDtype(pa.timestamp("us", "UTC"))),
            "d": pd.array([decimal.Decimal("1.10"), None], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
            "c": pd.array(["a", "b"], dtype=pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
            "b": pd.array([True, None], dtype="bool[pyarrow]"),
        })
        part, column = df[1:], df["i"]
        """,
        after="""
        df.loc[1, "i"] = 7
        print(
            df,
            df.dtypes,
            part,
            column,
            df.s.struct.field("x").tolist(),
            df.l.list.len().tolist(),
            df.t.dt.year.tolist(),
        )
        """,
    ),
    case(
        "times with zones, periods, intervals, spans",
        """
        import pandas as pd

        df = pd.DataFrame({
            "tz": pd.date_range("2025-03-30", periods=3, freq="12h", tz="Europe/Berlin"),
            "s": pd.to_datetime(["2025-01-01", None, "1800-01-01"]).astype("datetime64[s]"),
            "p": pd.period_range("2025-01", periods=3, freq="M"),
            "i": pd.arrays.IntervalArray.from_breaks([0, 1, 2, 3]),
            "d": pd.to_timedelta(["1h", None, "3 days"]),
        })
        part, moved = df[["tz", "p"]], df["tz"].dt.tz_convert("UTC")
        """,
        after="""
        df.loc[0, "tz"] = pd.Timestamp("2026-01-01", tz="Europe/Berlin")
        df.loc[1, "d"] = pd.Timedelta("5min")
        print(df, df.dtypes, part, moved, df.i.array.mid.tolist(), df.p.dt.month.tolist(), df.tz.dt.tz)
        """,
    ),
    case(
        "sparse columns",
        """
        import pandas as pd

        sparse = pd.Series([0, 0, 1, 0], dtype=pd.SparseDtype("int64", 0))
        df = pd.DataFrame({"s": sparse, "n": pd.arrays.SparseArray([None, 1.0, None, None])})
        """,
        after="""
        print(df, df.dtypes, df.sparse.density, sparse.sparse.fill_value, sparse.array.sp_index, (sparse + 1).tolist())
        """,
    ),
    case(
        "an extension type of the session's own",
        """
        import numpy as np
        import pandas as pd
        from pandas.api.extensions import ExtensionArray, ExtensionDtype


        class CmType(ExtensionDtype):
            name, type, na_value = "cm", float, np.nan

            @classmethod
            def construct_array_type(cls):
                return CmArray


        class CmArray(ExtensionArray):
            def __init__(self, data):
                self.data = np.asarray(data, float)

            dtype = CmType()

            @classmethod
            def _from_sequence(cls, scalars, *, dtype=None, copy=False):
                return cls(scalars)

            def __getitem__(self, i):
                got = self.data[i]
                return got if np.isscalar(got) else CmArray(got)

            def __setitem__(self, i, v):
                self.data[i] = v

            def __len__(self):
                return len(self.data)

            def isna(self):
                return np.isnan(self.data)

            def take(self, indexer, *, allow_fill=False, fill_value=None):
                return CmArray(self.data.take(indexer))

            def copy(self):
                return CmArray(self.data.copy())

            def meters(self):
                return self.data / scale


        series, scale = pd.Series(CmArray([100, 250])), 1
        df = pd.DataFrame({"l": series})
        """,
        after="""
        scale = 100
        series.array[0] = 300
        print(series.tolist(), series.array.meters(), df["l"].tolist(), series.dtype, isinstance(df["l"].dtype, CmType))
        """,
    ),
]
