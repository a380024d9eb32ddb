"""Plots in any script: matplotlib's own font has no Chinese, Japanese or Korean, and shows a box for each letter."""

from __future__ import annotations

import os
from pathlib import Path

#: What the first lacks, the second has (Debian's fonts-wqy-microhei). Of a kind like `sans-serif` only one is taken.
_SETTINGS = "font.family: DejaVu Sans, WenQuanYi Micro Hei\n"
_FONT = Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")


def place() -> None:
    """Write matplotlib's settings where it looks for them, if nobody has."""
    directory = os.environ.get("MPLCONFIGDIR")
    if not directory or not _FONT.exists():
        return
    path = Path(directory, "matplotlibrc")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="ascii") as file:
            file.write(_SETTINGS)
    except OSError:
        return
