"""Tables of pyarrow and polars, and what duckdb holds."""

from tests.unit.state.namespaces.cases import case

CASES = [
    case(
        "arrays and tables of Arrow",
        """
        import pyarrow as pa

        numbers, texts = pa.array([1, None, 3], pa.int16()), pa.array(["a", "ü", None])
        nested = pa.array([[{"x": 1}], None, []], pa.list_(pa.struct([("x", pa.int8())])))
        coded = pa.array(["a", "b", "a"]).dictionary_encode()
        schema = pa.schema(
            [pa.field("n", pa.int16(), nullable=True, metadata={"unit": "m"}), ("t", pa.string())], {"k": "v"}
        )
        table = pa.table([numbers, texts], schema=schema)
        batch, chunked = table.to_batches()[0], pa.chunked_array([numbers, numbers[:1]])
        scalar, kind, buffer = numbers[0], pa.decimal128(5, 2), pa.py_buffer(b"bytes")
        """,
        after="""
        print(
            table.to_pydict(),
            table.schema.metadata,
            table.schema.field("n").metadata,
            table.schema.equals(schema, True),
        )
        print(
            nested.to_pylist(),
            coded.dictionary.to_pylist(),
            coded.type,
            batch.num_rows,
            chunked.num_chunks,
            chunked.to_pylist(),
        )
        print(
            scalar.as_py(),
            scalar.type,
            kind,
            buffer.to_pybytes(),
            numbers.null_count,
            numbers.sum() if 0 else len(texts),
        )
        """,
    ),
    case(
        "slices of Arrow, small parts of large ones",
        """
        import pyarrow as pa

        large = pa.array(range(200_000))
        middle, table = large[100_000:100_005], pa.table({"n": large, "s": pa.array(["x"] * 200_000)})
        rows, joined = table.slice(199_990), pa.concat_tables([table.slice(0, 3), table.slice(10, 2)])
        flags = pa.array([i % 3 == 0 for i in range(1000)])[3:11]
        """,
        after="""
        print(
            middle.to_pylist(),
            middle.offset >= 0,
            rows.to_pydict(),
            joined.to_pydict(),
            joined["n"].num_chunks,
            flags.to_pylist(),
        )
        print(len(large), table.num_rows, large[-1].as_py())
        """,
    ),
    case(
        "rare types of Arrow",
        """
        import pyarrow as pa

        runs = pa.RunEndEncodedArray.from_arrays([2, 5], ["a", "b"])
        union = pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])])
        mapping = pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8()))
        fixed, views = (
            pa.array([[1, 2]], pa.list_(pa.int8(), 2)),
            pa.array(["short", "a long text beyond twelve"], pa.string_view()),
        )
        times = pa.array([1, None], pa.timestamp("ns", "Europe/Berlin"))
        large, halves = pa.array(["a"], pa.large_string()), pa.array([1.5], pa.float16())
        ids, nothing = pa.array([b"x" * 16], pa.uuid()), pa.nulls(3)
        """,
        after="""
        for each in (runs, union, mapping, fixed, views, times, large, halves, ids, nothing):
            print(each.to_pylist(), each.type, each.null_count)
        """,
    ),
    case(
        "expressions, options and functions of Arrow",
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        test, order, total = pc.field("n") > 1, pc.SortOptions([("n", "descending")]), pc.sum
        table, groups = pa.table({"n": [1, 2, 3]}), pa.table({"k": ["a", "a"], "v": [1, 2]}).group_by("k")
        """,
        after="""
        print(table.filter(test).to_pydict(), total(table["n"]).as_py(), pc.add(table["n"], 1).to_pylist())
        """,
        either={
            "order": ("pickl|Sort", "print(order)"),
            "groups": ("pickle|TableGroupBy", "print(groups.aggregate([('v', 'sum')]).to_pydict())"),
        },
    ),
    case(
        "files and streams of Arrow",
        """
        import pyarrow as pa
        import pyarrow.dataset as ds
        import pyarrow.parquet as pq
        from pyarrow import fs

        table = pa.table({"n": [1, 2, 3]})
        pq.write_table(table, "t.parquet")
        file, sink, source = pq.ParquetFile("t.parquet"), pa.BufferOutputStream(), pa.memory_map("t.parquet")
        writer, reader = pa.ipc.new_stream(sink, table.schema), table.to_reader()
        disk, dataset = fs.LocalFileSystem(), ds.dataset("t.parquet")
        """,
        after="print(pq.read_table('t.parquet').to_pydict(), table.num_rows)",
        missing=dict.fromkeys(("file", "sink", "source", "writer", "reader"), "."),
        either={
            "disk": (".", "print(disk.get_file_info('t.parquet').is_file)"),
            "dataset": (".", "print(dataset.to_table().to_pydict())"),
        },
    ),
    case(
        "frames and tables of one another",
        """
        import pandas as pd
        import pyarrow as pa

        df = pd.DataFrame({"n": [1, 2], "s": ["a", None]}, index=pd.Index([5, 6], name="id"))
        table = pa.Table.from_pandas(df)
        back, lazy = table.to_pandas(), table.to_pandas(types_mapper=pd.ArrowDtype)
        """,
        after="""
        back.loc[6, "n"] = 200
        print(table.to_pydict(), df, back, lazy, lazy.dtypes, table.schema.pandas_metadata["index_columns"])
        """,
    ),
    case(
        "frames of polars",
        """
        import datetime
        import polars as pl

        df = pl.DataFrame(
            {
                "n": [1, None, 3],
                "f": [0.5, float("nan"), 2.0],
                "s": ["a", "ü", None],
                "b": [True, None, False],
                "l": [[1, 2], None, []],
                "st": [{"x": 1, "y": "a"}, {"x": None, "y": "b"}, None],
                "d": [datetime.date(2025, 1, 1)] * 3,
                "t": [datetime.datetime(2025, 1, 1, 12)] * 3,
                "bin": [b"x", b"", None],
            }
        )
        typed = df.select(
            pl.col("s").cast(pl.Categorical), pl.col("n").cast(pl.UInt8), e=pl.lit("x").cast(pl.Enum(["x", "y"]))
        )
        zoned = df.select(pl.col("t").dt.replace_time_zone("Europe/Berlin"), dur=pl.duration(hours=1))
        same, part, empty = df, df[1:], df.clear()
        """,
        after="""
        print(
            df.to_dicts(),
            df.schema,
            same is df,
            part.rows(),
            empty.schema == df.schema,
            typed.to_dicts(),
            typed.schema,
        )
        print(zoned.to_dicts(), zoned.schema, df.filter(pl.col("n") > 1).height)
        df.insert_column(0, pl.Series("new", [9, 9, 9]))
        print(same.columns[0], part.columns[0])
        """,
    ),
    case(
        "series of polars",
        """
        import polars as pl

        numbers, texts = pl.Series("n", [3, 1, None], dtype=pl.Int16), pl.Series("t", ["a", None, "b"] * 30_000)
        lists, nothing = pl.Series("l", [[["deep"]], None]), pl.Series("e", [], dtype=pl.Float32)
        ordered, part = numbers.sort(), texts[80_000:80_003]
        """,
        after="""
        print(
            numbers.to_list(),
            numbers.dtype,
            numbers.name,
            texts.len(),
            texts.null_count(),
            lists.to_list(),
            nothing.dtype,
        )
        print(ordered.to_list(), ordered.flags, part.to_list(), (numbers + 1).to_list())
        """,
    ),
    case(
        "queries of polars that have yet to run",
        """
        import polars as pl

        df = pl.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})
        lazy = df.lazy().filter(pl.col("v") > 1).group_by("k").agg(pl.col("v").sum()).sort("k")
        expression, selector = (pl.col("v") * 2).alias("w"), pl.selectors.numeric()
        schema, kind = df.schema, pl.List(pl.Struct({"x": pl.Int8}))
        df.write_parquet("t.parquet")
        scan = pl.scan_parquet("t.parquet").select("v")
        """,
        after="""
        print(
            lazy.collect().rows(),
            df.with_columns(expression).rows(),
            df.select(selector).columns,
            schema["v"],
            kind,
            scan.collect().rows(),
        )
        """,
    ),
    case(
        "functions of the session within polars",
        """
        import polars as pl

        df, factor = pl.DataFrame({"v": [1, 2]}), 1
        mapped = pl.col("v").map_elements(lambda v: v * factor, return_dtype=pl.Int64)
        groups = df.group_by("v", maintain_order=True)


        class Thing: ...


        thing = Thing()
        """,
        after="print(df.rows(), type(thing) is Thing)",
        either={
            "mapped": (".", "print(df.select(mapped).rows())"),
            "groups": (".", "print(groups.len().rows())"),
        },
    ),
    case(
        "columns of objects in polars, and its SQL",
        """
        import polars as pl

        things = pl.Series("o", [{1}, None, len], dtype=pl.Object)
        sql = pl.SQLContext(t=pl.DataFrame({"a": [1, 2]}))
        kept = sql.execute("select sum(a) as s from t", eager=True)
        """,
        after="print(kept.rows())",
        either={
            "things": (".", "print(things.to_list()[0], things.dtype)"),
            "sql": (".", "print(sql.execute('select max(a) as m from t', eager=True).rows())"),
        },
    ),
    case(
        "connections and relations of duckdb, and what was fetched",
        """
        import duckdb
        import pandas as pd

        db = duckdb.connect()
        db.sql("create table t as select 1 as a, 'x' as b")
        relation, cursor, rows = db.sql("select * from t"), db.cursor(), db.execute("select * from t").fetchall()
        frame = db.sql("select a + 1 as c from t").df()
        df = pd.DataFrame({"v": [1, 2, 3]})
        over, kind = duckdb.sql("select sum(v) as s from df"), duckdb.sqltypes.INTEGER
        total = over.fetchall()
        """,
        after="""
        df.loc[0, "v"] = 10
        print(rows, frame, total, duckdb.sql("select sum(v) as s from df").fetchall())
        """,
        missing={
            "db": "database",
            "relation": "database|DuckDB|duckdb",
            "cursor": "database",
            "over": "database|DuckDB|duckdb",
        },
        either={"kind": (".", "print(kind)")},
    ),
    case(
        "tables of duckdb in a file",
        """
        import duckdb

        with duckdb.connect("data.duckdb") as db:
            db.sql("create table t as select range as n from range(5)")
        """,
        after="""
        with duckdb.connect("data.duckdb") as again:
            print(again.sql("select sum(n) from t").fetchall())
        """,
        either={"db": ("database", "print(type(db).__name__)")},
    ),
]
