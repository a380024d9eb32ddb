"""What a kernel saves can be listed without it."""

from __future__ import annotations

from outlast.kernel.listing import find, parse
from tests.integration.kernel.conftest import NewSession


def test_what_a_kernel_has_saved_is_listed(new_session: NewSession) -> None:
    first = new_session("listed").ready()
    first.run(
        "import numpy as np\nbig = np.zeros(1_000_000)\nx = []\ny = [x]\none, two = 1, 'b'\n"
        "def double(): return big * 2\nclass Row: pass\nopen_file = open('f', 'w')"
    )
    saved = first.kernel.save(1, first.stop)
    assert saved.error == ""
    listing = parse(find(first.workspace.checkpoints, 1, saved.checkpoint), 1)
    types = {each.name: each.type for each in listing.variables}
    assert types == {
        "np": "module", "big": "numpy.ndarray", "x": "list", "y": "list", "one": "int", "two": "str", "Row": "type",
        "double": "function",
    }  # fmt: skip
    assert listing.variables[0].name == "big" and 8_000_000 <= listing.variables[0].bytes < 8_010_000
    assert listing.bytes >= 8_000_000 and list(listing.missing) == ["open_file"] == list(saved.missing)
    assert listing.shared == (("x", "y"),)
    assert listing.python.startswith("3.") and "numpy" in listing.libraries
