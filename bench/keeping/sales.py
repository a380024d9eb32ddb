"""A large file of sales, and the job that is usually done with one, cell by cell.

About 1 % of the rows lack a value and 0.3 % have sales that are no number. Every row has the same number of bytes, so
that numpy can write 1.5 GB (28 million rows) in seconds; no two parts of the file are alike.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

DATA, TOTALS = "sales.csv", "totals.csv"

CELLS = (
    f'import pandas as pd\n\nsales = pd.read_csv("{DATA}", dtype="string[pyarrow]")\nprint(sales.shape)',
    "before = len(sales)\n"
    'good = sales.notna().all(axis=1) & pd.to_numeric(sales["sales"], errors="coerce").notna()\n'
    "sales = sales[good].reset_index(drop=True)\ndel good\n"
    'print(before - len(sales), "rows dropped")',
    'sales["sales"] = pd.to_numeric(sales["sales"]).astype("float64")\nprint(sales.dtypes)',
    'totals = sales.groupby("region")["sales"].sum().round(2).sort_index()\nprint(totals)',
    f'totals.to_csv("{TOTALS}")\nprint(open("{TOTALS}").read())',
    'import matplotlib\n\nmatplotlib.use("Agg")\nimport matplotlib.pyplot as plt\n\n'
    "figure, axes = plt.subplots()\naxes.bar(totals.index.astype(str), totals.to_numpy())\n"
    'figure.savefig("sales_by_region.png")\nplt.close(figure)',
)
#: Says whether the variables are those that the cells left.
PROBE = 'print(len(sales), sales["sales"].sum().round(2), sales["product"].iloc[-1], totals.to_dict(), before)'

_HEADER = b"date,product,region,sales\n"
_ROW = b"2025-00-00,................ art. 0000000,....,0000.00\n"
#: Each text of a column has the same length; those of _NOTHING are read as missing, and _UNKNOWN is no number.
_PRODUCTS = (
    b"Espresso machine", b"Filter papers XL", b"Travel mug steel", b"Cold brew jug 1L", b"Milk frother duo",
    b"Coffee grinder S", b"Gooseneck kettle", b"Porcelain teapot",
)  # fmt: skip
_REGIONS = (b"East", b"West", b"Hill", b"Isle", b"Peak")
_NOTHING, _NO_SALES, _UNKNOWN = b"NULL", b"1.#QNAN", b"unknown"
#: Where the columns begin in a row.
_MONTH, _DAY, _PRODUCT, _ARTICLE, _REGION, _SALES = 5, 8, 11, 33, 41, 46
_BLOCK_ROWS = 1_000_000

Text = np.ndarray[tuple[int, int], np.dtype[np.uint8]]
Numbers = np.ndarray[tuple[int], np.dtype[np.int64]]


def rows_of(size: int) -> int:
    """Rows of a file of so many bytes."""
    return max(1, (size - len(_HEADER)) // len(_ROW))


def write(path: Path, size: int, seed: int) -> int:
    """The same file for the same size and seed; its number of rows."""
    chance = np.random.default_rng(seed)
    rows = rows_of(size)
    with path.open("wb") as file:
        file.write(_HEADER)
        for start in range(0, rows, _BLOCK_ROWS):
            _block(min(_BLOCK_ROWS, rows - start), chance).tofile(file)
        # Else the disk would still be busy with it while the first job runs.
        file.flush()
        os.fsync(file.fileno())
    return rows


def _block(rows: int, chance: np.random.Generator) -> Text:
    block: Text = np.tile(np.frombuffer(_ROW, np.uint8), (rows, 1))
    _put_number(block, _MONTH, 2, chance.integers(1, 13, rows))
    _put_number(block, _DAY, 2, chance.integers(1, 29, rows))
    _put_text(block, _PRODUCT, _PRODUCTS, chance)
    _put_number(block, _ARTICLE, 7, chance.integers(0, 10**7, rows))
    _put_text(block, _REGION, _REGIONS, chance)
    cents = chance.integers(100_000, 1_000_000, rows)
    _put_number(block, _SALES, 4, cents // 100)
    _put_number(block, _SALES + 5, 2, cents % 100)
    luck = chance.random(rows)
    for where, what, begin in (
        (luck < 0.005, _NOTHING, _REGION),
        ((luck >= 0.005) & (luck < 0.010), _NO_SALES, _SALES),
        ((luck >= 0.010) & (luck < 0.013), _UNKNOWN, _SALES),
    ):
        block[where, begin : begin + len(what)] = np.frombuffer(what, np.uint8)
    return block


def _put_number(block: Text, begin: int, digits: int, numbers: Numbers) -> None:
    for place in range(digits):
        block[:, begin + digits - 1 - place] = numbers // 10**place % 10 + ord("0")


def _put_text(block: Text, begin: int, texts: tuple[bytes, ...], chance: np.random.Generator) -> None:
    table = np.array([list(text) for text in texts], np.uint8)
    block[:, begin : begin + table.shape[1]] = table[chance.integers(0, len(texts), len(block))]
