"""Open Interpreter, loaded as we load it, reaches nothing, writes nothing, starts nothing, and needs no name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from outlast.drill.scripted_model import ScriptedModel

ROOT = Path(__file__).parents[3]

#: A whole session's loop under an audit hook; prints what the hook saw, and what was imported when.
SCRIPT = r'''
import json, os, pwd, sys
seen = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[1][0] if event == "socket.connect" else arguments[0]
        if host not in ("127.0.0.1", b"127.0.0.1"):
            seen.append([event, str(arguments)])
    elif event in ("os.mkdir", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
        seen.append([event, str(arguments)])
    elif event == "subprocess.Popen":
        # At import, httpx's trio looks for its thread library and the openai package for the processor's name.
        if "imported" in globals() or list(arguments[1]) not in (["/sbin/ldconfig", "-p"], ["uname", "-p"]):
            seen.append([event, str(arguments)])
    elif event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        if arguments[0] != "/dev/null":
            seen.append([event, str(arguments)])
sys.addaudithook(watch)

def nobody(uid):
    raise KeyError(uid)
pwd.getpwuid = nobody

from outlast.interpreter import prompt
from outlast.interpreter.loop import run_loop
from outlast.interpreter.model import Delta, ModelClient
from outlast.interpreter.reply import ReplyParser
from outlast.settings import Settings
from outlast.stop import StopSignal

imported = set(sys.modules)
stop, model = StopSignal(), ModelClient(Settings(model_url=sys.argv[1]))
wire, ran = [{"role": "system", "content": prompt.render(["pandas"])}, {"role": "user", "content": "Go."}], []

def reply():
    parser, text = ReplyParser(), ""
    assert model.count_tokens(wire) and model.continues()
    for piece in model.stream(wire, partial=None, max_tokens=100, temperature=0, stop=stop):
        if isinstance(piece, Delta):
            text += piece.text
            yield from parser.feed(piece.text)
            if parser.ended:
                break
    yield from parser.finish(complete=True)
    wire.append({"role": "assistant", "content": text[: parser.length]})

def cell(language, code):
    ran.append([language, code])
    wire.append({"role": "user", "content": "ok"})
    return "ok"

ended = run_loop([{"role": "user", "type": "message", "content": "Go."}], reply=reply, cell=cell, stopped=lambda: False)
print(json.dumps({
    "seen": seen, "ended": ended, "ran": ran, "late": sorted(set(sys.modules) - imported),
    "present": sorted(n for n in sys.modules if n.split(".")[0] in ("interpreter", "litellm", "posthog", "tiktoken")),
}))
'''

REPLIES = ["First:\n```shell\napt install cowsay\n```\n", "Then:\n```python\nx = 'python3'\n```\n", "Done."]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A loop of three turns in a process of its own, with an empty home and a user id that has no name."""
    home = tmp_path_factory.mktemp("home")
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "services"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with ScriptedModel(REPLIES) as server:
        words = [sys.executable, "-W", "error", "-c", SCRIPT, server.url]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120, cwd=home)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout.splitlines()[-1]), "home": sorted(os.listdir(home)), "stderr": done.stderr}


def test_the_loop_ran_to_its_end(session: dict[str, Any]) -> None:
    assert session["ended"] is True
    assert session["ran"] == [["shell", "apt install cowsay\n"], ["python", "x = 'python3'\n"]]
    assert session["stderr"] == ""


def test_nothing_but_the_model_server_was_looked_up_or_reached_and_nothing_written_or_started(
    session: dict[str, Any],
) -> None:
    assert session["seen"] == []


def test_the_home_directory_stays_empty(session: dict[str, Any]) -> None:
    assert session["home"] == []


def test_nothing_is_imported_after_the_import_so_that_forked_children_start_at_once(session: dict[str, Any]) -> None:
    assert session["late"] == []


def test_neither_litellm_nor_telemetry_is_in_the_process(session: dict[str, Any]) -> None:
    assert session["present"] == []
