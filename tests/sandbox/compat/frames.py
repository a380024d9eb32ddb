"""Tables with pandas: reading, writing, and what is done with them between."""

from __future__ import annotations

from tests.sandbox.case import Allowed

FRAMES: tuple[Allowed, ...] = (
    Allowed(
        "pandas: CSV, also compressed and in chunks",
        """
import numpy as np, pandas as pd
rng = np.random.default_rng(1)
orders = pd.DataFrame({
    "order": np.arange(20_000),
    "customer": rng.choice(["Müller", "O'Neil", "山田", "a,b", 'said "no"'], 20_000),
    "amount": rng.gamma(2, 30, 20_000).round(2),
    "day": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 365, 20_000), unit="D"),
})
for name in ("orders.csv", "orders.csv.gz", "orders.csv.bz2", "orders.csv.xz", "orders.csv.zip"):
    orders.to_csv(name, index=False)
    pd.testing.assert_frame_equal(pd.read_csv(name, parse_dates=["day"]), orders, check_dtype=False)
total = sum(chunk.amount.sum() for chunk in pd.read_csv("orders.csv", chunksize=3_000))
assert abs(total - orders.amount.sum()) < 1e-6
fast = pd.read_csv("orders.csv", engine="pyarrow")
assert len(fast) == 20_000 and fast.customer.nunique() == 5
print(orders.head().to_string())
print("WORKS")
""",
    ),
    Allowed(
        "pandas: JSON, as records, as lines and nested",
        """
import io, json
import pandas as pd
people = [
    {"name": "Ada", "born": 1815, "address": {"city": "London", "zip": "W1"}, "langs": ["en", "fr"]},
    {"name": "Emmy", "born": 1882, "address": {"city": "Erlangen", "zip": "91052"}, "langs": ["de"]},
]
flat = pd.json_normalize(people)
assert list(flat["address.city"]) == ["London", "Erlangen"]
flat.to_json("people.jsonl", orient="records", lines=True, force_ascii=False)
again = pd.read_json("people.jsonl", lines=True)
assert list(again.columns) == list(flat.columns) and again.born.sum() == 3697
exploded = flat.explode("langs")
assert exploded.groupby("langs").size().to_dict() == {"de": 1, "en": 1, "fr": 1}
table = pd.read_json(io.StringIO(flat.to_json(orient="table")), orient="table")
assert table.loc[1, "name"] == "Emmy"
json.dump(people, open("people.json", "w"))
assert pd.read_json("people.json").shape == (2, 4)
print("WORKS")
""",
    ),
    Allowed(
        "pandas: parquet, feather and pickle",
        """
import pandas as pd, numpy as np, shutil
shutil.rmtree("by_kind", ignore_errors=True)
frame = pd.DataFrame({
    "when": pd.date_range("2024-03-30", periods=50_000, freq="min", tz="Europe/Berlin"),
    "kind": pd.Categorical(np.tile(["a", "b"], 25_000)),
    "value": np.linspace(0, 1, 50_000),
    "maybe": pd.array([1, None] * 25_000, dtype="Int64"),
})
for compression in ("snappy", "gzip", "zstd", None):
    frame.to_parquet("frame.parquet", compression=compression)
    pd.testing.assert_frame_equal(pd.read_parquet("frame.parquet"), frame, check_dtype=False, check_freq=False)
frame.to_parquet("by_kind", partition_cols=["kind"])
part = pd.read_parquet("by_kind", filters=[("kind", "==", "a"), ("value", "<", 0.5)], columns=["value"])
assert len(part) == 12_500
frame.to_feather("frame.feather")
assert pd.read_feather("frame.feather").maybe.isna().sum() == 25_000
frame.to_pickle("frame.pkl.gz")
assert pd.read_pickle("frame.pkl.gz").equals(frame)
print("WORKS")
""",
    ),
    Allowed(
        "pandas: an Excel workbook with two sheets, formats and a chart",
        """
import pandas as pd
from openpyxl import load_workbook
from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.styles import Font, PatternFill
sales = pd.DataFrame({"month": pd.period_range("2025-01", periods=12, freq="M").astype(str),
                      "north": range(10, 130, 10), "south": range(120, 0, -10)})
with pd.ExcelWriter("report.xlsx", engine="openpyxl") as writer:
    sales.to_excel(writer, sheet_name="Sales", index=False)
    sales.describe().to_excel(writer, sheet_name="Summary")
book = load_workbook("report.xlsx")
sheet = book["Sales"]
sheet.freeze_panes = "B2"
sheet["D1"], sheet["D2"] = "total", "=SUM(B2:C2)"
for cell in sheet[1]:
    cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="DDDDDD")
for chart, place in ((BarChart(), "F2"), (LineChart(), "F20")):
    chart.title = "Sales by month"
    chart.add_data(Reference(sheet, min_col=2, max_col=3, min_row=1, max_row=13), titles_from_data=True)
    chart.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=13))
    sheet.add_chart(chart, place)
book.save("report.xlsx")
sheets = pd.read_excel("report.xlsx", sheet_name=None)
assert list(sheets) == ["Sales", "Summary"] and sheets["Sales"].north.sum() == 780
assert len(load_workbook("report.xlsx")["Sales"]._charts) == 2
print("WORKS")
""",
    ),
    Allowed(
        "pandas: dates with time zones, over the change to summer time",
        """
import pandas as pd
text = ["2025-03-30 01:30", "2025-03-30 03:30", "2025-10-26 02:30"]
berlin = pd.to_datetime(pd.Series(text)).dt.tz_localize("Europe/Berlin", ambiguous=[True] * 3)
assert berlin.dt.tz_convert("UTC").dt.hour.tolist() == [0, 1, 0]
assert (berlin[1] - berlin[0]) == pd.Timedelta("1h")
tokyo = berlin.dt.tz_convert("Asia/Tokyo")
assert tokyo.dt.strftime("%H:%M %Z").tolist() == ["09:30 JST", "10:30 JST", "09:30 JST"]
mixed = pd.to_datetime(["2025-01-01T00:00:00+02:00", "2025-01-01T00:00:00-05:00"], utc=True)
assert (mixed[1] - mixed[0]) == pd.Timedelta("7h")
assert pd.to_datetime("31.12.2025", format="%d.%m.%Y").day_name() == "Wednesday"
assert pd.to_datetime(["nonsense", "2025-02-30"], format="%Y-%m-%d", errors="coerce").isna().all()
days = pd.bdate_range("2025-12-22", "2026-01-02", tz="America/New_York")
assert len(days) == 10 and days[0].utcoffset() == pd.Timedelta("-5h")
print("WORKS")
""",
    ),
    Allowed(
        "pandas: groupby with aggregates, transforms and functions",
        """
import numpy as np, pandas as pd
rng = np.random.default_rng(3)
frame = pd.DataFrame({"city": rng.choice(list("ABCD"), 100_000), "year": rng.integers(2020, 2025, 100_000),
                      "x": rng.normal(size=100_000), "w": rng.random(100_000)})
table = frame.groupby(["city", "year"]).agg(n=("x", "size"), mean=("x", "mean"), q9=("x", lambda s: s.quantile(0.9)))
assert table.n.sum() == 100_000 and len(table) == 20
centred = frame.x - frame.groupby("city").x.transform("mean")
assert centred.groupby(frame.city).mean().abs().max() < 1e-12
weighted = frame.groupby("city")[["x", "w"]].apply(lambda g: np.average(g.x, weights=g.w))
assert weighted.index.tolist() == list("ABCD")
top = frame.sort_values("x").groupby("city").tail(3)
assert len(top) == 12
assert frame.groupby("city").filter(lambda g: g.x.max() > 10).empty
print(table.head(3))
print("WORKS")
""",
    ),
    Allowed(
        "pandas: merge, join, asof and concat",
        """
import pandas as pd
left = pd.DataFrame({"id": [1, 2, 3, 3], "a": list("wxyz")})
right = pd.DataFrame({"id": [2, 3, 4], "b": [20.0, 30.0, 40.0]})
outer = left.merge(right, on="id", how="outer", indicator=True, validate="many_to_one")
assert outer._merge.value_counts().to_dict() == {"both": 3, "left_only": 1, "right_only": 1}
assert left.join(right.set_index("id"), on="id").b.isna().sum() == 1
trades = pd.DataFrame({"t": pd.to_datetime(["10:00:03", "10:00:07"], format="%H:%M:%S"), "px": [1, 2]})
quotes = pd.DataFrame({"t": pd.to_datetime(["10:00:01", "10:00:06"], format="%H:%M:%S"), "bid": [9, 8]})
assert pd.merge_asof(trades, quotes, on="t").bid.tolist() == [9, 8]
assert pd.merge_asof(trades, quotes, on="t", tolerance=pd.Timedelta("1s")).bid.tolist()[1] == 8
stacked = pd.concat({"l": left, "r": right}, names=["side"])
assert stacked.loc["r"].shape == (3, 3) and len(left.merge(right, how="cross")) == 12
print("WORKS")
""",
    ),
    Allowed(
        "pandas: rolling windows, resampling and interpolation of a series",
        """
import numpy as np, pandas as pd
hours = pd.date_range("2025-01-01", periods=24 * 90, freq="h")
load = pd.Series(np.sin(np.arange(len(hours)) * 2 * np.pi / 24), hours)
daily = load.resample("D").agg(["mean", "max"])
assert daily["mean"].abs().max() < 1e-12 and len(daily) == 90
assert load.rolling("24h").mean().iloc[-1] < 1e-12
assert load.rolling(24, center=True).std().count() == len(load) - 23
assert abs(load.ewm(span=10).mean().iloc[-1]) < 1
holes = load.copy()
holes.iloc[5::7] = np.nan
assert (holes.interpolate("time") - load).abs().max() < 0.1
cubic = holes.interpolate("cubicspline")
assert (cubic - load).abs().max() < 0.02
assert load.rolling(48).apply(lambda w: w[-1] - w[0], raw=True).iloc[-1] < 1
assert load.shift(24).corr(load) > 0.999 and load.autocorr(12) < -0.999
print("WORKS")
""",
    ),
    Allowed(
        "pandas: pivot tables, melt and stack",
        """
import pandas as pd
sold = pd.DataFrame({"shop": list("AABBCC"), "item": ["pen", "ink"] * 3, "n": [1, 2, 3, 4, 5, 6]})
wide = sold.pivot(index="shop", columns="item", values="n")
assert wide.loc["B", "ink"] == 4
with_margins = pd.pivot_table(sold, index="shop", columns="item", values="n", aggfunc="sum", margins=True)
assert with_margins.loc["All", "All"] == 21
long = wide.reset_index().melt(id_vars="shop", value_name="n").sort_values(["shop", "item"])
assert long.n.tolist() == [2, 1, 4, 3, 6, 5]
assert wide.stack().unstack(0).T.equals(wide)
crossed = pd.crosstab(sold.shop, sold.n > 3, normalize="index")
assert crossed.loc["C", True] == 1.0
print(with_margins)
print("WORKS")
""",
    ),
    Allowed(
        "pandas: categories, cutting into bins, missing values and strings",
        """
import numpy as np, pandas as pd
size = pd.Categorical(["S", "L", "M", "S"], categories=["S", "M", "L"], ordered=True)
frame = pd.DataFrame({"size": size, "price": [5.0, np.nan, 7.5, 6.0]})
assert frame.sort_values("size")["size"].tolist() == ["S", "S", "M", "L"] and (frame["size"] > "S").sum() == 2
assert frame.memory_usage(deep=True)["size"] < 1000
ages = pd.cut(pd.Series([3, 17, 18, 64, 99]), [0, 17, 64, 120], labels=["child", "adult", "old"])
assert ages.tolist() == ["child", "child", "adult", "adult", "old"]
assert pd.qcut(pd.Series(range(100)), 4).value_counts().tolist() == [25] * 4
assert frame.price.fillna(frame.price.mean()).sum() == 18.5 + 18.5 / 3
words = pd.Series([" Zürich-01 ", "bern-22", None])
parts = words.str.strip().str.extract(r"(?P<city>[^-]+)-(?P<no>[0-9]+)")
assert parts.no.dropna().astype(int).tolist() == [1, 22] and words.str.len().tolist()[1] == 7
assert pd.get_dummies(frame["size"]).sum().tolist() == [2, 1, 1]
print("WORKS")
""",
    ),
    Allowed(
        "pandas: eval, query, assign and styles as HTML",
        """
import numpy as np, pandas as pd
frame = pd.DataFrame(np.random.default_rng(0).random((200_000, 3)), columns=list("abc"))
limit = 0.9
assert frame.eval("d = a + b * c").d.iloc[7] == frame.a[7] + frame.b[7] * frame.c[7]
some = frame.query("a > @limit and b < c")
assert 5_000 < len(some) < 15_000 and (some.a > 0.9).all()
step = frame.assign(e=lambda f: f.a.where(f.a > 0.5, 0), f=lambda f: f.e.clip(upper=0.8)).nlargest(5, "f")
assert step.f.eq(0.8).all()
html = frame.head(3).to_html(float_format="{:.2f}".format)
assert html.count("<tr") == 4
assert frame.corr().loc["a", "b"] < 0.05 and frame.describe().loc["count", "c"] == 200_000
frame.info()
print("WORKS")
""",
    ),
)
