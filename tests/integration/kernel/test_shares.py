"""What one session may take of the disk, in a real kernel."""

from __future__ import annotations

import pytest

from outlast.errors import KernelDied
from tests.integration.kernel.conftest import NewSession

MIB = 1024**2
LIMIT = 8 * MIB
#: Writes file after file, without end.
FILLS = """
import itertools, time
for number in itertools.count():
    with open(f'large-{number}', 'wb') as file:
        file.write(bytes(4 << 20))
    time.sleep(0.1)
"""


def test_a_cell_that_fills_the_disk_is_stopped_and_the_next_can_clear_up(new_session: NewSession) -> None:
    session = new_session(disk_limit=LIMIT).ready()
    stopped = session.run(FILLS)
    assert "its files take" in stopped.output and "may have 8.0 MiB" in stopped.output
    cleared = session.run("import glob, os\nfor name in glob.glob('large-*'): os.remove(name)\nprint('cleared')")
    assert (cleared.status, cleared.output) == ("ok", "cleared\n")


def test_a_program_that_fills_the_disk_between_cells_ends_with_its_kernel(new_session: NewSession) -> None:
    session = new_session(disk_limit=LIMIT, state_limit=MIB).ready()
    session.run(f"import subprocess, sys\nleft = subprocess.Popen([sys.executable, '-c', {FILLS!r}])")
    # Nobody asks the kernel for anything; its guardian ends by itself.
    assert session.kernel._guard._process.wait(60) == 0
    files = session.workspace.files
    count = len(list(files.glob("large-*")))
    with pytest.raises(KernelDied, match=r"left running: its files take .* may have 8\.0 MiB") as died:
        session.run("1")
    assert not died.value.by_cell
    assert len(list(files.glob("large-*"))) == count


@pytest.mark.parametrize(
    "large", [f"os.urandom({2 * LIMIT})", f"__import__('numpy').zeros({2 * LIMIT}, 'u1')"], ids=("bytes", "array")
)
def test_what_is_larger_than_the_part_of_the_disk_is_left_out_and_costs_no_other(
    new_session: NewSession, large: str
) -> None:
    session = new_session(disk_limit=LIMIT).ready()
    session.run(f"import os\nlarge, small = {large}, 5")
    saved = session.kernel.save(1, session.stop)
    assert not saved.error and set(saved.missing) == {"large"}
    assert any(why in saved.missing["large"] for why in ("too large", "larger than the limit"))
