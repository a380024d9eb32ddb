"""Tables with the engines that bring threads and allocators of their own: polars, DuckDB and Arrow."""

from __future__ import annotations

from tests.sandbox.case import Allowed, Group

ENGINES: tuple[Allowed, ...] = (
    Allowed(
        "polars: a lazy query over CSV and parquet, with its plan",
        """
import polars as pl, datetime as dt
n = 100_000
frame = pl.DataFrame({"id": range(n), "shop": [f"shop {i % 7}" for i in range(n)], 
                      "eur": [i % 100 / 4 for i in range(n)],
                      "day": [dt.date(2025, 1, 1) + dt.timedelta(days=i % 365) for i in range(n)]})
frame.write_csv("polars.csv")
frame.write_parquet("polars.parquet", compression="zstd", row_group_size=10_000)
query = (pl.scan_csv("polars.csv", try_parse_dates=True)
         .filter(pl.col("day").dt.month() == 3)
         .group_by("shop").agg(pl.col("eur").sum().alias("sum"), pl.len().alias("n"))
         .sort("shop"))
assert "FILTER" in query.explain() or "SELECTION" in query.explain()
march = query.collect()
same = pl.scan_parquet("polars.parquet").filter(pl.col("day").dt.month() == 3).group_by("shop").agg(
    pl.col("eur").sum().alias("sum"), pl.len().alias("n")).sort("shop").collect()
assert march.equals(same) and march["n"].sum() == frame.filter(pl.col("day").dt.month() == 3).height
print(march)
print("WORKS")
""",
    ),
    Allowed(
        "polars: streaming from a file into a file",
        """
import polars as pl
n = 500_000
pl.DataFrame({"k": pl.arange(0, n, eager=True) % 1000, "v": pl.arange(0, n, eager=True)}).write_parquet("big.parquet")
sums = pl.scan_parquet("big.parquet").group_by("k").agg(pl.col("v").sum()).collect(engine="streaming")
assert sums["v"].sum() == n * (n - 1) // 2 and sums.height == 1000
pl.scan_parquet("big.parquet").filter(pl.col("k") < 10).sink_parquet("small.parquet")
pl.scan_parquet("big.parquet").sort("v", descending=True).sink_csv("sorted.csv")
assert pl.read_parquet("small.parquet").height == 5_000
assert open("sorted.csv").readlines()[1].strip() == f"{(n - 1) % 1000},{n - 1}"
print("WORKS")
""",
    ),
    Allowed(
        "polars: its thread pool, joins, windows and functions of Python",
        """
import polars as pl
n = 300_000
a = pl.DataFrame({"k": [i * 7919 % n for i in range(n)], "x": [float(i) for i in range(n)]})
b = pl.DataFrame({"k": range(n), "y": [i % 13 for i in range(n)]})
joined = a.join(b, on="k", how="inner").with_columns(pl.col("x").rank().over("y").alias("r"))
assert joined.height == n and joined["r"].max() > 20_000
assert pl.thread_pool_size() >= 1
several = pl.collect_all([a.lazy().select(pl.col("x").quantile(q / 10)) for q in range(11)])
assert [frame.item() for frame in several] == sorted(frame.item() for frame in several)
words = pl.Series(["a b", "c"]).to_frame("t").with_columns(
    pl.col("t").str.split(" ").list.len().alias("n"),
    pl.col("t").map_elements(str.upper, return_dtype=pl.String).alias("u"))
assert words["n"].to_list() == [2, 1] and words["u"].to_list() == ["A B", "C"]
assert a.to_pandas().shape == a.shape and pl.from_pandas(a.head(3).to_pandas()).equals(a.head(3))
print("WORKS")
""",
    ),
    Allowed(
        "duckdb: SQL in memory, with windows, JSON and dates",
        """
import duckdb
con = duckdb.connect()
con.execute("CREATE TABLE t AS SELECT range AS i, range % 10 AS g, range * 0.5 AS x FROM range(200000)")
counted = con.execute("SELECT count(*), sum(x) FROM t WHERE g = ?", [3]).fetchall()[0]
assert counted == (20_000, sum(i * 0.5 for i in range(3, 200_000, 10)))
rows = con.sql("SELECT g, avg(x) OVER (PARTITION BY g ORDER BY i ROWS 2 PRECEDING) AS m FROM t QUALIFY "
               "row_number() OVER (PARTITION BY g ORDER BY i) = 3 ORDER BY g").fetchall()
assert rows[0] == (0, 5.0) and len(rows) == 10
assert con.execute("SELECT date_diff('day', DATE '2024-02-28', DATE '2024-03-01')").fetchall()[0] == (2,)
assert con.execute("SELECT list_sort([3, 1, 2]), {'a': 1}.a, 'x' || 'y'").fetchall()[0] == ([1, 2, 3], 1, "xy")
con.create_function("twice", lambda v: 2 * v, ["BIGINT"], "BIGINT")
assert con.execute("SELECT sum(twice(i)) FROM t WHERE i < 4").fetchall()[0] == (12,)
print(con.sql("SUMMARIZE t"))
con.close()
print("WORKS")
""",
    ),
    Allowed(
        "duckdb: a database in a file, reopened, with a transaction rolled back",
        """
import duckdb, os
for old in ("shop.duckdb", "shop.duckdb.wal"):
    if os.path.exists(old):
        os.remove(old)
with duckdb.connect("shop.duckdb") as con:
    con.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, name VARCHAR, price DECIMAL(9, 2))")
    con.executemany("INSERT INTO items VALUES (?, ?, ?)", [(i, f"item {i}", i / 4) for i in range(500)])
    con.begin()
    con.execute("DELETE FROM items")
    con.rollback()
    con.execute("CHECKPOINT")
with duckdb.connect("shop.duckdb", read_only=True) as con:
    assert con.execute("SELECT count(*), max(price) FROM items").fetchall()[0][0] == 500
    try:
        con.execute("INSERT INTO items VALUES (1000, 'x', 1)")
        raise SystemError("a read-only database was written to")
    except duckdb.InvalidInputException:
        pass
assert os.path.getsize("shop.duckdb") > 4096
print("WORKS")
""",
    ),
    Allowed(
        "duckdb: queries over frames of pandas, polars and Arrow",
        """
import duckdb, pandas as pd, polars as pl, pyarrow as pa
people = pd.DataFrame({"id": [1, 2, 3], "name": ["Ada", "Emmy", "Sofja"]})
visits = pl.DataFrame({"id": [1, 1, 3], "day": ["mon", "tue", "mon"]})
cost = pa.table({"day": ["mon", "tue"], "eur": [10, 20]})
total = duckdb.sql('''SELECT name, sum(eur) AS eur FROM people JOIN visits USING (id) JOIN cost USING (day)
                      GROUP BY name ORDER BY name''')
assert total.fetchall() == [("Ada", 30), ("Sofja", 10)]
assert total.df().eur.tolist() == [30, 10] and total.pl()["eur"].to_list() == [30, 10]
assert total.to_arrow_table().num_rows == 2
duckdb.register("named", people.assign(x=1))
assert duckdb.query("SELECT sum(x) FROM named").fetchall() == [(3,)]
print("WORKS")
""",
    ),
    Allowed(
        "duckdb: COPY to and from parquet, CSV and JSON, with wildcards and partitions",
        """
import duckdb, pathlib, shutil
shutil.rmtree("lake", ignore_errors=True)
con = duckdb.connect()
con.execute("CREATE TABLE t AS SELECT range AS i, range % 3 AS part, 'text ' || range AS s FROM range(30000)")
con.execute("COPY t TO 'lake' (FORMAT parquet, PARTITION_BY (part))")
assert len(list(pathlib.Path("lake").rglob("*.parquet"))) >= 3
assert con.execute("SELECT count(*), sum(i) FROM read_parquet('lake/*/*.parquet', hive_partitioning = true) "
               "WHERE part = 1").fetchall()[0] == (10_000, 149_995_000)
con.execute("COPY (FROM t LIMIT 1000) TO 'some.csv.gz' (HEADER, DELIMITER ';')")
assert con.sql("FROM read_csv('some.csv.gz')").fetchall()[999] == (999, 0, "text 999")
con.execute("COPY (FROM t LIMIT 10) TO 'some.json'")
assert con.execute("SELECT max(i) FROM 'some.json'").fetchall()[0] == (9,)
con.execute("EXPORT DATABASE 'exported' (FORMAT csv)")
con.close()
fresh = duckdb.connect()
fresh.execute("IMPORT DATABASE 'exported'")
assert fresh.execute("SELECT count(*) FROM t").fetchall()[0] == (30_000,)
print("WORKS")
""",
    ),
    Allowed(
        "duckdb: more than its memory, through its directory of temporary files",
        """
import duckdb, pathlib, tempfile, threading
spill = pathlib.Path(tempfile.mkdtemp(prefix="spill-"))
con = duckdb.connect()
con.execute("SET memory_limit = '60MB'"); con.execute("SET threads = 2")
con.execute(f"SET temp_directory = '{spill}'")
seen, over = [0], threading.Event()
def watch():
    while not over.wait(0.01):
        seen[0] = max(seen[0], sum(1 for _ in spill.glob("*")))
watcher = threading.Thread(target=watch)
watcher.start()
try:
    con.execute("CREATE TEMP TABLE t AS SELECT hash(range) AS h, 'padding ' || range AS s FROM range(2000000)")
    low = con.execute("SELECT h, s FROM t ORDER BY h, s LIMIT 1 OFFSET 1999999").fetchall()[0]
    assert low == con.execute("SELECT max(h), arg_max(s, h) FROM t").fetchall()[0]
finally:
    over.set(); watcher.join(); con.close()
assert seen[0] > 0, "nothing was spilled"
here = duckdb.connect("default_spill.duckdb")
here.execute("SET memory_limit = '60MB'"); here.execute("SET threads = 2")
assert here.execute("SELECT count(DISTINCT hash(range)) FROM range(1000000)").fetchall()[0] == (1_000_000,)
here.close()
print("WORKS")
""",
        group=Group.FILES,
    ),
    Allowed(
        "pyarrow: CSV, parquet and a partitioned dataset",
        """
import pyarrow as pa, pyarrow.csv, pyarrow.parquet as pq, pyarrow.dataset as ds, shutil
shutil.rmtree("events", ignore_errors=True)
n = 60_000
table = pa.table({"year": pa.array([2023 + i % 3 for i in range(n)], pa.int16()), 
                  "user": [f"u{i % 500}" for i in range(n)],
                  "ms": pa.array(range(n), pa.int64())})
pa.csv.write_csv(table, "events.csv")
read = pa.csv.read_csv("events.csv", convert_options=pa.csv.ConvertOptions(column_types={"year": pa.int16()}))
assert read.equals(table)
ds.write_dataset(table, "events", format="parquet", partitioning=ds.partitioning(pa.schema([("year", pa.int16())])))
events = ds.dataset("events", partitioning=ds.partitioning(pa.schema([("year", pa.int16())])))
some = events.to_table(filter=(ds.field("year") == 2024) & (ds.field("ms") < 300), columns=["user"])
assert some.num_rows == 100
pq.write_table(table, "events.parquet", row_group_size=5_000, compression="zstd")
file = pq.ParquetFile("events.parquet")
assert file.metadata.num_row_groups == 12 and sum(b.num_rows for b in file.iter_batches(1000)) == n
assert file.schema_arrow.equals(table.schema)
print("WORKS")
""",
    ),
    Allowed(
        "pyarrow: a memory-mapped Arrow file, and streams of record batches",
        """
import pyarrow as pa, pyarrow.ipc
table = pa.table({"x": pa.array(range(1_000_000), pa.float64())})
with pa.OSFile("x.arrow", "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
    writer.write_table(table, max_chunksize=100_000)
before = pa.total_allocated_bytes()
with pa.memory_map("x.arrow", "r") as source:
    mapped = pa.ipc.open_file(source).read_all()
    assert pa.total_allocated_bytes() - before < 1_000_000 and mapped.num_rows == 1_000_000
    assert mapped["x"].chunk(9).to_numpy()[-1] == 999_999
    del mapped
with pa.create_memory_map("plain.bin", 4096) as room:
    room.write(b"hello")
assert open("plain.bin", "rb").read(5) == b"hello"
buffer = pa.BufferOutputStream()
with pa.ipc.new_stream(buffer, table.schema) as writer:
    for batch in table.slice(0, 3000).to_batches(1000):
        writer.write_batch(batch)
assert sum(batch.num_rows for batch in pa.ipc.open_stream(buffer.getvalue())) == 3000
print("WORKS")
""",
    ),
    Allowed(
        "pyarrow: compute functions, threads, and every memory pool",
        """
import pyarrow as pa, pyarrow.compute as pc, pyarrow.acero
table = pa.table({"k": ["a", "b", None, "a"] * 50_000, "v": list(range(200_000))})
grouped = table.group_by("k").aggregate([("v", "sum"), ("v", "count")]).sort_by("k")
assert grouped["v_count"].to_pylist() == [100_000, 50_000, 50_000]
assert pc.sum(pc.if_else(pc.is_null(table["k"]), 1, 0)).as_py() == 50_000
assert pc.match_substring_regex(pa.array(["Straße 7", "Platz"]), r"[0-9]+").to_pylist() == [True, False]
joined = table.join(pa.table({"k": ["a"], "w": [1.5]}), "k", join_type="inner")
assert joined.num_rows == 100_000 and pc.mean(joined["w"]).as_py() == 1.5
pa.set_cpu_count(4)
assert pa.cpu_count() == 4
pools = [pa.system_memory_pool(), pa.mimalloc_memory_pool(), pa.jemalloc_memory_pool()]
for pool in pools:
    array = pa.array(range(300_000), memory_pool=pool)
    assert pool.bytes_allocated() >= 300_000 * 8 and pc.max(array, memory_pool=pool).as_py() == 299_999
    del array
    pool.release_unused()
print([pool.backend_name for pool in pools], pa.default_memory_pool().backend_name)
print("WORKS")
""",
    ),
)
