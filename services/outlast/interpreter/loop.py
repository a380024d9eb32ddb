"""Open Interpreter's loop, driven: the model is asked, a cell runs, its output goes back, until no cell is left.

The loop decides what comes next; `reply` and `cell` do it. It is given a model client, a computer and a terminal
that only pass on to them, so nothing of Open Interpreter's own touches network, processes or files here.

What its loop does, and we rely on (`core/respond.py`; each has a test):

- messages that end in `code` run that code first; that end in an assistant's message, ask the model again;
- code runs only if it is the last message, so a reply's `Code` part must be its last but for its fence;
- blank code is not run: it answers "Code block was empty" itself and asks the model again;
- code in `{"language": …, "code": …}` or `functions.execute(…)` is unwrapped before it runs; if the language in
  there is text or markdown it becomes a message, and the model is asked again;
- every other language is passed to `cell`, whoever can run it or not.

It also catches every exception that is raised while code runs and gives it to the model as output; and it turns
some of the model client's errors into others, or asks for input on the terminal. Hence an exception of `reply`
or `cell` never meets it: it is kept aside, the loop is ended at its next step by an exception that it cannot
catch, and then the kept one is raised.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from typing import Any

from .frozen import OpenInterpreter
from .reply import Code, Part, Text

Message = dict[str, Any]


class _End(BaseException):
    """Leaves Open Interpreter's loop; it catches `Exception`, and everything while code runs."""


class Loop:
    """One run of the loop over a conversation; `messages` are copied and never changed for the caller."""

    def __init__(
        self,
        messages: list[Message],
        *,
        reply: Callable[[], Iterator[Part]],
        cell: Callable[[str, str], str],
        stopped: Callable[[], bool],
    ) -> None:
        self._reply, self._cell, self._stopped = reply, cell, stopped
        self._failure: BaseException | None = None
        self._interpreter = OpenInterpreter(
            messages=copy.deepcopy(messages),
            llm=_Model(self._answer),
            computer=_Computer(self._run_cell),
            # Rendered anew for each turn, and code in double braces in it is run: the model gets ours in the wire
            # messages, this one is empty.
            system_message="",
            auto_run=True,
            offline=True,
            disable_telemetry=True,
            conversation_history=False,
            # Outputs come bounded; cut here they would be cut in the middle of a word, and in place.
            max_output=sys.maxsize,
        )

    @property
    def messages(self) -> list[Message]:
        """Open Interpreter's own, live: it edits them. Nothing that must last is read from here."""
        messages: list[Message] = self._interpreter.messages
        return messages

    def inject(self, message: Message) -> None:
        """Add a message to the conversation; for `reply`, before it yields its first part."""
        self._interpreter.messages.append(dict(message))

    def run(self) -> bool:
        """Until there is nothing left to run: True. False if `stopped` said so first.

        Raises what `reply` or `cell` raised, unchanged.
        """
        ended = False
        try:
            for _ in self._interpreter._respond_and_store():
                pass
            ended = True
        except _End:
            pass
        if self._failure is not None:
            raise self._failure
        return ended

    def _over(self) -> bool:
        return self._failure is not None or self._stopped()

    def _answer(self) -> Iterator[Message]:
        """A model turn, in Open Interpreter's chunks."""
        if self._over():
            raise _End
        code: Code | None = None
        try:
            with closing(_closable(self._reply())) as parts:
                for part in parts:
                    if self._over():
                        raise _End
                    if code is not None and isinstance(part, Text | Code):
                        raise ValueError("a reply ends with its cell: nothing but its fence may follow")
                    if isinstance(part, Text) and part.text:
                        yield {"type": "message", "content": part.text}
                    elif isinstance(part, Code):
                        code = part
                        # An empty chunk is dropped by the loop, which would then take the prose for the last message
                        # and end without a word. A blank one it answers.
                        yield {"type": "code", "format": part.language, "content": part.text or "\n"}
        except (_End, GeneratorExit):
            raise
        except BaseException as failure:
            self._failure = failure
            raise _End from None

    def _run_cell(self, language: str, code: str) -> Iterator[Message]:
        if self._over():
            return
        try:
            output = self._cell(language, code)
        except BaseException as failure:
            # The loop goes on to ask the model, which ends it.
            self._failure = failure
            return
        yield {"type": "console", "format": "output", "content": output}


def run_loop(
    messages: list[Message],
    *,
    reply: Callable[[], Iterator[Part]],
    cell: Callable[[str, str], str],
    stopped: Callable[[], bool],
) -> bool:
    """`Loop(…).run()`, for those who need nothing else of it."""
    return Loop(messages, reply=reply, cell=cell, stopped=stopped).run()


def _closable(parts: Iterator[Part]) -> Generator[Part, None, None]:
    """`parts`, as something that can be closed whatever it is."""
    yield from parts


class _Model:
    """What the loop touches of a model client."""

    supports_vision = False
    model = ""

    def __init__(self, answer: Callable[[], Iterator[Message]]) -> None:
        self._answer = answer

    def run(self, _messages: list[Message]) -> Iterator[Message]:
        """The reply to the conversation. The messages are the loop's; the wire messages are made from the log."""
        return self._answer()


class _Language:
    """Every language: who can run it is not the loop's business."""

    name = "any"


class _Terminal:
    """Without the shortcuts: no `apt install` in this process, no markers read in outputs, no state kept."""

    languages = ()

    def get_language(self, _language: str) -> type[_Language]:
        return _Language


class _Computer:
    """What the loop touches of a computer; it sets more attributes than it reads."""

    save_skills = False
    import_computer_api = False

    def __init__(self, run: Callable[[str, str], Iterator[Message]]) -> None:
        self.terminal = _Terminal()
        self._run = run

    def run(self, language: str, code: str, *, stream: bool) -> Iterator[Message]:
        """One cell; always streamed. (Not streamed is what a rendered system message would ask for: refused.)"""
        if not stream:
            raise ValueError("only cells run")
        return self._run(language, code)
