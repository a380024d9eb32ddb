"""Open Interpreter's loop is loaded alone, and nobody else notices."""

from __future__ import annotations

import sys

import pytest

from outlast.interpreter import frozen


def test_the_stand_ins_are_gone_after_the_import() -> None:
    before = dict(sys.modules)
    with frozen._stand_ins():
        assert sys.modules["litellm"] is not before.get("litellm")
        assert not hasattr(sys.modules["getpass"], "getpass")
    assert dict(sys.modules) == before


@pytest.mark.parametrize("argument", ["llm", "computer"])
def test_what_is_not_loaded_cannot_be_used_by_mistake(argument: str) -> None:
    given = {"llm": object(), "computer": frozen.ModuleType("computer")}
    with pytest.raises(RuntimeError, match="not loaded"):
        frozen.OpenInterpreter(**{**given, argument: None})


def test_telemetry_that_is_not_switched_off_still_sends_nothing() -> None:
    chatty = frozen.OpenInterpreter(llm=object(), computer=frozen.ModuleType("computer"))
    assert chatty.anonymous_telemetry
    with pytest.raises(RuntimeError, match="not loaded"):
        chatty.chat("x", display=False)
