"""What a job asks for, from its raw hash. The command line's part is played by RQ's own parser."""

from __future__ import annotations

import pickle
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rq.cli.helpers import parse_function_args

import outlast
from outlast.attempt.request import Request, parse_request
from outlast.errors import Refused


def raw(function: str = "outlast.run", args: Any = (), kwargs: Any = None, instance: Any = None, **more: Any) -> dict:
    data = zlib.compress(pickle.dumps((function, instance, args, kwargs or {}), protocol=5))
    fields = {"data": data, "origin": b"default", "timeout": b"180", "success_callback_name": b"", **more}
    return {name.encode(): value for name, value in fields.items()}


def typed(*words: str, function: str = "outlast.run", job: str = "etl", **more: Any) -> Request:
    """The request of `rq enqueue <function> <words>`."""
    args, kwargs = parse_function_args(words)
    return parse_request(job, raw(function, args, kwargs, **more))


def refusal(*words: str, **more: Any) -> str:
    with pytest.raises(Refused) as refused:
        typed(*words, **more)
    sentence = str(refused.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


def test_a_prompt_alone_opens_a_session_with_the_jobs_id() -> None:
    assert typed("clean the file") == Request("run", "etl", "etl", "clean the file", {}, None, "default")


def test_options_are_read_from_text_and_from_json() -> None:
    words = [
        "go", "model=qwen", "max_tokens=100", "context_window:=2000", "on_interrupt=ask", 'files:=["a.csv"]',
        "cell_timeout:=2.5", "temperature=0.5", "auto_run:=true",
    ]  # fmt: skip
    assert typed(*words).options == {
        "model": "qwen", "max_tokens": 100, "context_window": 2000, "on_interrupt": "ask", "files": ["a.csv"],
        "cell_timeout": 2.5, "temperature": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    "prompt",
    ["keep rows where year>=2020", "a = b", "x y=", "compute sum(x)=3 and plot", "50% = half", "Note: a=1", "f(x)=x=y"],
)
def test_a_prompt_with_an_equals_sign_arrives_whole(prompt: str) -> None:
    assert typed(prompt).text == prompt
    assert typed("prompt=" + prompt).text == prompt
    assert typed(prompt, "max_tokens:=5").options == {"max_tokens": 5}


def test_a_prompt_that_rq_took_for_json_is_rebuilt_as_json() -> None:
    assert typed('set the threshold to x:={"a": 1}').text == 'set the threshold to x:={"a": 1}'


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_prompt_that_is_named_as_such_arrives_whole(prompt: str) -> None:
    if prompt.startswith("@") or not prompt.strip():
        return
    assert typed("prompt=" + prompt).text == prompt


@given(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_bare_prompt_with_a_space_arrives_whole_or_is_refused_with_the_way_out(text: str) -> None:
    prompt = "do " + text
    if "=@" in prompt or ":=" in prompt or "%=" in prompt:
        return
    assert typed(prompt).text == prompt


def test_a_prompt_beside_a_torn_one_is_refused() -> None:
    assert "prompt='…'" in refusal("clean the file", "keep rows where year>=2020")
    assert "prompt='…'" in refusal("year>=2020", "month>=3")
    assert "prompt='…'" in refusal("a", "prompt=b")
    assert "quotes" in refusal("clean", "the", "file")


@pytest.mark.parametrize("words", [(), ("",), ("  \n",), ("prompt=",)])
def test_an_empty_prompt_is_refused(words: tuple[str, ...]) -> None:
    assert "empty" in refusal(*words)


@pytest.mark.parametrize("word", [":5", ":null", ":[1]", "%b'x'", "prompt:=3"])
def test_a_prompt_that_is_no_text_is_refused(word: str) -> None:
    assert "prompt" in refusal(word)


def test_a_prompt_that_is_no_unicode_is_refused() -> None:
    assert "UTF-8" in refusal("caf\udce9 au lait")


def test_an_unknown_option_is_named_with_the_nearest_known_one() -> None:
    sentence = refusal("go", "max_token:=5")
    assert "'max_token'" in sentence and "Did you mean max_tokens?" in sentence and "temperature" in sentence
    assert "'x'" in refusal("x=5")


@pytest.mark.parametrize(
    "word",
    [
        "max_tokens=many", "max_tokens:=0", "max_tokens:=1.5", "max_tokens:=true", "max_tokens=inf", "max_tokens:=null",
        "context_window:=-1", "cell_timeout:=-1", "cell_timeout=nan", "max_seconds:=0", "temperature:=[]", "model:=5",
        "model= ", "on_interrupt=maybe", "files=a.csv", "files:=[1]", "files:={}", "auto_run:=false", "auto_run=no",
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_the_options_name(word: str) -> None:
    assert word.replace(":", "=").split("=")[0] in refusal("go", word)


def test_a_reply_longer_than_the_window_is_refused() -> None:
    assert "context_window" in refusal("go", "max_tokens:=100", "context_window:=100")


@pytest.mark.parametrize(
    ("stored", "seconds"), [(b"180", None), (b"-1", None), (b"", None), (b"60", 60), (b"181", 181), (b"86400", 86400)]
)
def test_the_timeout_limits_the_session_unless_it_is_rqs_silent_one(stored: bytes, seconds: float | None) -> None:
    assert typed("go", timeout=stored).max_seconds == seconds


def test_max_seconds_says_180_and_wins_over_the_timeout() -> None:
    assert typed("go", "max_seconds:=180").max_seconds == 180
    assert typed("go", "max_seconds=5", timeout=b"60").max_seconds == 5
    assert "timeout" in refusal("go", timeout=b"soon")


def test_a_chat_takes_session_and_message_by_place_or_by_name() -> None:
    for words in (("s-1", "now a pie chart"), ("s-1", "message=now a pie chart"), ("s-1", "prompt=now a pie chart"),
                  ("session=s-1", "now a pie chart"), ("session=s-1", "message=now a pie chart")):  # fmt: skip
        request = typed(*words, function="outlast.chat", job="c1")
        assert (request.function, request.job, request.session) == ("chat", "c1", "s-1")
        assert request.text == "now a pie chart"


def test_a_message_with_an_equals_sign_arrives_whole() -> None:
    assert typed("s", "only where x>=3", function="outlast.chat").text == "only where x>=3"


def test_a_chat_without_session_or_message_is_refused() -> None:
    assert "session" in refusal(function="outlast.chat")
    assert "session" in refusal("not an id!", "hello", function="outlast.chat")
    assert "empty" in refusal("s", function="outlast.chat")
    assert "'max_tokens'" in refusal("s", "m", "max_tokens:=5", function="outlast.chat")
    assert "quotes" in refusal("s", "m", "n", function="outlast.chat")


def test_any_other_function_is_refused_by_name() -> None:
    assert "'os.system'" in refusal("touch x", function="os.system")
    assert "outlast.run" in refusal("x", function="outlast.runs")


@pytest.mark.parametrize("field", ["success_callback_name", "failure_callback_name", "stopped_callback_name"])
def test_a_callback_is_refused(field: str) -> None:
    assert "callback" in refusal("go", **{field: b"os.system"})


def test_webhooks_instances_and_repeats_are_refused() -> None:
    assert "webhooks" in refusal("go", webhooks=b'[{"url": "http://127.0.0.1:1"}]')
    assert "webhooks" in refusal("go", webhooks=b"\xff")
    assert "repeated" in refusal("go", repeats_left=b"3")
    with pytest.raises(Refused, match="object"):
        parse_request("etl", raw(args=("go",), instance="x"))


def test_the_empty_fields_that_rq_writes_for_every_job_are_no_reason_to_refuse() -> None:
    assert typed("go", failure_callback_name=b"", stopped_callback_name=b"", webhooks=b"[]").text == "go"


@pytest.mark.parametrize("job", ["", "a b", "a:b", "{x}", "a/../b", "é", "x" * 201])
def test_an_id_that_could_not_name_a_session_is_refused(job: str) -> None:
    assert "id" in refusal("go", job=job)


@pytest.mark.parametrize(
    "call", [None, "x", (), ("outlast.run",), ("outlast.run", None, 5, {}), ("outlast.run", None, (), []),
             (5, None, (), {}), ("outlast.run", None, ("a",), {5: 1})]
)  # fmt: skip
def test_data_of_another_shape_is_refused(call: Any) -> None:
    with pytest.raises(Refused):
        parse_request("etl", {b"data": zlib.compress(pickle.dumps(call, protocol=5))})


@pytest.mark.parametrize(
    "data", [b"", b"{}", b'["outlast.run", null, [], {}]', zlib.compress(b"cos\nsystem\n(S'x'\ntR.")]
)
def test_data_that_is_no_plain_pickle_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        parse_request("etl", {b"data": data})


def test_a_hash_without_data_is_refused() -> None:
    with pytest.raises(Refused):
        parse_request("etl", {})


def test_the_names_that_rq_enqueues_import_nothing_and_say_which_worker_to_start() -> None:
    code = (
        "import sys; before = set(sys.modules); import outlast; assert set(sys.modules) - before == {'outlast'}\n"
        "for name in ('run', 'chat'):\n"
        "    try: getattr(outlast, name)('x')\n"
        "    except RuntimeError as error: assert '--worker-class outlast.queue.Worker' in str(error)\n"
        "    else: raise SystemExit(1)\n"
    )
    services = str(Path(outlast.__file__).parent.parent)
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": services}, check=False).returncode == 0
