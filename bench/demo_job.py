"""A job like the demo's: read a file of sales, clean it, sum it by region, draw it; each cell notes that it ran."""

from __future__ import annotations

import csv
import hashlib
import random
from pathlib import Path

from .outlast_jobs import RAN

DATA = "sales.csv"
#: What the job must leave, and what must be equal to the byte whatever was killed.
RESULTS = ("clean.csv", "sales_by_region.csv", "sales_by_region.png")
REGIONS = ("east", "north", "south", "west")

_CELLS = (
    f"import pandas as pd\nsales = pd.read_csv('{DATA}')\nprint(sales.shape)",
    "before = len(sales)\nsales = sales.dropna(how='any')\nprint(before - len(sales), 'rows dropped')",
    "sales['sales'] = pd.to_numeric(sales['sales'], errors='coerce')\n"
    "sales = sales.dropna(subset=['sales'])\nsales.to_csv('clean.csv', index=False)\nprint(len(sales))",
    "by_region = sales.groupby('region')['sales'].sum().round(2).sort_index()\n"
    "by_region.to_csv('sales_by_region.csv')\nprint(by_region)",
    "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\n"
    "figure, axes = plt.subplots()\naxes.bar(by_region.index, by_region.values)\n"
    "figure.savefig('sales_by_region.png')\nplt.close(figure)",
    "print('largest:', by_region.idxmax())",
)

#: One chunk of a reply every so many seconds, so that kills meet replies too.
CHUNK_SECONDS = 0.005


def script() -> dict[str, object]:
    """For the scripted model."""
    cells = [
        f"Step {number} of {len(_CELLS)}.\n```python\nopen('{RAN}', 'a').write('{number}\\n')\n{code}\n```"
        for number, code in enumerate(_CELLS, 1)
    ]
    return {"delay": CHUNK_SECONDS, "replies": [*cells, "The chart is in sales_by_region.png."]}


def write_data(path: Path, megabytes: float, seed: int) -> None:
    """A file of sales with one value in a hundred blank and some that are no numbers; the same for the same seed."""
    chance = random.Random(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("date", "product", "region", "sales"))
        while file.tell() < megabytes * 1e6:
            for _ in range(1000):
                amount = f"{chance.uniform(1, 1000):.2f}" if chance.random() > 0.002 else "n/a?"
                day = f"2025-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
                row = [day, f"product-{chance.randint(1, 50)}", chance.choice(REGIONS), amount]
                if chance.random() < 0.01:
                    row[chance.randrange(4)] = ""
                rows.writerow(row)


def results(files: Path) -> dict[str, str]:
    """SHA-256 of what the job left, by name; what is missing is left out."""
    return {
        name: hashlib.sha256((files / name).read_bytes()).hexdigest() for name in RESULTS if (files / name).is_file()
    }
