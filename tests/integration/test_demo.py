"""The demo as a user runs it, on a smaller file and with a quicker script."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def run(point: str, directory: Path, kernel_python: Path) -> dict[str, Any]:
    """The demo's own summary of a run with that kill point."""
    directory.mkdir()
    script = directory / "script.yaml"
    script.write_text((ROOT / "demo/script.yaml").read_text(encoding="utf-8").replace("delay: 0.03", "delay: 0.01"))
    command = [
        sys.executable, "-m", "demo.demo", "--size", "2M", "--kill", point, "--script", str(script),
        "--output", str(directory / "output"), "--json-summary", str(directory / "summary.json"),
    ]  # fmt: skip
    environment = {**os.environ, "OUTLAST_KERNEL_PYTHON": str(kernel_python)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (directory / "output/sales_by_region.png").stat().st_size > 1000
    summary: dict[str, Any] = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
    return summary


def test_a_session_killed_in_its_third_cell_ends_as_an_undisturbed_one(tmp_path: Path, kernel_python: Path) -> None:
    undisturbed = run("none", tmp_path / "undisturbed", kernel_python)
    killed = run("cell:3", tmp_path / "killed", kernel_python)
    assert (undisturbed["attempts"], killed["attempts"]) == (1, 2)
    assert [cell["runs"] for cell in killed["cells"]] == [1, 1, 2, 1, 1]
    assert killed["verified"] and killed["ran_twice"] == []
    assert killed["artifacts"] == undisturbed["artifacts"] and all(killed["artifacts"].values())
