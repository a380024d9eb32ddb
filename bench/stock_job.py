"""Functions for a stock RQ worker: what people enqueue without Outlast."""

from __future__ import annotations

import os
import time
from pathlib import Path


def work(started: str) -> None:
    """Say that it runs, then go on for longer than anybody waits."""
    Path(started).write_text(str(os.getpid()))
    time.sleep(7200)


def converse(url: str) -> None:
    """A conversation with stock Open Interpreter."""
    from .stock_interpreter import chat

    chat(url)
