"""Open Interpreter's loop as we drive it: each of its traps, and that none of them is met."""

from __future__ import annotations

import builtins
import copy
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from outlast.errors import KernelDied, ModelAway, ModelRefused, Stopped
from outlast.interpreter.loop import Loop, run_loop
from outlast.interpreter.reply import Code, Fence, Part, Text

USER = {"role": "user", "type": "message", "content": "Clean the file."}
PROSE = {"role": "assistant", "type": "message", "content": "I will."}
CODE = {"role": "assistant", "type": "code", "format": "python", "content": "x = 1\n"}
OUTPUT = {"role": "computer", "type": "console", "format": "output", "content": "1"}
DONE: list[Part] = [Text("Done.")]


def cell_of(code: str, language: str = "python") -> list[Part]:
    return [Text("Now:\n"), Fence(f"```{language}\n"), Code(language, code), Fence("```")]


class Play:
    """A run of the loop on fixed replies, and what happened in it."""

    def __init__(self, *replies: list[Part] | BaseException, outputs: list[str | BaseException] | None = None) -> None:
        self._replies, self._outputs = list(replies), outputs
        self.asked = 0
        self.ran: list[tuple[str, str]] = []
        self.stop = False
        self.on_reply: Callable[[], None] = lambda: None
        self.loop = Loop([], reply=self.reply, cell=self.cell, stopped=lambda: self.stop)

    def reply(self) -> Iterator[Part]:
        self.asked += 1
        self.on_reply()
        answer = self._replies.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        yield from answer

    def cell(self, language: str, code: str) -> str:
        self.ran.append((language, code))
        output = self._outputs.pop(0) if self._outputs else "ok"
        if isinstance(output, BaseException):
            raise output
        return output

    def run(self, *messages: dict[str, Any]) -> bool:
        self.loop = Loop(list(messages or (USER,)), reply=self.reply, cell=self.cell, stopped=lambda: self.stop)
        return self.loop.run()


def test_replies_and_cells_alternate_until_a_reply_has_no_cell() -> None:
    play = Play(cell_of("x = 1\n"), cell_of("ls\n", "shell"), DONE)
    assert play.run()
    assert play.ran == [("python", "x = 1\n"), ("shell", "ls\n")]
    assert [message["role"] for message in play.loop.messages] == [
        "user", "assistant", "assistant", "computer", "assistant", "assistant", "computer", "assistant",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------------- resuming


@pytest.mark.parametrize(("last", "asked"), [(USER, 1), (OUTPUT, 1), (PROSE, 1), (CODE, 1)])
def test_a_conversation_that_ends_in_any_message_goes_on_to_its_end(last: dict[str, Any], asked: int) -> None:
    play = Play(DONE)
    play.run(USER, last)
    assert play.asked == asked


def test_a_conversation_that_ends_in_code_runs_it_before_the_model_is_asked() -> None:
    order: list[str] = []
    play = Play(DONE)
    play.on_reply = lambda: order.append(f"asked after {len(play.ran)} cells")
    play.run(USER, PROSE, CODE)
    assert play.ran == [("python", "x = 1\n")]
    assert order == ["asked after 1 cells"]


@pytest.mark.parametrize("last", [USER, OUTPUT, PROSE])
def test_code_that_is_not_the_last_message_is_not_run_again(last: dict[str, Any]) -> None:
    play = Play(DONE)
    play.run(USER, CODE, last)
    assert play.ran == []


# -------------------------------------------------------------------------------------------- what the loop swallows


@pytest.mark.parametrize(
    "failure",
    [Stopped("drain"), KernelDied("it used up its memory"), KeyboardInterrupt(), SystemExit(3), RuntimeError("bug")],
    ids=lambda failure: type(failure).__name__,
)
def test_an_exception_raised_while_code_runs_comes_out_unchanged_and_the_model_never_sees_it(
    failure: BaseException,
) -> None:
    play = Play(cell_of("x\n"), outputs=[failure])
    with pytest.raises(type(failure)) as raised:
        play.run()
    assert raised.value is failure
    assert play.asked == 1


@pytest.mark.parametrize("at", ["first", "after a cell"])
@pytest.mark.parametrize(
    "failure",
    [
        ModelAway("down"),
        ModelRefused("401: check your API key, auth failed"),
        ModelRefused("404: you do not have access to this model"),
        ModelRefused("insufficient_quota"),
        Stopped("cancel"),
        KeyboardInterrupt(),
    ],
    ids=str,
)
def test_an_exception_of_the_model_comes_out_unchanged_and_nobody_is_asked_for_input(
    failure: BaseException, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(builtins, "input", lambda *_: asked.append("input") or "n")
    play = Play(*([] if at == "first" else [cell_of("x\n")]), failure)
    with pytest.raises(type(failure)) as raised:
        play.run()
    assert raised.value is failure
    assert asked == []


def test_a_reply_that_fails_midway_runs_nothing() -> None:
    def cut() -> Iterator[Part]:
        yield Text("Now:\n")
        raise ModelAway("cut")

    ran: list[str] = []
    with pytest.raises(ModelAway):
        run_loop([USER], reply=cut, cell=lambda _, code: ran.append(code) or "", stopped=lambda: False)
    assert ran == []


@pytest.mark.filterwarnings("error")
def test_a_stop_before_a_reply_asks_nothing() -> None:
    play = Play(DONE)
    play.stop = True
    assert play.run() is False
    assert play.asked == 0


def test_a_stop_during_a_cell_lets_its_output_go_and_asks_no_more() -> None:
    play = Play(cell_of("x\n"))
    play.cell = lambda language, code: setattr(play, "stop", True) or "half"  # type: ignore[method-assign,func-returns-value,assignment]  # the double's method is replaced for this test alone
    assert play.run() is False
    assert play.asked == 1


def test_a_stop_during_a_reply_closes_it_and_runs_nothing() -> None:
    closed: list[bool] = []
    stop: list[bool] = []

    def reply() -> Iterator[Part]:
        try:
            yield Text("Now:\n")
            stop.append(True)
            yield Code("python", "x\n")
        finally:
            closed.append(True)

    ran: list[str] = []
    ended = run_loop([USER], reply=reply, cell=lambda _, code: ran.append(code) or "", stopped=lambda: bool(stop))
    assert (ended, ran, closed) == (False, [], [True])


# ------------------------------------------------------------------------------------------------- what it would run


def test_apt_install_is_a_cell_like_any_other_and_starts_nothing_here(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[object] = []
    monkeypatch.setattr(subprocess, "run", lambda *words, **_: started.append(words))
    play = Play(cell_of("apt install cowsay\n", "shell"), DONE)
    play.run()
    assert play.ran == [("shell", "apt install cowsay\n")]
    assert started == []


@pytest.mark.parametrize("text", ["{{open('/tmp/x', 'w')}}", "{{ 1 + 1 }}"])
def test_code_in_double_braces_is_never_run(text: str) -> None:
    play = Play([Text(text)])
    play.run({**USER, "content": text}, PROSE, {**OUTPUT, "content": text})
    assert play.ran == []
    assert play.loop.messages[0]["content"] == text


@pytest.mark.parametrize("language", ["cobol", "powershell", "html", "r", "c++"])
def test_a_language_that_nothing_here_runs_gets_its_answer_from_the_cell(language: str) -> None:
    play = Play(cell_of("DISPLAY 'X'.\n", language), DONE, outputs=[f"{language} cannot run here."])
    play.run()
    assert play.ran == [(language, "DISPLAY 'X'.\n")]
    assert play.asked == 2


@pytest.mark.parametrize("code", ["", "\n", "  \n\n"])
def test_blank_code_is_answered_by_open_interpreter_and_the_model_asked_again(code: str) -> None:
    play = Play(cell_of(code), DONE)
    assert play.run()
    assert play.ran == []
    assert play.asked == 2
    assert [m["content"] for m in play.loop.messages if m["role"] == "computer"] == [
        "Code block was empty. Please try again, be sure to write code before executing."
    ]


def test_code_wrapped_in_json_is_unwrapped() -> None:
    play = Play(cell_of(json.dumps({"language": "shell", "code": "ls"})), DONE)
    play.run()
    assert play.ran == [("shell", "ls")]


def test_text_wrapped_in_json_becomes_a_message_and_the_model_is_asked_again() -> None:
    play = Play(cell_of(json.dumps({"language": "text", "code": "a note"})), DONE)
    assert play.run()
    assert play.ran == []
    assert play.asked == 2


def test_text_behind_the_cell_is_refused_because_the_loop_would_then_not_run_it() -> None:
    play = Play([*cell_of("x\n"), Text("\nThat prints x.")])
    with pytest.raises(ValueError, match="ends with its cell"):
        play.run()


def test_an_empty_reply_ends_the_loop() -> None:
    play = Play([])
    assert play.run()
    assert play.asked == 1


# --------------------------------------------------------------------------------------------------- what it changes


def test_the_callers_messages_and_the_parts_stay_as_they_were() -> None:
    given = [copy.deepcopy(USER)]
    parts = cell_of("x\n")
    before = copy.deepcopy((given, parts))
    play = Play(parts, DONE)
    play.loop = Loop(given, reply=play.reply, cell=play.cell, stopped=lambda: False)
    play.loop.run()
    assert (given, parts) == before


def test_an_output_of_any_length_is_kept_whole() -> None:
    long = "x" * 500_000
    play = Play(cell_of("x\n"), DONE, outputs=[long])
    play.run()
    assert [m["content"] for m in play.loop.messages if m["role"] == "computer"] == [long]


def test_markers_in_an_output_are_only_text() -> None:
    marked = "@@@RECIPIENT:user@@@CONTENT:secret@@@END and @@@HIDE_TRACEBACK@@@ more"
    play = Play(cell_of("x\n"), DONE, outputs=[marked])
    play.run()
    assert [m for m in play.loop.messages if m["role"] == "computer"] == [{**OUTPUT, "content": marked}]


def test_a_cell_without_output_is_answered_with_an_empty_one() -> None:
    play = Play(cell_of("x\n"), DONE)
    play.cell = lambda language, code: ""  # type: ignore[method-assign,assignment]  # the double's method is replaced for this test alone
    play.run()
    assert [m["content"] for m in play.loop.messages if m["role"] == "computer"] == [""]


def test_a_message_injected_before_the_reply_stands_before_it() -> None:
    note = {"role": "user", "type": "message", "content": "Variables were restored."}
    play = Play(cell_of("x\n"), DONE)

    def inject() -> None:
        if play.asked == 2:
            play.loop.inject(note)

    play.on_reply = inject
    play.run()
    assert [m["content"] for m in play.loop.messages][-3:] == ["ok", "Variables were restored.", "Done."]


# ----------------------------------------------------------------------------------------------------- what it costs


def test_nothing_sleeps_between_the_end_of_a_cell_and_the_next_request(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    Play(cell_of("x\n"), cell_of("y\n"), DONE).run()
    assert slept == []
