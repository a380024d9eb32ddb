"""The scripted model keeps what its docstring says: every other test leans on it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import openai
import pytest

from outlast.drill.scripted_model import NOT_A_MODEL, ScriptedModel, chunks

PROGRAM = "services/outlast/drill/scripted_model.py"
SCRIPT = ["First I look at the file.", "Then I sum it up, word by word by word.", "It is done."]


def client(model: ScriptedModel) -> openai.OpenAI:
    return openai.OpenAI(base_url=model.url, api_key="none", max_retries=0)


def talk(*replies: str) -> list[dict[str, Any]]:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Go."}]
    for reply in replies:
        messages += [{"role": "assistant", "content": reply}, {"role": "user", "content": "ok"}]
    return messages


def ask(model: ScriptedModel, messages: list[dict[str, Any]], **extra: Any) -> list[Any]:
    """Every chunk of a streamed reply."""
    options = {"stream_options": {"include_usage": True}, **extra}
    stream: Any = client(model).chat.completions.create(
        model="any", messages=messages, stream=True, **options  # type: ignore[arg-type]  # plain dicts are enough
    )
    return list(stream)


def text(events: list[Any]) -> str:
    return "".join(event.choices[0].delta.content or "" for event in events if event.choices)


def finish(events: list[Any]) -> str:
    return str(next(e.choices[0].finish_reason for e in events if e.choices and e.choices[0].finish_reason))


def prompt_tokens(events: list[Any]) -> int:
    return int(events[-1].usage.prompt_tokens)


CONTINUE = {"extra_body": {"continue_final_message": True, "add_generation_prompt": False}}


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel(SCRIPT) as server:
        yield server


def test_a_reply_depends_only_on_the_number_of_assistant_messages(model: ScriptedModel) -> None:
    for _ in range(2):
        for turn in (2, 0, 1):
            assert text(ask(model, talk(*SCRIPT[:turn]))) == SCRIPT[turn]


def test_a_script_is_chosen_by_the_first_word_of_the_conversation() -> None:
    with ScriptedModel({"replies": ["of the default"], "scripts": {"csv": ["of csv"]}}) as server:
        assert text(ask(server, [{"role": "user", "content": "csv please"}])) == "of csv"
        assert text(ask(server, [{"role": "user", "content": "please csv"}])) == "of the default"


def test_past_its_end_the_script_answers_done(model: ScriptedModel) -> None:
    assert text(ask(model, talk(*SCRIPT))) == "Done."


def test_a_reply_comes_in_more_than_one_chunk_and_loses_nothing(model: ScriptedModel) -> None:
    events = ask(model, talk())
    assert sum(bool(e.choices and e.choices[0].delta.content) for e in events) == len(chunks(SCRIPT[0])) > 1
    assert "".join(chunks("  a\n\n\tlonger-than-one-chunk é\n")) == "  a\n\n\tlonger-than-one-chunk é\n"


def test_max_tokens_cuts_a_reply_and_says_length(model: ScriptedModel) -> None:
    events = ask(model, talk(), max_tokens=2)
    assert (text(events), finish(events)) == ("First I", "length")
    assert events[-1].usage.completion_tokens == 2


def test_a_final_assistant_message_is_continued_when_told_to(model: ScriptedModel) -> None:
    begun = [*talk(SCRIPT[0]), {"role": "assistant", "content": "Then I sum"}]
    assert text(ask(model, begun, **CONTINUE)) == " it up, word by word by word."


def test_a_continued_prompt_is_shorter_than_the_same_messages_answered(model: ScriptedModel) -> None:
    begun = [*talk(), {"role": "assistant", "content": "First I"}]
    assert prompt_tokens(ask(model, begun, **CONTINUE)) < prompt_tokens(ask(model, begun))


def test_a_server_that_cannot_continue_starts_the_next_reply_over(model: ScriptedModel) -> None:
    model.control(continues=False)
    begun = [*talk(), {"role": "assistant", "content": "First I"}]
    assert text(ask(model, begun, **CONTINUE)) == SCRIPT[1]
    assert prompt_tokens(ask(model, begun, **CONTINUE)) == prompt_tokens(ask(model, begun))


def test_a_reply_without_streaming_is_the_same_text(model: ScriptedModel) -> None:
    reply = client(model).chat.completions.create(model="any", messages=talk())  # type: ignore[arg-type]  # as above
    assert reply.choices[0].message.content == SCRIPT[0]
    assert reply.usage and reply.usage.prompt_tokens == prompt_tokens(ask(model, talk()))


def test_it_says_that_it_is_not_a_model(model: ScriptedModel) -> None:
    entry = json.load(urlopen(f"{model.url}/models"))["data"][0]
    assert entry["description"] == NOT_A_MODEL
    shown = subprocess.run([sys.executable, PROGRAM, "--help"], capture_output=True, text=True)
    assert NOT_A_MODEL in shown.stdout


def test_tokenize_counts_as_the_usage_does_and_can_be_turned_off(model: ScriptedModel) -> None:
    request = Request(f"{model.base}/tokenize", json.dumps({"messages": talk()}).encode())
    assert json.load(urlopen(request))["count"] == prompt_tokens(ask(model, talk()))
    model.control(tokenize=False)
    with pytest.raises(OSError, match="404"):
        urlopen(request)


def test_requests_are_recorded_with_their_bodies(model: ScriptedModel) -> None:
    ask(model, talk(), temperature=0.5)
    recorded = json.load(urlopen(f"{model.base}/control/requests"))
    assert recorded[0]["body"]["temperature"] == 0.5 == model.requests[0]["temperature"]
    assert recorded[0]["end"] == "complete"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 500}, openai.InternalServerError),
        ({"kind": "status", "status": 429, "retry_after": 1}, openai.RateLimitError),
        ({"kind": "length"}, openai.BadRequestError),
        ({"kind": "cut", "after": 2}, Exception),
        ({"kind": "garbage"}, Exception),
    ],
)
def test_a_fault_hits_as_often_as_planned_and_then_no_more(
    model: ScriptedModel, fault: dict[str, Any], error: type[Exception]
) -> None:
    model.control({**fault, "times": 2})
    for _ in range(2):
        with pytest.raises(error):
            ask(model, talk())
    assert text(ask(model, talk())) == SCRIPT[0]


def test_a_cleanly_cut_stream_ends_without_a_finish_reason(model: ScriptedModel) -> None:
    model.control({"kind": "cut", "after": 2, "clean": True})
    events = ask(model, talk())
    assert text(events) == "First I"
    assert not any(e.choices and e.choices[0].finish_reason for e in events)


def test_a_fault_for_one_reply_leaves_the_others_alone(model: ScriptedModel) -> None:
    model.control({"kind": "status", "reply": 1})
    assert text(ask(model, talk())) == SCRIPT[0]
    with pytest.raises(openai.InternalServerError):
        ask(model, talk(SCRIPT[0]))


def test_a_hung_request_never_gets_a_token_and_ends_with_its_client(model: ScriptedModel) -> None:
    model.control({"kind": "hang"})
    with pytest.raises(openai.APITimeoutError):
        client(model).with_options(timeout=0.2).chat.completions.create(
            model="any", messages=talk(), stream=True  # type: ignore[arg-type]  # as above
        )
    hung = model.wait_for(lambda arrivals: bool(arrivals) and arrivals[0].end == "hung")
    assert hung[0].chunks == 0


def test_a_client_that_hangs_up_ends_its_stream(model: ScriptedModel) -> None:
    model.control(delay=3600)
    stream: Any = client(model).chat.completions.create(
        model="any", messages=talk(SCRIPT[0]), stream=True  # type: ignore[arg-type]  # as above
    )
    next(iter(stream))
    stream.close()
    ended = model.wait_for(lambda arrivals: arrivals[0].end == "closed by client")
    assert ended[0].chunks < len(chunks(SCRIPT[1]))


def test_a_conversation_beyond_the_window_is_refused_as_vllm_does(model: ScriptedModel) -> None:
    model.control(context_window=20)
    with pytest.raises(openai.BadRequestError, match="maximum context length is 20 tokens"):
        ask(model, talk(), max_tokens=16)


def test_a_script_file_may_give_delays_and_faults(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text(
        "delay: 0\nreplies:\n  - {text: Hello there., delay: 0.001}\nfaults:\n  - {kind: status}\n", encoding="utf-8"
    )
    with ScriptedModel(script) as model:
        with pytest.raises(openai.InternalServerError):
            ask(model, talk())
        assert text(ask(model, talk())) == "Hello there."


def test_a_mistake_in_a_fault_is_named() -> None:
    with pytest.raises(ValueError, match="'slowly' is none of slow"):
        ScriptedModel([], faults=[{"kind": "slowly"}])


def test_as_a_program_it_writes_its_port_and_stops_on_sigterm(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("- Hello.\n", encoding="utf-8")
    command = [sys.executable, PROGRAM, str(script), "--port-file", str(tmp_path / "port")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout and NOT_A_MODEL in process.stdout.readline()
        port = int((tmp_path / "port").read_text())
        assert urlopen(f"http://127.0.0.1:{port}/health").status == 200
        process.terminate()
        assert process.wait(10) == 0
