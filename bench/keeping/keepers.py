"""The ways to keep a kernel's variables from cell to cell: Outlast's own, none, and those of others.

Each is used as its documentation has it. What the others write is not synced to the disk; ours is. dill and
cloudpickle save in the kernel itself, after the cell, while the model thinks, as Outlast does; Kishu saves within the
cell (it hooks into IPython), in its own test mode: without the notebook's page, whose file it would save as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from outlast.attempt.cell import SAVE_SECONDS
from outlast.kernel.listing import find, parse

from .kernels import Failed, Session
from .peers import locked


@dataclass(frozen=True, slots=True)
class Kept:
    """One save. `seconds`: from the cell's end to a state that is there to be restored, as far as that was waited for;
    `pause`: for which the kernel could do nothing at all; `bytes`: of the whole checkpoint."""

    seconds: float = 0.0
    pause: float = 0.0
    bytes: int = 0


class Keeper(Protocol):
    """One object keeps one session after the other, each from its first cell on."""

    what: str

    def prepare(self, session: Session) -> None:
        """Once per kernel, before anything is measured."""

    def begin(self, session: Session, cell: int, output: str) -> Callable[[], Kept]:
        """Start to save what `cell` left, which printed `output`; what is returned waits for the save, and is called
        before the next cell. Both raise Failed."""

    def restore(self, session: Session) -> None:
        """Have the variables of the last save in a new kernel that is prepared; Failed."""


class Nobody:
    """Keeps nothing."""

    what = "the same cells without saves"

    def prepare(self, session: Session) -> None:
        """Nothing."""

    def begin(self, session: Session, cell: int, output: str) -> Callable[[], Kept]:
        """Nothing."""
        return Kept

    def restore(self, session: Session) -> None:
        """There is nothing."""
        raise Failed("nothing was kept")


class Outlast:
    """As the attempt does it: what is saved within a moment is waited for, the rest while the model thinks."""

    what = "Outlast"

    def __init__(self) -> None:
        self._cell, self._checkpoint = 0, ""

    def prepare(self, session: Session) -> None:
        """Nothing: the kernel has it."""

    def begin(self, session: Session, cell: int, output: str) -> Callable[[], Kept]:
        """See the class."""
        began = time.monotonic()
        save = session.kernel.begin_save(cell, session.stop)
        saved = save.wait(SAVE_SECONDS)
        known = time.monotonic()

        def finish() -> Kept:
            nonlocal saved, known
            if saved is None:
                saved = save.wait()
                known = time.monotonic()
            assert saved is not None
            if saved.error:
                raise Failed(saved.error)
            if saved.missing:
                raise Failed(f"missing: {saved.missing}")
            self._cell, self._checkpoint = cell, saved.checkpoint
            # Only the kernel's own reply tells the pause, and the worker has no use for it.
            reply = save._exchange.reply or {}
            listing = parse(find(session.workspace.checkpoints, cell, saved.checkpoint), cell)
            return Kept(known - began, float(reply.get("pause", 0.0)), listing.bytes)

        return finish

    def restore(self, session: Session) -> None:
        """The last checkpoint."""
        restored = session.kernel.restore(self._checkpoint, session.stop)
        if restored.missing:
            raise Failed(f"missing: {restored.missing}")


class ByCell:
    """Saves and loads by code that runs in the kernel."""

    def __init__(self, what: str, setup: str, save: str, load: str) -> None:
        self.what, self._setup, self._save, self._load = what, setup, save, load

    def prepare(self, session: Session) -> None:
        """Import it."""
        session.run(self._setup)

    def begin(self, session: Session, cell: int, output: str) -> Callable[[], Kept]:
        """The kernel saves while the model thinks."""
        began = time.monotonic()
        ended: list[float | Failed] = []

        def save() -> None:
            try:
                session.run(self._save)
                ended.append(time.monotonic())
            except Failed as failure:
                ended.append(failure)

        thread = threading.Thread(target=save)
        thread.start()

        def finish() -> Kept:
            thread.join()
            [end] = ended
            if isinstance(end, Failed):
                raise end
            files = session.workspace.files.glob("_kept*")
            return Kept(end - began, end - began, sum(path.stat().st_size for path in files))

        return finish

    def restore(self, session: Session) -> None:
        """Load the file."""
        session.run(self._load)


def dill() -> Keeper:
    """The whole module `__main__`."""
    return ByCell(
        f"dill {locked('dill')} (dump_module)",
        "import dill as _dill",
        "_dill.dump_module('_kept.dill')",
        "_dill.load_module('_kept.dill')",
    )


def cloudpickle() -> Keeper:
    """All names that are not IPython's, in one stream."""
    return ByCell(
        f"cloudpickle {locked('cloudpickle')} (one stream)",
        "import cloudpickle as _cloudpickle, pickle as _pickle\n"
        "_theirs = {'In', 'Out', 'get_ipython', 'exit', 'quit', 'open', 'display'}",
        "with open('_kept.pickle', 'wb') as _file:\n"
        "    _cloudpickle.dump({name: value for name, value in globals().items()\n"
        "                       if not name.startswith('_') and name not in _theirs}, _file)",
        "with open('_kept.pickle', 'rb') as _file:\n    globals().update(_pickle.load(_file))",
    )


class Kishu:
    """It commits after each cell by itself; a restore is its checkout of the last commit."""

    _setup = (
        "import os, nbformat\n"
        "os.environ['TEST_NOTEBOOK_PATH'] = os.path.abspath('_kept.ipynb')\n"
        "os.environ['ENV_KISHU_TEST_MODE'] = '1'\n"
        "if not os.path.exists('_kept.ipynb'):\n    nbformat.write(nbformat.v4.new_notebook(), '_kept.ipynb')\n"
        "from kishu import init_kishu\n"
        "init_kishu()"
    )

    def __init__(self) -> None:
        self.what = f"Kishu {locked('kishu')}"
        self._cells = 0

    def prepare(self, session: Session) -> None:
        """Hook it in. It complains of the cell that does so, which it did not see beginning."""
        session.run(self._setup)

    def begin(self, session: Session, cell: int, output: str) -> Callable[[], Kept]:
        """It has saved already: that is why the cell took longer."""
        if "Error in callback" in output:
            raise Failed(f"cell {cell}: {output.strip().splitlines()[-1][:300]}")
        self._cells = cell
        size = (session.workspace.files / "_kept.kishudb").stat().st_size
        return lambda: Kept(bytes=size)

    def restore(self, session: Session) -> None:
        """Numbers of session, checkout and cell are the commit's name in its test mode."""
        session.run(f"_kishu.checkout('1:0:{self._cells}')")
