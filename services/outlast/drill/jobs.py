"""The drill's jobs: scripts for the scripted model, the same at each run to the byte. Data only.

Every cell begins by appending its number to a file, so that a second run shows, and builds on variables of the cells
before it, so that a wrong state shows. It writes each other file anew, as code does that may run twice. Some have
outputs that come bit by bit, some leave a variable whose save takes a while, some files are artifacts: kills find each.
"""

from __future__ import annotations

from typing import Any

#: File in a session's directory that every cell begins by appending its number to.
RAN = "ran.txt"

#: Seconds between two chunks of a reply.
CHUNK_SECONDS = 0.01

#: Python before each Python cell's own code; `{number}` and `{pause}` are filled in. It says something a few times.
_BEFORE = """\
open("ran.txt", "a").write("{number}\\n")
import time
for part in range(4):
    print("part", part, flush=True)
    time.sleep({pause})
"""

_SHELL_BEFORE = 'echo {number} >> "$OLD/ran.txt"\nfor part in 0 1 2 3; do echo part $part; sleep {pause}; done\n'

#: By kind, which is the whole prompt: (language, code) of each cell.
CELLS: dict[str, tuple[tuple[str, str], ...]] = {
    "sums": (
        ("python", "numbers = [n * n for n in range(1000)]\nprint(sum(numbers))"),
        ("python", "even = [n for n in numbers if n % 2 == 0]\nalias = even\nprint(len(even))"),
        (
            "python",
            "class Slowly:\n"
            "    def __reduce__(self):\n"
            "        time.sleep(0.3)\n"
            "        return Slowly, ()\n"
            "slowly = Slowly()\n"
            "alias.append(-1)\n"
            "print(even is alias, even[-1])",
        ),
        ("python", "index = {str(n): n for n in even}\nprint(len(index), even is alias)"),
        ("python", "import json\nwith open('totals.json', 'w') as file:\n    json.dump({'even': sum(even)}, file)"),
        ("python", "print(sum(even), len(index), even is alias, type(slowly).__name__)"),
    ),
    "shell": (
        (
            "shell",
            "seq 1 200 > numbers.txt\ntotal=0\nwhile read n; do total=$((total + n)); done < numbers.txt\necho $total",
        ),
        ("python", "lines = open('numbers.txt').read().split()\nprint(len(lines))"),
        ("shell", "total=$((total * 2))\nmkdir -p box\necho $total > box/doubled.txt\ncd box\npwd | sed 's,.*/,,'"),
        ("python", "doubled = int(open('box/doubled.txt').read())\nprint(doubled, len(lines))"),
        ("shell", "ls doubled.txt\necho $total\ncp doubled.txt again.txt"),
        ("python", "print(doubled == 2 * sum(map(int, lines)))"),
    ),
    "table": (
        (
            "python",
            "import pandas as pd\n"
            "regions = ('east', 'north', 'south', 'west')\n"
            "sales = pd.DataFrame({'region': [regions[n * 7 % 4] for n in range(5000)],\n"
            "                      'sales': [n * 37 % 1009 / 7 for n in range(5000)]})\n"
            "print(sales.shape)",
        ),
        ("python", "sales['tax'] = (sales['sales'] * 0.2).round(3)\nprint(sales['tax'].sum().round(3))"),
        ("python", "sales.to_csv('sales.csv', index=False)\nfor row in range(400):\n    print(row, sales['tax'][row])"),
        ("python", "by_region = sales.groupby('region').sum().round(3)\nprint(by_region)"),
        (
            "python",
            # On a slow machine matplotlib says that it looks for fonts, and on a fast one it does not.
            "import logging\nlogging.getLogger('matplotlib').setLevel(logging.ERROR)\n"
            "import matplotlib\nmatplotlib.use('Agg')\nimport matplotlib.pyplot as plt\n"
            "figure, axes = plt.subplots(figsize=(3, 2))\naxes.bar(by_region.index, by_region['sales'])\n"
            "figure.savefig('by_region.png')\nplt.close(figure)",
        ),
        ("python", "by_region.to_csv('by_region.csv')\nprint(by_region['sales'].idxmax())"),
    ),
}  # fmt: skip


def script(pause: float) -> dict[str, Any]:
    """For the scripted model; `pause` is a quarter of the least time (seconds) that a cell takes."""
    return {"delay": CHUNK_SECONDS, "scripts": {kind: _replies(kind, pause) for kind in CELLS}, "replies": ["Done."]}


def _replies(kind: str, pause: float) -> list[str]:
    replies = []
    for number, (language, code) in enumerate(CELLS[kind], 1):
        if language == "shell":
            # The first one is where the session's files are; later ones may have gone elsewhere.
            before = f'OLD="${{OLD:-$PWD}}"\n{_SHELL_BEFORE.format(number=number, pause=pause)}'
        else:
            before = _BEFORE.format(number=number, pause=pause)
        said = f"Step {number} of {len(CELLS[kind])}, which builds on what the steps before it have left."
        replies.append(f"{said}\n```{language}\n{before}{code}\n```")
    return [*replies, "All steps are done, and each of them was run to its end."]


def turns(kind: str) -> int:
    """Replies of one job."""
    return len(CELLS[kind]) + 1
