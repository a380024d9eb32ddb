"""Makes `large_sales_data.csv`: the same bytes for the same size, at the speed of the disk.

Columns: date, product, region, sales. About 1 % of the rows have a blank value (some are blank altogether), and
about 0.3 % have sales that are no number. A block of rows is made once from a fixed seed and written again and
again, each time dated another month, so that even 1.5 GB take seconds.

    python demo/generate.py large_sales_data.csv --size 50M
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Sequence
from pathlib import Path

#: Rows of the block that is repeated: some 1.3 MB.
BLOCK_ROWS = 30_000
#: Stands for year and month in the block; cannot occur in any value.
MONTH = "@@@@-@@"

HEADER = "date,product,region,sales\n"
#: (product, usual price)
PRODUCTS = (
    ("Espresso machine", 249.0), ("Coffee grinder", 89.0), ("Kettle", 39.0), ("Teapot", 27.5), ("Milk frother", 45.0),
    ("Filter papers", 4.9), ("Travel mug", 18.0), ("Cold brew jug", 32.0),
)  # fmt: skip
#: (region, share of the sales)
REGIONS = (("North", 31), ("South", 24), ("East", 19), ("West", 17), ("Islands", 9))
NOT_NUMBERS = ("n/a", '"12,5x"', "tbd", "unknown", "EUR 40", "--")


def parse_size(text: str) -> int:
    """`50M` or `1.5G` (powers of ten) in bytes; ValueError for anything else."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG]?)B?", text.strip())
    if not found or not float(found[1]):
        raise ValueError(f"{text!r} is no size; write it like 50M or 1.5G")
    return int(float(found[1]) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[found[2]])


def block() -> bytes:
    """The rows that are repeated, with `MONTH` where year and month go."""
    chance = random.Random(20250405)
    names, shares = [name for name, _ in REGIONS], [share for _, share in REGIONS]
    rows: list[str] = []
    for _ in range(BLOCK_ROWS):
        product, price = chance.choice(PRODUCTS)
        values = [
            f"{MONTH}-{chance.randint(1, 28):02d}",
            product,
            chance.choices(names, shares)[0],
            f"{price * chance.randint(1, 9) * chance.uniform(0.8, 1.0):.2f}",
        ]
        luck = chance.random()
        if luck < 0.003:
            values[3] = chance.choice(NOT_NUMBERS)
        elif luck < 0.010:
            values[chance.randrange(4)] = ""
        elif luck < 0.013:
            values = [""] * 4
        rows.append(",".join(values) + "\n")
    return "".join(rows).encode()


def months() -> list[bytes]:
    """Ten years of them."""
    return [f"{year}-{month:02d}".encode() for year in range(2015, 2025) for month in range(1, 13)]


def generate(path: Path, size: int) -> int:
    """Write a file of at most `size` bytes, short of it by less than a row; returns its number of rows."""
    template, calendar = block(), months()
    rows = template.count(b"\n")
    written, total, turn = len(HEADER), 0, 0
    with path.open("wb") as file:
        file.write(HEADER.encode())
        while True:
            part = template.replace(MONTH.encode(), calendar[turn % len(calendar)])
            turn += 1
            if written + len(part) > size:
                part = part[: max(0, size - written)]
                part = part[: part.rfind(b"\n") + 1]
                file.write(part)
                return total + part.count(b"\n")
            file.write(part)
            written += len(part)
            total += rows


def main(argv: Sequence[str] | None = None) -> int:
    """Write the file that is named."""
    parser = argparse.ArgumentParser(description="Make a CSV file of sales with gaps and mistakes in it.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--size", type=parse_size, default="50M", metavar="SIZE", help="like 50M (default) or 1.5G")
    given = parser.parse_args(argv)
    rows = generate(given.file, given.size)
    print(f"{given.file}: {given.file.stat().st_size:,} bytes, {rows:,} rows")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
