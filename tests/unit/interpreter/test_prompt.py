"""The system message says what is true here, in Open Interpreter's words where they are."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import distribution, version
from pathlib import Path

import pytest

from outlast.interpreter import frozen, prompt
from outlast.settings import Settings

MESSAGE = prompt.render({"pandas", "numpy"})


def frozen_source(path: str) -> str:
    """A source file of the installed Open Interpreter."""
    return Path(str(distribution("open-interpreter").locate_file(f"interpreter/{path}"))).read_text(encoding="utf-8")


def test_the_open_interpreter_installed_is_the_frozen_one() -> None:
    assert version("open-interpreter") == frozen.VERSION


@pytest.mark.parametrize("said", prompt.CORRECTIONS)
def test_every_sentence_that_is_replaced_is_still_said_by_open_interpreter(said: str) -> None:
    assert said in frozen.DEFAULT_SYSTEM_MESSAGE + prompt.EXECUTION_INSTRUCTIONS
    assert said not in MESSAGE


def test_the_execution_instructions_are_open_interpreters_own() -> None:
    assert f'"{prompt.EXECUTION_INSTRUCTIONS}"' in frozen_source("core/llm/llm.py")


def test_the_rest_of_the_message_is_open_interpreters_own_line_for_line() -> None:
    ours = set(MESSAGE.splitlines())
    changed = [line for line in frozen.DEFAULT_SYSTEM_MESSAGE.splitlines() if line not in ours]
    assert [next((said for said in prompt.CORRECTIONS if said in line), line) for line in changed] == [
        said for said in prompt.CORRECTIONS if said in frozen.DEFAULT_SYSTEM_MESSAGE
    ]


def test_the_message_names_no_login_and_no_date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    assert "User's Name: user\n" in MESSAGE
    assert not re.search(r"\b20\d\d\b", MESSAGE)


def test_the_message_claims_no_network_and_names_the_packages() -> None:
    assert "cannot access the internet" in MESSAGE
    assert "These Python packages are installed: numpy, pandas." in MESSAGE


def test_the_message_says_what_stays_from_block_to_block() -> None:
    assert "the directory, variables, functions and aliases of shell blocks" in MESSAGE
    assert "Each javascript block is a new process" in MESSAGE
    assert "(like python and shell, but NOT for javascript which starts from 0 every time)" in MESSAGE


def test_the_message_is_the_same_each_time() -> None:
    assert prompt.render(["b", "a"]) == prompt.render(["a", "b"])


def test_packages_are_read_from_the_kernels_environment(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    for name in ("pandas-3.1.1", "scikit_learn-1.9", "pyzmq-27.3.0"):
        (site / f"{name}.dist-info").mkdir(parents=True)
    settings = Settings(kernel_python=str(tmp_path / "bin/python"))
    assert prompt.installed(settings) == {"pandas", "scikit-learn"}
    assert "pandas, scikit-learn." in prompt.system_message(settings)


def test_without_an_environment_no_package_is_promised(tmp_path: Path) -> None:
    assert "packages are installed:" not in prompt.system_message(Settings(kernel_python=str(tmp_path / "python")))


def test_the_output_templates_are_open_interpreters_defaults() -> None:
    source = inspect.getsource(frozen.OpenInterpreter.__init__)
    assert repr(prompt.OUTPUT_TEMPLATE)[1:-1] in source
    assert prompt.EMPTY_OUTPUT_TEMPLATE in source
    assert prompt.OUTPUT_TEMPLATE.count("{content}") == 1
