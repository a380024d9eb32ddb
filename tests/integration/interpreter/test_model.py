"""The model client: what it sends, and that it wakes, hangs up and never takes half a reply for a whole one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from outlast.drill.scripted_model import ScriptedModel
from outlast.errors import ModelAway, Stopped
from outlast.interpreter.model import Delta, Finish
from outlast.stop import StopSignal
from tests.integration.interpreter.clients import WIRE, ask, client
from tests.integration.interpreter.servers import Exchange, closed_port, serving


def test_a_reply_comes_whole_and_with_its_counts() -> None:
    with ScriptedModel(["Hello,\n there. "]) as server, client(server.url) as model:
        text, finish = ask(model)
    assert text == "Hello,\n there. "
    assert finish == Finish("stop", finish.prompt_tokens, 3)
    assert finish.prompt_tokens


def test_the_request_holds_the_wire_messages_unchanged_and_a_temperature_of_zero() -> None:
    wire = [
        {"role": "system", "content": "  spaces {{1+1}} and\n\n"},
        {"role": "user", "content": "first"},
        {"role": "user", "content": "second, of the same role"},
        {"role": "assistant", "content": "```python\nx = 'python3'\n```\n "},
        {"role": "user", "content": ""},
    ]
    with ScriptedModel(["", "ok"]) as server, client(server.url) as model:
        stop = StopSignal()
        list(model.stream(wire, partial=None, max_tokens=77, temperature=0.0, stop=stop))
        stop.close()
        (body,) = server.requests
    assert body == {
        "model": "m", "messages": wire, "max_tokens": 77, "temperature": 0.0,
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip


def test_a_half_finished_reply_is_sent_last_and_only_its_rest_comes_back() -> None:
    with ScriptedModel(["one two three four"]) as server, client(server.url) as model:
        text, _ = ask(model, partial="one two")
        body = server.requests[-1]
    assert text == " three four"
    assert body["messages"] == [*WIRE, {"role": "assistant", "content": "one two"}]
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_closing_at_the_first_fence_hangs_up_at_once() -> None:
    with ScriptedModel([{"text": "word " * 500, "delay": 0.01}]) as server, client(server.url) as model:
        stop = StopSignal()
        pieces = model.stream(WIRE, partial=None, max_tokens=9000, temperature=0.0, stop=stop)
        assert isinstance(next(pieces), Delta)
        pieces.close()
        (arrival,) = server.wait_for(lambda arrivals: arrivals[0].end == "closed by client")
        assert arrival.chunks < 500
        stop.close()


@pytest.mark.parametrize(
    "fault", [{"kind": "slow", "seconds": 3600}, None], ids=["before the first token", "between tokens"]
)
def test_a_stop_wakes_the_caller_and_hangs_up(fault: dict[str, object] | None) -> None:
    script = [{"text": "one two three", "delay": 0 if fault else 3600}]
    with ScriptedModel(script, faults=[fault] if fault else []) as server, client(server.url) as model:
        stop = StopSignal()

        def stop_once_it_waits() -> None:
            server.wait_for(lambda arrivals: bool(arrivals))
            stop.set("drain")

        thread = threading.Thread(target=stop_once_it_waits)
        thread.start()
        with pytest.raises(Stopped) as raised:
            ask(model, stop)
        thread.join()
        assert raised.value.reason == "drain"
        server.wait_for(lambda arrivals: arrivals[0].end == "closed by client")
        stop.close()


def test_a_stop_that_was_set_before_sends_no_token() -> None:
    with ScriptedModel(["x"]) as server, client(server.url) as model:
        stop = StopSignal()
        stop.set("cancel")
        with pytest.raises(Stopped):
            ask(model, stop)
        stop.close()


def test_no_callback_is_left_on_the_stop_signal() -> None:
    with ScriptedModel(["x"]) as server, client(server.url) as model:
        stop = StopSignal()
        ask(model, stop)
        assert stop._callbacks == []
        stop.close()


def test_a_server_that_sends_no_first_token_in_time_is_away() -> None:
    slow = [{"kind": "slow", "seconds": 3600}]
    with (
        ScriptedModel(["x"], faults=slow) as server,
        client(server.url, first_token=0.2) as model,
        pytest.raises(ModelAway, match="FIRST_TOKEN"),
    ):
        ask(model)


def test_a_server_that_falls_silent_midway_is_away() -> None:
    def one_token(exchange: Exchange) -> None:
        exchange.begin()
        exchange.event({"role": "assistant", "content": ""})
        exchange.event({"content": "one"})
        exchange.wait_for_hang_up()

    with (
        serving(one_token) as server,
        client(server.url, next_token=0.2) as model,
        pytest.raises(ModelAway, match="NEXT_TOKEN"),
    ):
        ask(model)


def test_a_model_that_reasons_apart_is_alive() -> None:
    def reasons(exchange: Exchange) -> None:
        exchange.begin()
        exchange.event({"reasoning_content": "hm"})
        exchange.event({"content": "yes"})
        exchange.event({}, "stop")

    with serving(reasons) as server, client(server.url) as model:
        assert ask(model)[0] == "yes"


def test_a_cut_stream_is_no_reply_and_its_text_is_not_doubled() -> None:
    cut = [{"kind": "cut", "after": 2}]
    with ScriptedModel(["one two three four"], faults=cut) as server, client(server.url) as model:
        stop = StopSignal()
        received: list[str] = []
        with pytest.raises(ModelAway):
            for piece in model.stream(WIRE, partial=None, max_tokens=9, temperature=0.0, stop=stop):
                assert isinstance(piece, Delta)
                received.append(piece.text)
        stop.close()
        assert "".join(received) == "one two"
        assert len(server.requests) == 1


def test_a_stream_that_ends_as_if_well_but_without_a_reason_is_no_reply() -> None:
    with (
        ScriptedModel(["one two three"], faults=[{"kind": "cut", "clean": True, "after": 1}]) as server,
        client(server.url) as model,
        pytest.raises(ModelAway, match="cut"),
    ):
        ask(model)


def test_a_reply_that_said_why_it_finished_is_whole_though_the_stream_breaks_off_then() -> None:
    def no_done(exchange: Exchange) -> None:
        exchange.begin()
        exchange.event({"content": "whole"})
        exchange.event({}, "stop")
        exchange.data("{broken")

    with serving(no_done) as server, client(server.url) as model:
        assert ask(model) == ("whole", Finish("stop", None, None))


def test_a_server_that_nobody_can_reach_is_away() -> None:
    with client(f"http://127.0.0.1:{closed_port()}/v1") as model, pytest.raises(ModelAway, match="refused"):
        ask(model)


def test_proxies_and_keys_in_the_environment_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = f"http://127.0.0.1:{closed_port()}"
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, nowhere)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", nowhere)

    def reply(exchange: Exchange) -> None:
        exchange.begin()
        exchange.event({"content": "ok"}, "stop")

    with serving(reply) as server, client(server.url) as model:
        assert ask(model)[0] == "ok"
    assert not [headers for _, headers, _ in server.seen if "authorization" in headers]


def test_the_key_file_is_sent_and_read_for_each_request(tmp_path: Path) -> None:
    key = tmp_path / "key"

    def reply(exchange: Exchange) -> None:
        exchange.begin()
        exchange.event({"content": "ok"}, "stop")

    with serving(reply) as server, client(server.url, model_key_file=str(key)) as model:
        for value in ("first", "second"):
            key.write_text(f"{value}\n")
            ask(model)
    assert [headers["authorization"] for _, headers, _ in server.seen] == ["Bearer first", "Bearer second"]
