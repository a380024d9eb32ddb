"""Kernel after kernel, in IPython and in plain Python, and what surrounds the variables there."""

from __future__ import annotations

import re

from tests.unit.state.kernels import Kernels


def test_a_state_survives_three_generations_of_kernels(kernels: Kernels) -> None:
    saved = kernels.save(
        "import os, sys\nn = 0\nclass C:\n    def __init__(self): self.seen = []\nc = C(); alias = c.seen\n"
        "def step():\n    global n\n    n += 1; c.seen.append(n)\n"
        "os.environ['MINE'] = '1'; sys.path.append('/mine'); bad = (i for i in [])"
    )
    for cell in range(2, 5):
        restored, ran, saved = kernels.run(
            ["restore", kernels.path(saved["manifest"])],
            ["cell", "step(); os.chdir('..' if n % 2 else 'work')"],
            ["save", str(kernels.checkpoints), cell],
        )
        assert (restored["error"], ran["error"], saved["error"]) == ("", "", "")
    _, after = kernels.restore(
        saved["manifest"],
        "step(); print(n, alias, type(c) is C, os.environ['MINE'], sys.path.count('/mine'))\n"
        "print(os.path.basename(os.getcwd()))",
    )
    assert after["printed"] == f"4 [1, 2, 3, 4] True 1 1\n{kernels.directory.name}\n"


def test_a_working_directory_that_is_gone_is_named(kernels: Kernels) -> None:
    saved = kernels.save("import os; os.mkdir('d'); os.chdir('d'); x = 1")
    (kernels.work / "d").rmdir()
    restored, after = kernels.restore(saved["manifest"], "print(x)")
    assert restored["missing"] == {"(working directory)": f"{kernels.work}/d: No such file or directory"}
    assert (restored["restored"], after["printed"]) == (["os", "x"], "1\n")


def test_a_working_directory_removed_before_the_save_does_not_prevent_it(kernels: Kernels) -> None:
    saved = kernels.save("import os; os.mkdir('d'); os.chdir('d'); os.rmdir(os.getcwd()); x = 1")
    restored, after = kernels.restore(saved["manifest"], "print(x)")
    assert restored["missing"] == {"(working directory)": "had been removed"}
    assert after["printed"] == "1\n"


def test_the_names_of_ipython_are_not_taken_for_the_users(kernels: Kernels) -> None:
    saved = kernels.save("x = 1", "x + 1", "In", before=[["shell"]])
    assert saved["missing"] == {}
    assert list(kernels.manifest(saved["manifest"])["saved"]) == ["x"]


def test_names_of_ipython_that_a_cell_took_over_are_the_users(kernels: Kernels) -> None:
    saved = kernels.save("open = 'mine'; exit = 3; quit = [exit]; ip = get_ipython()", before=[["shell"]])
    manifest = saved["manifest"]
    _, _, after = kernels.run(
        ["shell"],
        ["restore", kernels.path(manifest)],
        ["cell", "print(open, exit, quit, ip is get_ipython())"],
    )
    assert after["printed"] == "mine 3 [3] True\n"


def test_the_history_of_cells_goes_on(kernels: Kernels) -> None:
    cells = ["def f(): return 1 / 0", "['a', 'b']", "x = 5", "{'k': x}", "(i for i in [])"]
    look = ["print(Out[2], _2, In[1], len(In), get_ipython().execution_count)", "__", "f()", "8", "_"]
    after = [["cell", code] for code in look]
    _, *ran = kernels.run(["shell"], *(["cell", code] for code in cells), ["save", str(kernels.checkpoints), 5], *after)
    saved, undisturbed = ran[len(cells)], ran[len(cells) + 1 :]
    assert saved["missing"] == {"Out[5]": "generator", "_": "generator"}

    _, restored, *again = kernels.run(["shell"], ["restore", kernels.path(saved["manifest"])], *after)

    assert restored["error"] == ""
    assert [outcome["printed"] for outcome in again] == [outcome["printed"] for outcome in undisturbed]
    assert "Cell In[1], line 1" in re.sub("\x1b\\[[0-9;]*m|\n", "", again[2]["printed"]).replace("  ", " ")
    assert "{'k': 5}" in again[1]["printed"]


def test_the_source_of_a_restored_function_can_be_read(kernels: Kernels) -> None:
    saved = kernels.save("def f():\n    return 'text'", before=[["shell"]])
    *_, after = kernels.run(
        ["shell"],
        ["restore", kernels.path(saved["manifest"])],
        ["cell", "import inspect; print(inspect.getsource(f))"],
    )
    assert after["printed"].strip() == "def f():\n    return 'text'"


def test_loading_the_package_costs_no_kernel_its_start(kernels: Kernels) -> None:
    """What a save needs is imported by the first one, or by `prepare`."""
    before, _, after = kernels.run(
        ["cell", "import sys; print('cloudpickle' in sys.modules)"],
        ["save", str(kernels.checkpoints), 1],
        ["cell", "print('cloudpickle' in sys.modules)"],
    )
    assert (before["printed"], after["printed"]) == ("False\n", "True\n")
