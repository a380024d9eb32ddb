"""Tells people what happens in the session, record by record, as it happens."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.rule import Rule
from rich.status import Status
from rich.syntax import Syntax
from rich.text import Text

from outlast.cli.history import History
from outlast.cli.text import duration, plural, printable, rest_of
from outlast.log import records as r

#: Columns that everything beneath a heading is moved to the right by.
INDENT = 4
#: Columns where there is no terminal to say how many it has.
PAPER_COLUMNS = 120
#: Names of variables that are shown.
NAMES = 12


class Teller:
    """Prints to a terminal with colours and a line at the bottom that moves, elsewhere plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, emoji=False)
        if console is None and not self.console.is_terminal:
            self.console.width = PAPER_COLUMNS
        self._status: Status | None = None
        #: Live output of the running cell, and how much of it is printed.
        self._live, self._printed = "", 0

    def say(self, text: str = "", style: str = "", indent: int = 0) -> None:
        """One line."""
        shown = Text(printable(text), style=style)
        self.console.print(Padding(shown, (0, 0, 0, indent), expand=False) if indent else shown, soft_wrap=not indent)

    def fact(self, name: str, text: str) -> None:
        """A named line of the introduction."""
        self.console.print(Text.assemble((f"  {name:<9} ", "dim"), printable(text)), soft_wrap=True)

    def command(self, words: Sequence[str]) -> None:
        """A command as one would type it."""
        typed = printable(" ".join(_quoted(word) for word in words))
        self.console.print(Text.assemble(("$ ", "dim"), (typed, "bold")), soft_wrap=True)

    def heading(self, text: str, style: str = "bold") -> None:
        """A line across the terminal."""
        self.console.print()
        self.console.print(Rule(Text(printable(text), style=style), style=style, align="left"))

    def busy(self, text: str) -> None:
        """What goes on right now, at the bottom of a terminal; empty for nothing."""
        if not self.console.is_terminal:
            return
        if not text:
            if self._status:
                self._status.stop()
                self._status = None
        elif self._status:
            self._status.update(f"[dim]{escape(printable(text))}[/]")
        else:
            self._status = self.console.status(f"[dim]{escape(printable(text))}[/]", spinner="dots")
            self._status.start()

    def record(self, record: r.Record, past: History) -> None:
        """What `record`, the newest that `past` holds, says."""
        body = record.body
        match body:
            case r.ReplyDelta():
                self.busy(f"reply {past.now.total_turns + 1}: {len(past.now.partial)} characters so far")
            case r.ReplyDiscarded():
                self.say(f"the reply so far is discarded: {body.why}", "yellow", INDENT)
            case r.ReplyFinished():
                self._reply(body, past)
            case r.CellStarted():
                self._live, self._printed = "", 0
                self.busy(f"cell {body.cell} runs")
            case r.CellOutput():
                self._live += body.text
                # A line is printed once its end has come.
                self._output(self._live.rfind("\n") + 1)
            case r.CellFinished():
                self._finished(body, past)
            case r.StateSaved():
                what = f"are lost: {body.error}" if body.error else "are saved"
                self.say(f"the variables of cell {body.cell} {what}", "yellow" if body.error else "green", INDENT)
            case r.TurnWaiting() if not body.seconds:
                self.say(f"waiting: {body.why}", "yellow", INDENT)
            case r.NoteAdded():
                self.say(f"told to the model: {body.text}", "magenta", INDENT)
            case r.AttemptClosed() if body.how != "finished":
                self.say(f"attempt {record.id.attempt} is over: {body.how}. {body.reason}", "bold red", INDENT)
            case _:
                pass

    def _reply(self, body: r.ReplyFinished, past: History) -> None:
        self.busy("")
        text = past.now.said[-1].text
        prose = text if body.cell is None else text[: body.cell.start].rsplit("```", 1)[0]
        title = f"Reply {past.now.total_turns}"
        self.console.print()
        self.console.print(Text.assemble((f"{title}  ", "bold cyan"), printable(" ".join(prose.split()))))
        if body.cell:
            language, code = past.now.code
            syntax = Syntax(
                printable(code).rstrip(), language, theme="ansi_dark", background_color="default", word_wrap=True
            )
            self.console.print(Padding(syntax, (0, 0, 0, INDENT), expand=False))

    def _output(self, end: int) -> None:
        """Print the live output up to `end`."""
        new, self._printed = self._live[self._printed : end], max(self._printed, end)
        for line in new.removesuffix("\n").split("\n") if new else ():
            self._output_line(line)

    def _output_line(self, line: str) -> None:
        shown = Text.assemble(("│ ", "cyan"), (printable(line), "dim"))
        self.console.print(Padding(shown, (0, 0, 0, INDENT), expand=False))

    def _finished(self, body: r.CellFinished, past: History) -> None:
        self.busy("")
        # The last of the output comes with the cell's end.
        self._live += rest_of(body.output, self._live)
        self._output(len(self._live))
        kept = ", its variables are saved" if body.checkpoint else ""
        good = body.status == "ok"
        style = "green" if good else "red"
        mark = "✓" if good else "✗"
        self.say(f"{mark} cell {body.cell} {body.status} after {duration(body.seconds)}{kept}", style, INDENT)
        for name, why in body.missing.items():
            self.say(f"{name} could not be saved: {why}", "yellow", INDENT)

    def killed(self, where: str, pids: str) -> None:
        """The moment that all of this is about."""
        self.busy("")
        self._output(len(self._live))
        style = "bold white on red" if self.console.is_terminal else ""
        self.console.print()
        line = f" KILL -9  {where}: {pids} "
        self.console.print(Text(line, style=style), soft_wrap=True)
        self.console.print()

    def restored(self, body: r.StateRestored) -> None:
        """What a new kernel holds."""
        names = list(body.restored)
        shown = ", ".join(names[:NAMES]) + (f" and {len(names) - NAMES} more" if len(names) > NAMES else "")
        what = f"{plural(len(names), 'variable')} as of the end of cell {body.cell}"
        self.fact("restored", f"{what}, in {duration(body.seconds)}: {shown}")
        for name, why in body.missing.items():
            self.fact("missing", f"{name}: {why}")


def _quoted(word: str) -> str:
    """`word` as one would type it in a shell: `name='a value'`, not `'name=a value'`."""
    name, equals, value = word.partition("=")
    return f"{name}={shlex.quote(value)}" if equals and name.rstrip(":").isidentifier() else shlex.quote(word)
