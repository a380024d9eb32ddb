"""Draws the chart of a report: its JSON on standard input, a PNG on standard output.

A program for the kernels' Python, which has matplotlib and nothing of ours: run by its path.
"""

import json
import sys
from typing import Any

#: The same in every chart; the colour-blind can tell them apart.
COLOURS = {
    "worker": "#0072b2", "child": "#d55e00", "guardian": "#009e73", "kernel": "#cc79a7", "redis": "#e69f00",
    "model": "#56b4e9", "container": "#7f7f7f", "everything": "#000000",
}  # fmt: skip
#: The longest time is so many times the least of the medians: a linear axis would make that row a blot at its end.
_WIDE = 20


def draw(told: dict[str, Any], stream: Any) -> None:
    """One row a victim, one dot a kill, a bar at the median; seconds to the right."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot, ticker

    victims = [victim for victim in told["recovery"] if victim != "all"]
    times = {
        victim: [each["went_on"] for each in told["faults"] if each["victim"] == victim and each["went_on"] is not None]
        for victim in victims
    }
    figure, axes = pyplot.subplots(figsize=(9, 1.6 + 0.55 * len(victims)), layout="constrained")
    for row, victim in enumerate(victims):
        colour = COLOURS[victim]
        # Spread over the row's height in the order in which they came, so that equal times stay apart.
        heights = [row + 0.5 * ((number * 0.618 + 0.5) % 1 - 0.5) for number in range(len(times[victim]))]
        axes.scatter(times[victim], heights, s=18, alpha=0.55, color=colour, linewidths=0, zorder=2)
        median = told["recovery"][victim]["median"]
        axes.plot([median, median], [row - 0.34, row + 0.34], color=colour, linewidth=2.5, zorder=1)
        axes.text(median, row - 0.36, f"{median:.2f}", ha="center", va="bottom", fontsize=8)
    axes.set_yticks(range(len(victims)), labels=[f"{victim} ({len(times[victim])})" for victim in victims])
    axes.set_ylim(len(victims) - 0.4, -0.7)
    if victims and told["recovery"]["all"]["max"] > _WIDE * min(told["recovery"][each]["median"] for each in victims):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda seconds, _: f"{seconds:g}"))
        axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel("seconds from SIGKILL until the job went on; bar: median; in brackets: kills that held a job up")
    wrong = ("lost", "duplicated", "rerun", "different", "failed")
    zeros = ", ".join(f"{told[name]} {name}" for name in wrong)
    title = f"Kills: {told['kills']}, jobs: {told['jobs']}, seed: {told['seed']}. {zeros}."
    axes.set_title(title, fontsize=10, loc="left")
    axes.grid(axis="x", alpha=0.3)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(stream, format="png", dpi=150)


if __name__ == "__main__":
    draw(json.load(sys.stdin), sys.stdout.buffer)
